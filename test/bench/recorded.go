package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/acpflow/acpflow/checks"
)

// recorded is an SSH server that answers on every address of the fleet as a
// machine would whose facts were read before. It costs next to nothing, so that
// what is measured is acpflow.
type recorded struct {
	facts    []byte
	config   *ssh.ServerConfig
	listener net.Listener
	mu       sync.Mutex
	open     map[net.Conn]bool
}

// serveRecorded uses the host key and the client key of dir.
func serveRecorded(dir string, facts []byte, address string) (*recorded, error) {
	pem, err := os.ReadFile(filepath.Join(dir, "host_ed25519"))
	if err != nil {
		return nil, err
	}
	key, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return nil, err
	}
	line, err := os.ReadFile(filepath.Join(dir, "authorized_keys"))
	if err != nil {
		return nil, err
	}
	client, _, _, _, err := ssh.ParseAuthorizedKey(line)
	if err != nil {
		return nil, err
	}
	r := &recorded{facts: facts, open: map[net.Conn]bool{}}
	r.config = &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if !bytes.Equal(key.Marshal(), client.Marshal()) {
			return nil, errors.New("another key")
		}
		return nil, nil
	}}
	r.config.AddHostKey(key)
	if r.listener, err = net.Listen("tcp4", address); err != nil {
		return nil, err
	}
	go r.accept()
	return r, nil
}

func (r *recorded) close() {
	_ = r.listener.Close() // nothing waits for it
	r.cut()
}

// cut ends all connections.
func (r *recorded) cut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for conn := range r.open {
		_ = conn.Close() // the other side may have been first
	}
}

func (r *recorded) accept() {
	for {
		conn, err := r.listener.Accept()
		if err != nil {
			return // closed
		}
		r.mu.Lock()
		r.open[conn] = true
		r.mu.Unlock()
		go func() {
			r.serve(conn)
			r.mu.Lock()
			delete(r.open, conn)
			r.mu.Unlock()
		}()
	}
}

func (r *recorded) serve(conn net.Conn) {
	defer conn.Close()
	_, channels, requests, err := ssh.NewServerConn(conn, r.config)
	if err != nil {
		return // the client reports it
	}
	go ssh.DiscardRequests(requests)
	for offer := range channels {
		if offer.ChannelType() != "session" {
			_ = offer.Reject(ssh.UnknownChannelType, "sessions only") // fails when the client has gone
			continue
		}
		channel, requests, err := offer.Accept()
		if err != nil {
			return
		}
		go r.session(channel, requests, conn.LocalAddr())
	}
}

func (r *recorded) session(channel ssh.Channel, requests <-chan *ssh.Request, at net.Addr) {
	defer func() { _ = channel.Close() }() // io.EOF when the client was first
	for request := range requests {
		if request.WantReply {
			_ = request.Reply(request.Type == "exec", nil) // as above
		}
		if request.Type == "exec" {
			_ = r.answer(channel, at) // the client sees an output without an end
			return
		}
	}
}

// answer plays the loader of acpflow's SSH client, which takes a length, a mark
// and a script, and fences the script's outputs with the mark.
func (r *recorded) answer(channel ssh.Channel, at net.Addr) error {
	in := bufio.NewReader(channel)
	var size int
	var mark string
	if _, err := fmt.Fscanf(in, "%d %s\n", &size, &mark); err != nil {
		return err
	}
	script := make([]byte, size)
	if _, err := io.ReadFull(in, script); err != nil {
		return err
	}
	var out []byte
	code, problem := 0, ""
	switch string(script) {
	case checks.Collector():
		out = r.factsOf(at, time.Now())
	case "true":
	default:
		code, problem = 127, "the recorded machine knows nothing but the collector\n"
	}
	const group = 4711
	_, err := fmt.Fprintf(channel, "\x1e%s %d\n%s\x1e%s.%d\n", mark, group, out, mark, code)
	_, err2 := fmt.Fprintf(channel.Stderr(), "\x1e%s %d\n%s\x1e%s.%d\n", mark, group, problem, mark, code)
	_, err3 := channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)}))
	return errors.Join(err, err2, err3)
}

// factsOf are the recorded facts with what differs from machine to machine.
func (r *recorded) factsOf(at net.Addr, now time.Time) []byte {
	host, _, _ := net.SplitHostPort(at.String()) // its own address
	return rewrite(r.facts, func(name, value string) string {
		switch name {
		case "hostname", "hostname-file":
			return "host-" + strings.ReplaceAll(host, ".", "-") + "\n"
		case "machine-id":
			return fmt.Sprintf("%032x\n", host)
		case "time-start", "time-end":
			return fmt.Sprintf("%d.%09d\n", now.Unix(), now.Nanosecond())
		}
		return value
	})
}

var factsLine = regexp.MustCompile(`(?m)^facts (.*)$`)

// rewrite changes values in a collector's output, fact by fact.
func rewrite(output []byte, change func(name, value string) string) []byte {
	return factsLine.ReplaceAllFunc(output, func(line []byte) []byte {
		rest, _ := base64.StdEncoding.DecodeString(string(line[len("facts "):])) // checked at the start, as the framing
		var out []byte
		for len(rest) > 0 {
			head, tail, _ := strings.Cut(string(rest), "\n")
			var name string
			var status, length int
			if n, _ := fmt.Sscanf(head, "%s %d %d", &name, &status, &length); n < 3 || length >= len(tail) {
				return nil // not what the collector writes: no side takes it for facts
			}
			value := change(name, tail[:length])
			out = fmt.Appendf(out, "%s %d %d\n%s\n", name, status, len(value), value)
			rest = []byte(tail[length+1:])
		}
		return []byte("facts " + base64.StdEncoding.EncodeToString(out))
	})
}
