package wire

import (
	"bufio"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// What a caller wants after the greeting.
const (
	ModeEcho = "echo" // everything comes back
	ModeSink = "sink" // bytes are counted
)

// maxLine bounds a greeting, in bytes.
const maxLine = 512

const magic = "acpflow-probe/1"

// ErrStranger is in the chain when something answered that is no agent of this probe.
var ErrStranger = errors.New("answered by something else")

// ErrSilent is in the chain when something took the connection and said nothing.
var ErrSilent = errors.New("no answer")

// StrangerError carries what it said first.
type StrangerError struct{ First []byte }

// Error implements error.
func (e *StrangerError) Error() string { return ErrStranger.Error() }

// Unwrap returns ErrStranger.
func (e *StrangerError) Unwrap() error { return ErrStranger }

// Peer is who answered, and on which of its ports.
type Peer struct {
	Node string
	Port int
}

func sum(token []byte, parts ...string) string {
	mac := hmac.New(sha256.New, token)
	_, _ = io.WriteString(mac, strings.Join(parts, "|")) // a hash never fails
	return hex.EncodeToString(mac.Sum(nil))
}

func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func nonce() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// Question is a fresh greeting and the check of its answer. The answer is bound
// to the nonce, so neither an echo nor a recording passes for an agent.
func Question(token []byte, mode string) (line string, check func(answer string) (Peer, error)) {
	n := nonce()
	line = strings.Join([]string{magic, n, mode, sum(token, "question", n, mode)}, " ") + "\n"
	return line, func(answer string) (Peer, error) {
		stranger := &StrangerError{First: []byte(clip(answer))}
		w := strings.Split(strings.TrimSuffix(answer, "\n"), " ")
		if len(w) != 4 || w[0] != magic || !equal(w[3], sum(token, "answer", n, w[1], w[2])) {
			return Peer{}, stranger
		}
		node, err1 := hex.DecodeString(w[1])
		port, err2 := strconv.Atoi(w[2])
		if err1 != nil || err2 != nil {
			return Peer{}, stranger
		}
		return Peer{string(node), port}, nil
	}
}

// Reply answers a question, or says that it is none.
func Reply(token []byte, question string, me Peer) (answer, mode string, ok bool) {
	w := strings.Split(strings.TrimSuffix(question, "\n"), " ")
	if len(w) != 4 || w[0] != magic || !equal(w[3], sum(token, "question", w[1], w[2])) {
		return "", "", false
	}
	node, port := hex.EncodeToString([]byte(me.Node)), strconv.Itoa(me.Port)
	return strings.Join([]string{magic, node, port, sum(token, "answer", w[1], node, port)}, " ") + "\n", w[2], true
}

// Greet asks who is at the other end of a stream. What comes after the answer
// is read from the returned reader.
func Greet(conn net.Conn, token []byte, mode string) (Peer, *bufio.Reader, error) {
	line, check := Question(token, mode)
	if _, err := io.WriteString(conn, line); err != nil {
		return Peer{}, nil, err
	}
	r := bufio.NewReaderSize(conn, 64<<10)
	answer, err := ReadLine(r)
	if answer == "" && err != nil {
		return Peer{}, nil, err
	}
	peer, err := check(answer)
	return peer, r, err
}

// ReadLine reads a line of bounded length; what came of it when the stream
// ends or is silent.
func ReadLine(r *bufio.Reader) (string, error) {
	var line []byte
	for len(line) < maxLine {
		b, err := r.ReadByte()
		if err != nil {
			return string(line), err
		}
		line = append(line, b)
		if b == '\n' {
			return string(line), nil
		}
	}
	return string(line), nil
}

func clip(s string) string { return s[:min(len(s), 64)] }

// Cause says in few words why a connection failed.
func Cause(err error) string {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, ErrStranger):
		return ErrStranger.Error()
	case errors.Is(err, ErrSilent):
		return ErrSilent.Error()
	case errors.Is(err, syscall.ECONNREFUSED), strings.Contains(err.Error(), "onnection refused"):
		return "refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), strings.Contains(err.Error(), "o route to host"):
		return "no route"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM), errors.Is(err, syscall.EINVAL):
		return "forbidden by the node itself"
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timed out"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "closed without an answer"
	}
	return clip(fmt.Sprint(err))
}

// Try makes one connection through dial and greets.
func Try(dial func() (net.Conn, error), token []byte, opening []byte, patience time.Duration) (Peer, error) {
	conn, err := dial()
	if err != nil {
		return Peer{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience)) // a stream without deadlines ends with its connection
	if opening == nil {
		peer, _, err := Greet(conn, token, ModeEcho)
		return peer, silent(err)
	}
	if _, err := conn.Write(opening); err != nil {
		return Peer{}, err
	}
	first := make([]byte, 64)
	n, err := conn.Read(first)
	if n == 0 {
		return Peer{}, silent(err)
	}
	return Peer{}, &StrangerError{First: first[:n]}
}

// silent tells a peer that says nothing from one that can't be reached.
func silent(err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ErrSilent
	}
	return err
}
