package site

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

var pairCases = []ruleCase{
	{rule: "DR-20", name: "no way to move the name", pair: true, severity: SeverityWarning, path: "dr", says: "manual",
		bad: func(s *Site) { s.DR.DNS = nil }, good: func(s *Site) { s.DR.DNS.Driver, s.DR.DNS.RFC2136 = DNSManual, nil }},
	{rule: "DR-20", name: "driver without its settings", pair: true, severity: SeverityError, path: "dr.dns", says: "rfc2136",
		bad: func(s *Site) { s.DR.DNS.RFC2136 = nil }},
	{rule: "DR-20", name: "settings of another driver", pair: true, severity: SeverityError, path: "dr.dns.rfc2136", says: "no use",
		bad: func(s *Site) { s.DR.DNS.Driver = DNSManual }},
	{rule: "DR-20", name: "a zone that does not hold the name", pair: true, severity: SeverityError, path: "dr.dns.zone", says: "acp.example.com",
		bad: func(s *Site) { s.DR.DNS.Zone = "example.org" }, good: func(s *Site) { s.DR.DNS.Zone = "example.com" }},
	{rule: "DR-20", name: "time to live", pair: true, severity: SeverityError, path: "dr.dns.ttl", says: "cache",
		bad: func(s *Site) { s.DR.DNS.TTL = 86400 }, good: func(s *Site) { s.DR.DNS.TTL = 5 }},
	{rule: "DR-20", name: "name server", pair: true, severity: SeverityError, path: "dr.dns.authoritative[1]", says: "name server",
		bad:  func(s *Site) { s.DR.DNS.Authoritative[1] = "tcp://198.51.100.53" },
		good: func(s *Site) { s.DR.DNS.Authoritative[1] = "[2001:db8::53]:5353" }},
	{rule: "DR-20", name: "port of a name server", pair: true, severity: SeverityError, path: "dr.dns.resolvers[0]", says: "port",
		bad: func(s *Site) { s.DR.DNS.Resolvers[0] = "dns.example.com:0" }, good: func(s *Site) { s.DR.DNS.Resolvers[0] = "dns.example.com:5353" }},
	{rule: "DR-20", name: "server for updates", pair: true, severity: SeverityError, path: "dr.dns.rfc2136.server", says: "name server",
		bad: func(s *Site) { s.DR.DNS.RFC2136.Server = "a b" }, good: func(s *Site) { s.DR.DNS.RFC2136.Server = "192.0.2.53:53" }},
	{rule: "DR-20", name: "webhook", pair: true, severity: SeverityError, path: "dr.dns.externalDNS.url", says: "not shown",
		bad:  func(s *Site) { externalDNS(s, "http://admin:pw@127.0.0.1:8888") },
		good: func(s *Site) { externalDNS(s, "http://127.0.0.1:8888") }},
	{rule: "DR-20", name: "program", pair: true, severity: SeverityError, path: "dr.dns.exec.command[0]", says: "absolute",
		bad: func(s *Site) { execDNS(s, Exec{Command: []string{"move-name"}}) }, good: func(s *Site) { execDNS(s, Exec{Command: []string{"/opt/move-name"}}) }},
	{rule: "DR-20", name: "variable of a program", pair: true, severity: SeverityError, path: "dr.dns.exec.environment[0].name", says: "variable",
		bad: func(s *Site) {
			execDNS(s, Exec{Command: []string{"/opt/x"}, Environment: []Variable{{Name: "A=B", Value: "env:TOKEN"}}})
		}},
	{rule: "DR-20", name: "patience with a program", pair: true, severity: SeverityError, path: "dr.dns.exec.timeout", says: "duration",
		bad: func(s *Site) { execDNS(s, Exec{Command: []string{"/opt/x"}, Timeout: "60"}) }},
	{rule: "DR-30", name: "driver without its settings", pair: true, severity: SeverityError, path: "clusters[0].balancer", says: "haproxy",
		bad:  func(s *Site) { s.Clusters[0].Balancer.HAProxy = nil },
		good: func(s *Site) { s.Clusters[0].Balancer = &Balancer{Driver: BalancerManual} }},
	{rule: "DR-30", name: "configuration file", pair: true, severity: SeverityError, path: "clusters[1].balancer.haproxy.config", says: "absolute",
		bad: func(s *Site) { s.Clusters[1].Balancer.HAProxy.Config = "haproxy.cfg" }},
	{rule: "DR-30", name: "machine", pair: true, severity: SeverityError, path: "clusters[0].balancer.haproxy.hosts[0].address", says: "host name",
		bad: func(s *Site) { s.Clusters[0].Balancer.HAProxy.Hosts[0].Address = "192.0.2.9:22" }},
	{rule: "DR-30", name: "host key", pair: true, severity: SeverityError, path: "clusters[0].balancer.haproxy.hosts[0].hostKey", says: "unseen",
		bad: func(s *Site) { s.Clusters[0].SSH.KnownHosts = "" }},
	{rule: "DR-30", name: "login", pair: true, severity: SeverityError, path: "clusters[0].balancer.haproxy.ssh.port", says: "port",
		bad: func(s *Site) { s.Clusters[0].Balancer.HAProxy.SSH = &SSH{Password: "env:PW", KnownHosts: "/k"} },
		good: func(s *Site) {
			s.Clusters[0].Balancer.HAProxy.SSH = &SSH{Password: "env:PW", KnownHosts: "/k", Port: 22}
		}},
	{rule: "DR-33", name: "interval", pair: true, severity: SeverityError, path: "dr.sync.checkEvery", says: "10s",
		bad: func(s *Site) { s.DR.Sync.CheckEvery = "1s" }, good: func(s *Site) { s.DR.Sync.CheckEvery = "10s" }},
	{rule: "DR-33", name: "lag", pair: true, severity: SeverityError, path: "dr.sync.maxLag", says: "duration",
		bad: func(s *Site) { s.DR.Sync.MaxLag = "soon" }},
	{rule: "DR-33", name: "repairs", pair: true, severity: SeverityError, path: "dr.sync.repairs", says: "person",
		bad: func(s *Site) { s.DR.Sync.Repairs = new(9) }, good: func(s *Site) { s.DR.Sync.Repairs = new(0) }},
	{rule: "DR-33", name: "canary that never arrives", pair: true, severity: SeverityError, path: "dr.sync.canary.namespace", says: "never synchronised",
		bad: func(s *Site) { s.DR.Sync.Canary.Namespace = "default" }},
	{rule: "DR-33", name: "leaving out all", pair: true, severity: SeverityError, path: "dr.sync.ignore[0].prefix", says: "too much",
		bad: func(s *Site) { s.DR.Sync.Ignore = []Ignored{{Prefix: "/registry/", Reason: "noise"}} },
		good: func(s *Site) {
			s.DR.Sync.Ignore = []Ignored{{Prefix: "/registry/example.com/caches/", Reason: "noise"}}
		}},
}

func externalDNS(s *Site, url string) {
	s.DR.DNS.Driver, s.DR.DNS.RFC2136, s.DR.DNS.ExternalDNS = DNSExternal, nil, &ExternalDNS{URL: url}
}

func execDNS(s *Site, e Exec) {
	s.DR.DNS.Driver, s.DR.DNS.RFC2136, s.DR.DNS.Exec = DNSExec, nil, &e
}

func TestPairDefaults(t *testing.T) {
	s := parsedExample(t, true)
	Default(s)
	assert.Equal(t, "example.com", s.DR.DNS.Zone)
	assert.Equal(t, "192.0.2.53", s.DR.DNS.RFC2136.Server)
	assert.Equal(t, "hmac-sha256", s.DR.DNS.RFC2136.Algorithm)
	assert.Equal(t, "/etc/haproxy/haproxy.cfg", s.Clusters[0].Balancer.HAProxy.Config)
	assert.Equal(t, 5*time.Minute, s.DR.Sync.Interval())
	assert.Equal(t, 30*time.Second, s.DR.Sync.Lag())
	assert.Equal(t, 2, s.DR.Sync.MaxRepairs())
	other, ok := s.Partner("west")
	assert.True(t, ok)
	assert.Equal(t, "east", other.Name)
	assert.Equal(t, s.Clusters[0].SSH, s.Clusters[0].BalancerSSH())
}
