package checks

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// address gives the node an address, in the site document and on eth0.
func address(a string) func(*Input) {
	return func(in *Input) { in.Site.Clusters[0].Nodes[0].Address = a }
}

func address6(a string) func(*Input) {
	return func(in *Input) { in.Site.Clusters[0].Nodes[0].AddressIPv6 = a }
}

// also adds addresses to the node's.
func also(lines ...string) said {
	return said{"addresses": rhel86()["addresses"] + strings.Join(lines, "\n") + "\n"}
}

var _ = cases("CHK-15", func() []ruleCase {
	out := []ruleCase{
		{"on an interface", nil, nil, Pass, "192.0.2.11 on eth0"},
		{"both families", nil, address6("2001:db8::11"), Pass, "2001:db8::11 on eth0"},
		{"a translated address", nil, address("203.0.113.5"), Warn, "on no interface of the node: 203.0.113.5"},
		{"the last of its network", also("3: eth1    inet 198.51.100.7/29 brd 198.51.100.7 scope global eth1"), address("198.51.100.7"), Fail, "broadcast address of 198.51.100.0/29"},
		{"one of two", also("3: eth1    inet 198.51.100.7/31 scope global eth1"), address("198.51.100.7"), Pass, ""},
		{"the last of all", also("3: eth1    inet 255.255.255.254/8 scope global eth1"), address("255.255.255.254"), Pass, ""},
		{"no address", nil, address(""), Fail, "no address"},
		{"a name", nil, address("cp-1.example.com"), Fail, "is no address"},
		{"an older ip", said{"addresses": "1: lo: <LOOPBACK,UP> mtu 65536 qdisc noqueue state UNKNOWN \n2: eth0    inet 192.0.2.11/24 brd 192.0.2.255 scope global eth0\n"}, nil, Pass, ""},
		{"nothing told", said{"addresses": ""}, nil, Error, "names none"},
		{"not understood", also("3: eth1    inet somewhere"), nil, Error, "somewhere"},
		{"unknown", said{"addresses": "!127"}, nil, Error, "addresses"},
	}
	for a, kind := range map[string]string{
		"127.0.0.1": "a loopback", "::1": "a loopback", "224.0.0.5": "a multicast", "ff02::1": "a multicast", "169.254.1.1": "a link-local",
		"fe80::1": "a link-local", "0.0.0.0": "the empty", "::": "the empty", "255.255.255.255": "the broadcast",
	} {
		out = append(out, ruleCase{a, nil, address(a), Fail, kind})
	}
	return out
}())

// edges are the addresses around a profile's ranges, and whether they are in.
var edges = map[string]map[string]bool{
	seed:  {"172.15.255.255": false, "172.16.0.0": true, "172.31.255.255": true, "172.32.0.0": true, "172.32.255.255": true, "172.33.0.0": false},
	acp41: {"172.15.255.255": false, "172.16.0.0": true, "172.31.255.255": true, "172.32.0.0": true, "172.32.255.255": true, "172.33.0.0": false},
	acp42: {"172.16.255.255": false, "172.17.0.0": true, "172.17.255.255": true, "172.18.0.0": true, "172.18.255.255": true, "172.19.0.0": false},
}

var (
	_ = cases("NET-10", func() []ruleCase {
		out := []ruleCase{{"no address", nil, address(""), Error, "gives no address"}}
		for p, list := range edges {
			for a, in := range list {
				want := Pass
				if in {
					want = Fail
				}
				out = append(out, ruleCase{p + a, nil, all(profile(p), address(a)), want, a})
			}
		}
		return out
	}())
	_ = cases("CHK-19", func() []ruleCase {
		vip := func(a string) func(*Input) {
			return func(in *Input) { in.Site.Clusters[0].Endpoint.VIP = a }
		}
		external := func(a string) func(*Input) {
			return func(in *Input) { in.Site.Clusters[0].ExternalIP = a }
		}
		routes := func(lines string) said { return said{"route4": rhel86()["route4"] + lines} }
		out := []ruleCase{
			{"none", nil, nil, Pass, "none"},
			{"a bridge", also("5: docker0    inet 172.17.0.1/16 scope global docker0"), nil, Fail, "172.17.0.1 on docker0"},
			{"a route", routes("172.20.0.0/16 via 192.0.2.1 dev eth0\n"), nil, Fail, "route to 172.20.0.0/16"},
			{"a route to one", routes("172.20.0.9 via 192.0.2.1 dev eth0\n"), nil, Fail, "route to 172.20.0.9/32"},
			{"a wider route", routes("172.0.0.0/8 via 192.0.2.1 dev eth0\n"), nil, Fail, "route to 172.0.0.0/8"},
			{"a default route in parts", routes("128.0.0.0/1 via 192.0.2.1 dev eth0\n"), nil, Pass, ""},
			{"a bridge and its route are one", with(also("5: docker0    inet 172.17.0.1/16 scope global docker0"), routes("172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1\n")), nil, Fail, "172.17.0.1 on docker0"},
			{"the node's own network is another rule's", with(said{"addresses": "2: eth0    inet 172.20.0.11/24 scope global eth0\n"}, routes("172.20.0.0/24 dev eth0 proto kernel scope link src 172.20.0.11\n")), address("172.20.0.11"), Pass, ""},
			{"a time server", said{"time-peers": "server 172.20.0.1 iburst\n"}, nil, Fail, "time server 172.20.0.1"},
			{"a time server of timesyncd", said{"time-peers": "NTP=192.0.2.1 172.20.0.1\n"}, nil, Fail, "time server 172.20.0.1"},
			{"no time servers", said{"time-peers": "!66"}, nil, Pass, ""},
			{"the VIP", nil, vip("172.20.0.1"), Fail, "load balancer 172.20.0.1"},
			{"the external address", nil, external("172.20.0.1"), Fail, "load balancer 172.20.0.1"},
			{"the VIP is told once", nil, all(vip("172.20.0.1"), onNode("cp-2")), Pass, ""},
			{"many", also("5: a    inet 172.17.0.1/16", "6: b    inet 172.18.0.1/16"), nil, Fail, "172.17.0.1 on a, 172.18.0.1 on b"},
			{"addresses unknown", said{"addresses": "!1"}, nil, Error, "addresses"},
			{"routes unknown", said{"route4": "!1"}, nil, Error, "route4"},
			{"time servers unknown", said{"time-peers": "!2"}, nil, Error, "time-peers"},
		}
		for p, list := range edges {
			for a, in := range list {
				want := Pass
				if in {
					want = Fail
				}
				out = append(out, ruleCase{p + a, also(fmt.Sprintf("5: br0    inet %s/32 scope global br0", a)), profile(p), want, ""})
			}
		}
		return out
	}())
)

func TestBridgeIsToldOnce(t *testing.T) {
	s := rhel86().with(also("5: docker0    inet 172.17.0.1/16 scope global docker0"))
	s["route4"] += "172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1\n"
	assert.Equal(t, "172.17.0.1 on docker0", judged(t, "CHK-19", s).Seen)
}
