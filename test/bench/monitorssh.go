package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// gateways are SSH servers, one port for each site, that play every simulated
// control plane: they answer the few scripts of a check with what bash gave the
// first time, and pass connections on to the real parts.
type gateways struct {
	config    *ssh.ServerConfig
	sides     map[string]*side // by address
	check     string           // host:port behind every Service address
	listeners []net.Listener

	mu      sync.Mutex
	answers map[string]string // side and script → output
	logins  int
}

// serveGateways listens on so many ports of every address.
func serveGateways(config *ssh.ServerConfig, sides map[string]*side, check string, first, n int) (*gateways, error) {
	g := &gateways{config: config, sides: sides, check: check, answers: map[string]string{}}
	for port := first; port < first+n; port++ {
		l, err := net.Listen("tcp4", fmt.Sprint("0.0.0.0:", port))
		if err != nil {
			g.close()
			return nil, err
		}
		g.listeners = append(g.listeners, l)
		go g.accept(l)
	}
	return g, nil
}

func (g *gateways) close() {
	for _, l := range g.listeners {
		_ = l.Close() // nothing waits for it
	}
}

func (g *gateways) accept(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return // closed
		}
		go g.serve(conn)
	}
}

func (g *gateways) serve(conn net.Conn) {
	defer conn.Close()
	host, _, _ := net.SplitHostPort(conn.LocalAddr().String())
	_, channels, requests, err := ssh.NewServerConn(conn, g.config)
	if err != nil {
		return // the client reports it
	}
	g.mu.Lock()
	g.logins++
	g.mu.Unlock()
	go ssh.DiscardRequests(requests)
	for offer := range channels {
		switch offer.ChannelType() {
		case "session":
			channel, requests, err := offer.Accept()
			if err != nil {
				return
			}
			go g.session(channel, requests, host)
		case "direct-tcpip":
			go g.forward(offer)
		default:
			_ = offer.Reject(ssh.UnknownChannelType, "not here") // fails when the client has gone
		}
	}
}

// forward connects to what is asked for; a Service's address leads to the
// synchronizer's check.
func (g *gateways) forward(offer ssh.NewChannel) {
	var to struct {
		Host string
		Port uint32
		From string
		Back uint32
	}
	if err := ssh.Unmarshal(offer.ExtraData(), &to); err != nil {
		_ = offer.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	address := net.JoinHostPort(to.Host, fmt.Sprint(to.Port))
	if strings.HasPrefix(to.Host, "10.4.") {
		address = g.check
	}
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		_ = offer.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer conn.Close()
	channel, requests, err := offer.Accept()
	if err != nil {
		return
	}
	go ssh.DiscardRequests(requests)
	done := make(chan struct{})
	go func() {
		_, _ = io.Copy(conn, channel)
		_ = conn.(*net.TCPConn).CloseWrite()
		close(done)
	}()
	_, _ = io.Copy(channel, conn)
	_ = channel.Close()
	<-done
}

func (g *gateways) session(channel ssh.Channel, requests <-chan *ssh.Request, host string) {
	defer func() { _ = channel.Close() }() // io.EOF when the client was first
	for request := range requests {
		if request.WantReply {
			_ = request.Reply(request.Type == "exec", nil) // as above
		}
		if request.Type == "exec" {
			_ = g.answer(channel, host) // the client sees an output without an end
			return
		}
	}
}

// answer plays the loader of acpflow's SSH client, as the recorded machines do.
func (g *gateways) answer(channel ssh.Channel, host string) error {
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
	out, err := g.output(host, string(script))
	if err != nil {
		return err
	}
	const group = 4711
	_, err = fmt.Fprintf(channel, "\x1e%s %d\n%s\x1e%s.%d\n", mark, group, out, mark, 0)
	_, err2 := fmt.Fprintf(channel.Stderr(), "\x1e%s %d\n\x1e%s.%d\n", mark, group, mark, 0)
	_, err3 := channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{0}))
	return errors.Join(err, err2, err3)
}

// output runs a script the first time it comes to a side, with the side's own
// /etc/kubernetes, and repeats what it printed; a clock is told anew.
func (g *gateways) output(host, script string) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.sides[host]
	if s == nil {
		return "", fmt.Errorf("no side at %s", host)
	}
	key := host + "\n" + script
	out, known := g.answers[key]
	if !known {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, "bash", "--norc", "--noprofile", "-s")
		cmd.Stdin = strings.NewReader(strings.ReplaceAll(script, "/etc/kubernetes", s.dir))
		text, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("a script of %d bytes: %w", len(script), err)
		}
		out = string(text)
		g.answers[key] = out
	}
	if rest, ok := strings.CutPrefix(out, "now "); ok {
		_, rest, _ = strings.Cut(rest, "\n")
		now := time.Now()
		out = fmt.Sprintf("now %d.%09d\n%s", now.Unix(), now.Nanosecond(), rest)
	}
	return out, nil
}
