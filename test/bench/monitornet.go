package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/miekg/dns"
)

const monitorDomain = "acp.example.com"

// surroundings are what lies around the sides: a name server, the platform's
// page at both VIPs, and the synchronizer's check.
type surroundings struct {
	dns     *dns.Server
	servers []*http.Server
	check   string // host:port
}

// surround listens on the network's addresses; the name leads to the first VIP.
func surround(nameServer string, vips []string, pages tls.Certificate) (*surroundings, error) {
	s := &surroundings{}
	packets, err := net.ListenPacket("udp4", net.JoinHostPort(nameServer, "53"))
	if err != nil {
		return nil, err
	}
	s.dns = &dns.Server{PacketConn: packets, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		answer := new(dns.Msg).SetReply(q)
		answer.Authoritative = true
		if q.Question[0].Qtype == dns.TypeA {
			answer.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 30}, A: net.ParseIP(vips[0])}}
		}
		_ = w.WriteMsg(answer) // the client asks again
	})}
	go func() { _ = s.dns.ActivateAndServe() }() // until it is shut down
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "<title>ACP</title>") })
	for _, vip := range vips {
		for _, port := range []int{80, 443, 11443} {
			if err := s.serve(net.JoinHostPort(vip, fmt.Sprint(port)), page, port != 80, pages); err != nil {
				return s, err
			}
		}
	}
	s.check = net.JoinHostPort(nameServer, "9180")
	return s, s.serve(s.check, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 0\n")
	}), false, pages)
}

func (s *surroundings) serve(address string, handler http.Handler, secure bool, pair tls.Certificate) error {
	l, err := net.Listen("tcp4", address)
	if err != nil {
		return err
	}
	if secure {
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12})
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, ErrorLog: log.New(io.Discard, "", 0)} // probes of its port end in the middle of a handshake
	s.servers = append(s.servers, server)
	go func() { _ = server.Serve(l) }() // until it is closed
	return nil
}

func (s *surroundings) close() {
	if s.dns != nil {
		_ = s.dns.Shutdown() // nothing waits for it
	}
	for _, server := range s.servers {
		_ = server.Close()
	}
}

// clientTLS is what the API server uses to reach etcd.
func clientTLS(pki string) (*tls.Config, error) {
	ca, err := os.ReadFile(filepath.Join(pki, "etcd/ca.crt"))
	if err != nil {
		return nil, err
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(pki, "apiserver-etcd-client.crt"), filepath.Join(pki, "apiserver-etcd-client.key"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, errors.New("etcd's authority is no certificate")
	}
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}
