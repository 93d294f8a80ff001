package main

import (
	"crypto/rand"
	"encoding/binary"
	"net"
	"net/netip"
	"time"

	"github.com/acpflow/acpflow/internal/probe/wire"
)

// IP protocols.
const (
	protoIPIP         = 4
	protoExperimental = 253 // RFC 3692
)

const innerHeader = 20

// wrap puts a text into the IPv4 packet that an IP-in-IP tunnel would carry:
// firewalls may look inside.
func wrap(from, to netip.Addr, text string) []byte {
	p := make([]byte, innerHeader, innerHeader+len(text))
	p[0], p[8], p[9] = 0x45, 64, protoExperimental
	binary.BigEndian.PutUint16(p[2:], uint16(innerHeader+len(text)))
	src, dst := from.As4(), to.As4()
	copy(p[12:], src[:])
	copy(p[16:], dst[:])
	binary.BigEndian.PutUint16(p[10:], checksum(p))
	return append(p, text...)
}

func unwrap(p []byte) string {
	if len(p) < innerHeader || p[0] != 0x45 || p[9] != protoExperimental {
		return ""
	}
	return string(p[innerHeader:])
}

// checksum is the Internet's (RFC 1071).
func checksum(p []byte) uint16 {
	var sum uint32
	for ; len(p) > 1; p = p[2:] {
		sum += uint32(p[0])<<8 | uint32(p[1])
	}
	if len(p) == 1 {
		sum += uint32(p[0]) << 8
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

func (a *agent) listenIPIP() []wire.Fault {
	for _, address := range a.me.Addresses {
		own, err := netip.ParseAddr(address)
		if err != nil || !own.Is4() {
			continue
		}
		c, err := net.ListenPacket("ip4:4", address)
		if err != nil {
			return []wire.Fault{{Network: "proto", Port: protoIPIP, Cause: wire.Cause(err)}}
		}
		go a.answerIPIP(c, own)
	}
	return nil
}

func (a *agent) answerIPIP(c net.PacketConn, own netip.Addr) {
	receive(c, func(packet []byte, from net.Addr) {
		peer, err := netip.ParseAddr(from.String())
		if err != nil || !peer.Is4() {
			return
		}
		if answer, _, ok := wire.Reply(a.me.Token, unwrap(packet), wire.Peer{Node: a.me.Node, Port: protoIPIP}); ok {
			_, _ = c.WriteTo(wrap(own, peer, answer), from) // lost answers are asked for again
		}
	})
}

// How often a packet is sent before it counts as lost.
const tries = 3

// ping sends ICMP echoes to all addresses and reports who answered.
func ping(addresses []string, patience time.Duration) map[string]bool {
	alive := map[string]bool{}
	for _, family := range []struct {
		network string
		request byte
		v6      bool
	}{{"ip4:icmp", 8, false}, {"ip6:ipv6-icmp", 128, true}} {
		var mine []netip.Addr
		for _, s := range addresses {
			if a, err := netip.ParseAddr(s); err == nil && a.Is6() == family.v6 {
				mine = append(mine, a)
			}
		}
		if len(mine) == 0 {
			continue
		}
		c, err := net.ListenPacket(family.network, "")
		if err != nil {
			continue
		}
		pingAll(c, mine, family.request, patience, alive)
		_ = c.Close()
	}
	return alive
}

func pingAll(c net.PacketConn, to []netip.Addr, request byte, patience time.Duration, alive map[string]bool) {
	id := make([]byte, 2)
	_, _ = rand.Read(id) // never fails
	reply := byte(0)
	if request == 128 {
		reply = 129
	}
	buf := make([]byte, 1500)
	left := len(to)
	for range tries {
		for i, addr := range to {
			p := []byte{request, 0, 0, 0, id[0], id[1], byte(i >> 8), byte(i), 'a', 'c', 'p', 'f', 'l', 'o', 'w', '.'}
			if request == 8 { // the kernel does it for IPv6
				binary.BigEndian.PutUint16(p[2:], checksum(p))
			}
			_, _ = c.WriteTo(p, &net.IPAddr{IP: addr.AsSlice(), Zone: addr.Zone()}) // no answer will come
		}
		_ = c.SetReadDeadline(time.Now().Add(patience / tries))
		for left > 0 {
			n, from, err := c.ReadFrom(buf)
			if err != nil {
				break
			}
			if n < 8 || buf[0] != reply || buf[4] != id[0] || buf[5] != id[1] {
				continue
			}
			i := int(buf[6])<<8 | int(buf[7])
			if i < len(to) && from.String() == to[i].String() && !alive[to[i].String()] {
				alive[to[i].String()] = true
				left--
			}
		}
		if left == 0 {
			return
		}
	}
}
