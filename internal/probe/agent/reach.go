package main

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/acpflow/acpflow/internal/probe/wire"
)

// parallelTries bounds the connections that one agent opens at a time.
const parallelTries = 128

// dialTCP connects; its sockets leave no TIME_WAIT behind on either side.
func dialTCP(address string, port int, patience time.Duration) (net.Conn, error) {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(address, strconv.Itoa(port)), patience)
	if err != nil {
		return nil, err
	}
	_ = conn.(*net.TCPConn).SetLinger(0) // else it would be the old way
	return conn, nil
}

// attempt is one port of one target.
type attempt struct {
	target  int
	network string
	port    int
	cause   string // "" = reached
}

// reach tries every port of every target.
func (a *agent) reach(order wire.Reach) []wire.Seen {
	patience := time.Duration(order.Millis) * time.Millisecond
	var attempts []attempt
	var addresses []string
	for i, t := range order.Targets {
		addresses = append(addresses, t.Address)
		for _, p := range t.TCP {
			attempts = append(attempts, attempt{i, "tcp", p, ""})
		}
		for _, p := range t.UDP {
			attempts = append(attempts, attempt{i, "udp", p, ""})
		}
		if t.IPIP {
			attempts = append(attempts, attempt{i, "proto", protoIPIP, ""})
		}
	}
	var alive map[string]bool
	var all sync.WaitGroup
	all.Go(func() { alive = ping(addresses, patience) })
	slots := make(chan struct{}, parallelTries)
	for i := range attempts {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			at := &attempts[i]
			at.cause = a.try(order.Targets[at.target], *at, patience)
		})
	}
	all.Wait()
	seen := make([]wire.Seen, len(order.Targets))
	for _, at := range attempts {
		s := &seen[at.target]
		switch {
		case at.cause != "":
			s.Faults = append(s.Faults, wire.Fault{Network: at.network, Port: at.port, Cause: at.cause})
		case at.network == "tcp":
			s.Reached = append(s.Reached, at.port)
		default:
			s.Others++
		}
	}
	for i, t := range order.Targets {
		seen[i].Ping = alive[t.Address]
	}
	return seen
}

// try returns why a port was not reached, "" when it was.
func (a *agent) try(t wire.Target, at attempt, patience time.Duration) string {
	var peer wire.Peer
	var err error
	switch at.network {
	case "tcp":
		dial := func() (net.Conn, error) { return dialTCP(t.Address, at.port, patience) }
		peer, err = wire.Try(dial, a.me.Token, nil, patience)
	case "udp":
		peer, err = a.ask("udp", net.JoinHostPort(t.Address, strconv.Itoa(at.port)), patience, plain)
	default:
		peer, err = a.ask("ip4:4", t.Address, patience, tunnelled)
	}
	switch {
	case err != nil:
		return wire.Cause(err)
	case peer.Node != t.Node:
		return "answered by node " + peer.Node
	case peer.Port != at.port:
		return fmt.Sprintf("answered by port %d", peer.Port)
	}
	return ""
}

// coding is how a text travels in a packet.
type coding struct {
	pack   func(from, to netip.Addr, text string) []byte
	unpack func([]byte) string
}

var (
	plain     = coding{func(_, _ netip.Addr, text string) []byte { return []byte(text) }, func(p []byte) string { return string(p) }}
	tunnelled = coding{wrap, unwrap}
)

// ask greets by packets, which may get lost. Packets that are no answer are
// passed over: raw sockets hear everything of their protocol.
func (a *agent) ask(network, address string, patience time.Duration, c coding) (wire.Peer, error) {
	conn, err := net.DialTimeout(network, address, patience)
	if err != nil {
		return wire.Peer{}, err
	}
	defer conn.Close()
	from, to := addrOf(conn.LocalAddr()), addrOf(conn.RemoteAddr())
	buf := make([]byte, 2048)
	var last error
	for range tries {
		question, check := wire.Question(a.me.Token, wire.ModeEcho)
		if _, err := conn.Write(c.pack(from, to, question)); err != nil {
			last = err
			time.Sleep(patience / tries / 2)
			continue
		}
		_ = conn.SetReadDeadline(time.Now().Add(patience / tries)) // sockets have deadlines
		for {
			n, _, err := conn.(net.PacketConn).ReadFrom(buf) // Read would leave the IP header in
			if err != nil {
				last = err
				break
			}
			if peer, err := check(c.unpack(buf[:n])); err == nil {
				return peer, nil
			}
		}
	}
	return wire.Peer{}, last
}

func addrOf(a net.Addr) netip.Addr {
	if at, err := netip.ParseAddrPort(a.String()); err == nil {
		return at.Addr().Unmap()
	}
	addr, _ := netip.ParseAddr(a.String()) // an IPAddr is a plain address
	return addr
}

// Bounds of measuring one target.
const (
	measureTime = 500 * time.Millisecond
	leastRounds = 3
)

// measure times round trips, one target after the other: they must not wait
// for one another.
func (a *agent) measure(order wire.Measure) []wire.Seen {
	seen := make([]wire.Seen, len(order.Targets))
	for i, t := range order.Targets {
		rtt, err := a.roundTrips(t, order.Rounds)
		if err != nil {
			seen[i].Faults = []wire.Fault{{Network: "tcp", Port: t.TCP[0], Cause: wire.Cause(err)}}
			continue
		}
		seen[i].RTT = float64(rtt.Microseconds()) / 1000
	}
	return seen
}

func (a *agent) roundTrips(t wire.Target, rounds int) (time.Duration, error) {
	conn, r, err := a.open(t, wire.ModeEcho, 3*time.Second)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	var times []time.Duration
	buf := make([]byte, 16)
	for begin := time.Now(); len(times) < rounds && (time.Since(begin) < measureTime || len(times) < leastRounds); {
		start := time.Now()
		if _, err := conn.Write(buf); err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(r, buf); err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
	}
	slices.SortFunc(times, cmp.Compare)
	return times[len(times)/2], nil
}

func (a *agent) open(t wire.Target, mode string, patience time.Duration) (net.Conn, *bufio.Reader, error) {
	conn, err := dialTCP(t.Address, t.TCP[0], patience)
	if err != nil {
		return nil, nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(patience)) // TCP has deadlines
	peer, r, err := wire.Greet(conn, a.me.Token, mode)
	if err == nil && peer.Node != t.Node {
		err = fmt.Errorf("answered by node %s", peer.Node)
	}
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, r, nil
}

// send fills one connection for a moment and asks the receiver what came.
func (a *agent) send(order wire.Send) (wire.Sent, error) {
	conn, r, err := a.open(order.Target, wire.ModeSink, 5*time.Second)
	if err != nil {
		return wire.Sent{}, err
	}
	defer conn.Close()
	end := time.Now().Add(time.Duration(order.Millis) * time.Millisecond)
	_ = conn.SetWriteDeadline(end) // TCP has deadlines
	buf := make([]byte, 128<<10)
	for left := order.Bytes; left > 0; {
		n, err := conn.Write(buf[:min(left, int64(len(buf)))])
		left -= int64(n)
		if err != nil { // time is up, or the other side went away, which the answer tells
			break
		}
	}
	_ = conn.(*net.TCPConn).CloseWrite() // as above
	line, err := wire.ReadLine(r)
	if err != nil {
		return wire.Sent{}, fmt.Errorf("bulk data gets lost: %s", wire.Cause(err))
	}
	var sent wire.Sent
	if _, err := fmt.Sscan(strings.TrimSpace(line), &sent.Bytes, &sent.Micros); err != nil {
		return wire.Sent{}, err
	}
	return sent, nil
}
