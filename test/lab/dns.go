package lab

import (
	"context"
	"fmt"
	"strings"

	"github.com/miekg/dns"
)

// TSIGName and TSIGAlgorithm name the key that may update the platform's zone
// (RFC 2136, RFC 8945).
const (
	TSIGName      = "acpflow-lab."
	TSIGAlgorithm = "hmac-sha256"
)

// recordTTL is the lifetime of the zone's address records in seconds: what a
// failover waits for in caches, so short.
const recordTTL = 5

const namedConf = `options {
	directory "/var/cache/bind";
	listen-on { %[1]s; };
	listen-on-v6 { none; };
	dnssec-validation no;
	recursion no;
	allow-query { any; };
	notify explicit;
	also-notify { %[6]s; };
};
key "%[2]s" { algorithm %[3]s; secret "%[4]s"; };
zone "%[5]s" {
	type primary;
	file "/var/lib/bind/%[5]s.zone";
	update-policy { grant %[2]s zonesub ANY; };
	allow-transfer { key "%[2]s"; };
};
`

// The secondary is a second authoritative server, which runs only when asked for.
const secondaryConf = `options {
	directory "/var/cache/bind";
	pid-file "/run/named/secondary.pid";
	session-keyfile "/run/named/secondary-session.key";
	listen-on { %[1]s; };
	listen-on-v6 { none; };
	transfer-source %[1]s;
	dnssec-validation no;
	recursion no;
	allow-query { any; };
	notify no;
};
controls { };
key "%[2]s" { algorithm %[3]s; secret "%[4]s"; };
zone "%[5]s" {
	type secondary;
	file "/var/lib/bind/%[5]s.secondary";
	primaries { %[6]s key "%[2]s"; };
};
`

const secondaryUnit = `[Unit]
Description=Second authoritative server of the lab
After=network.target named.service

[Service]
ExecStart=/usr/sbin/named -f -u bind -c /etc/bind/secondary.conf
Restart=on-failure

[Install]
WantedBy=multi-user.target
`

// The resolver has a root of its own that delegates the platform's zone and
// nothing else, so every other name fails at once instead of after a time-out.
const resolverConf = `options {
	directory "/var/cache/bind";
	pid-file "/run/named/resolver.pid";
	session-keyfile "/run/named/resolver-session.key";
	listen-on { %[1]s; };
	listen-on-v6 { none; };
	recursion yes;
	allow-query { any; };
	allow-recursion { any; };
	dnssec-validation no;
	notify no;
};
include "/etc/bind/resolver-rndc.key";
controls { inet 127.0.0.1 port 954 allow { 127.0.0.1; } keys { "resolver-rndc"; }; };
zone "." { type primary; file "/etc/bind/root.zone"; };
`

// seedDNS makes the node the platform's authoritative server and, on a second
// address, the caching resolver of all nodes.
func (n *Node) seedDNS(files map[string]seedFile, keys *keyring) {
	s := &n.lab.state
	key := strings.TrimSuffix(TSIGName, ".")
	rndcKey := fmt.Sprintf("key \"resolver-rndc\" { algorithm %s; secret \"%s\"; };\n", TSIGAlgorithm, keys.rndc)
	for name, f := range map[string]seedFile{
		"etc/bind/named.conf":                        {data: fmt.Sprintf(namedConf, n.Address, key, TSIGAlgorithm, keys.tsig, Zone, s.secondary()), mode: 0o640, owner: "bind"},
		"etc/bind/secondary.conf":                    {data: fmt.Sprintf(secondaryConf, s.secondary(), key, TSIGAlgorithm, keys.tsig, Zone, n.Address), mode: 0o640, owner: "bind"},
		"etc/systemd/system/named-secondary.service": {data: secondaryUnit, mode: 0o644},
		"var/lib/bind/" + Zone + ".zone":             {data: zoneFile(s), mode: 0o644, owner: "bind"},
		"etc/bind/resolver.conf":                     {data: fmt.Sprintf(resolverConf, s.resolver()), mode: 0o640, owner: "bind"},
		"etc/bind/root.zone": {data: fmt.Sprintf("$TTL 60\n@ SOA . . 1 60 60 60 60\n@ NS resolver.%[1]s.\n%[1]s. NS ns.%[1]s.\n"+
			"ns.%[1]s. A %[2]s\nresolver.%[1]s. A %[3]s\n", Zone, n.Address, s.resolver()), mode: 0o644},
		"etc/bind/resolver-rndc.key": {data: rndcKey, mode: 0o640, owner: "bind"},
		"etc/bind/resolver-rndc.conf": {data: rndcKey +
			"options { default-key \"resolver-rndc\"; default-server 127.0.0.1; default-port 954; };\n", mode: 0o640, owner: "bind"},
	} {
		files[name] = f
	}
	enable(files, "named.service", "/lib/systemd/system/named.service")
	enable(files, "named-resolver.service", "/etc/systemd/system/named-resolver.service")
}

// zoneFile is the platform's zone before anybody updates it: the platform at
// its first cluster, every cluster under a name of its own, every node.
func zoneFile(s *state) string {
	var b strings.Builder
	fmt.Fprintf(&b, "$ORIGIN %s.\n$TTL %d\n@ SOA ns hostmaster 1 3600 600 86400 %d\n@ NS ns\n", Zone, recordTTL, recordTTL)
	fmt.Fprintf(&b, "ns A %s\nresolver A %s\n", octet(s.Subnet, dnsOctet), s.resolver())
	fmt.Fprintf(&b, "acp A %s\n", s.Clusters[0].VIP)
	for _, c := range s.Clusters {
		fmt.Fprintf(&b, "%s A %s\n", c.Name, c.VIP)
	}
	for _, n := range s.Nodes {
		fmt.Fprintf(&b, "%s A %s\n", n.Name, n.Address)
	}
	return b.String()
}

func (s *state) resolver() string { return octet(s.Subnet, resolverOctet) }

func (s *state) secondary() string { return octet(s.Subnet, secondaryOctet) }

// probeDNS asks both servers for the platform's address: a server listens
// before it has loaded its zones.
func (l *Lab) probeDNS(ctx context.Context) error {
	d := l.Describe().DNS
	for _, server := range []string{d.Authoritative, d.Resolver} {
		question := new(dns.Msg).SetQuestion(dns.Fqdn(Domain), dns.TypeA)
		answer, err := dns.ExchangeContext(ctx, question, server)
		if err != nil {
			return err
		}
		if len(answer.Answer) == 0 {
			return fmt.Errorf("%s does not know %s: %s", server, Domain, dns.RcodeToString[answer.Rcode])
		}
	}
	return nil
}
