package balancer

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
)

const vip = "198.18.0.10"

const head = "global\n\tstats socket /run/x mode 660\n\ndefaults\n\tmode http\n\ttimeout client 1h\n\n"

func TestForwardsReadsWhatPeopleWrite(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []Forward
	}{
		"listen in the defaults' mode": {head + "listen a\n bind 198.18.0.10:443\n server x 10.0.0.1:443 check\n",
			[]Forward{{443, "http", []string{"10.0.0.1:443"}}}},
		"own mode, quoted words, comments": {head + "listen a # etcd\n  bind \"198.18.0.10:2379\"\n  mode tcp # plain\n  server x 10.0.0.2:2379\n  server y 10.0.0.1:2379\n",
			[]Forward{{2379, "tcp", []string{"10.0.0.1:2379", "10.0.0.2:2379"}}}},
		"frontend and backend": {head + "frontend f\n bind *:6443\n mode tcp\n default_backend b\n\nbackend b\n mode tcp\n server x 10.0.0.1:6443\n",
			[]Forward{{6443, "tcp", []string{"10.0.0.1:6443"}}}},
		"modes that differ": {head + "frontend f\n bind :6443\n mode tcp\n default_backend b\nbackend b\n server x 10.0.0.1:6443\n",
			[]Forward{{6443, "mixed", []string{"10.0.0.1:6443"}}}},
		"a list of addresses, servers without a port": {"listen a\n bind 198.18.0.10:80,198.18.0.10:443\n server x 10.0.0.1\n",
			[]Forward{{80, "tcp", []string{"10.0.0.1:80"}}, {443, "tcp", []string{"10.0.0.1:443"}}}},
		"TLS ended":                  {"listen a\n bind :2379 ssl crt /x.pem\n server x 10.0.0.1:2379\n", []Forward{{2379, "tls", []string{"10.0.0.1:2379"}}}},
		"TLS begun":                  {"listen a\n bind :2379\n server x 10.0.0.1:2379 check ssl verify none\n", []Forward{{2379, "tls", []string{"10.0.0.1:2379"}}}},
		"a header before the bytes":  {"listen a\n bind :2379\n server x 10.0.0.1:2379 send-proxy-v2\n", []Forward{{2379, "proxy", []string{"10.0.0.1:2379"}}}},
		"a backend chosen by a rule": {"frontend a\n bind :2379\n use_backend %[req.ssl_sni,lower]\n", []Forward{{2379, "mixed", []string{}}}},
		"named defaults": {"defaults t\n mode tcp\ndefaults h\n mode http\nlisten a from t\n bind :2379\n server x 10.0.0.1:2379\n",
			[]Forward{{2379, "tcp", []string{"10.0.0.1:2379"}}}},
		"IPv6 servers":          {"listen a\n bind :2379\n server x [fd00::1]:2379\n", []Forward{{2379, "tcp", []string{"[fd00::1]:2379"}}}},
		"another address":       {"listen a\n bind 198.18.0.99:2379\n server x 10.0.0.1:2379\n", []Forward{}},
		"a socket, not a port":  {"listen a\n bind unix@/run/x.sock\n server x 10.0.0.1:2379\n", []Forward{}},
		"a backend by itself":   {"backend b\n server x 10.0.0.1:2379\n", []Forward{}},
		"commented out":         {"#listen a\n# bind :2379\n", []Forward{}},
		"an unknown section":    {"listen a\n bind :1\n server x 10.0.0.1:1\nresolvers r\n nameserver n 10.0.0.9:53\n", []Forward{{1, "tcp", []string{"10.0.0.1:1"}}}},
		"nothing at all":        {"", []Forward{}},
		"two sections, one way": {"listen a\n bind :1\n server x 10.0.0.1:1\nlisten b\n bind 198.18.0.10:1\n server x 10.0.0.2:1\n", []Forward{{1, "tcp", []string{"10.0.0.1:1", "10.0.0.2:1"}}}},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, forwards(parse(c.text), vip)) })
	}
}

var etcd = Forward{Port: 2379, Mode: TCP, Backends: []string{"10.0.0.1:2379", "10.0.0.2:2379"}}

func TestOpenAndCloseGiveTheSameFileBack(t *testing.T) {
	for _, before := range []string{
		head + "listen a\n\tbind 198.18.0.10:443\n\tmode tcp\n\tserver x 10.0.0.1:443\n",
		"# nothing yet\n",
	} {
		open, err := withForward(before, vip, etcd, "open", "lb")
		require.NoError(t, err)
		require.Equal(t, []Forward{etcd}, forwardsOf(open, vip, 2379))
		require.Contains(t, open, "\n# acpflow: begin 2379\n")
		require.Contains(t, open, "\tbind 198.18.0.10:2379\n")
		require.True(t, strings.HasSuffix(open, "# acpflow: end 2379\n"))
		again, err := withForward(open, vip, etcd, "open", "lb")
		require.NoError(t, err)
		require.Equal(t, open, again, "opening twice is opening once")

		moved := etcd
		moved.Backends = []string{"10.0.0.3:2379"}
		other, err := withForward(open, vip, moved, "open", "lb")
		require.NoError(t, err, "our own section follows the control planes")
		require.Equal(t, []Forward{moved}, forwardsOf(other, vip, 2379))

		closed, err := withoutForward(open, vip, 2379, "close", "lb")
		require.NoError(t, err)
		require.Equal(t, before, closed)
	}
}

func TestOpenLeavesAloneWhatOthersWrote(t *testing.T) {
	right := head + "listen theirs\n bind 198.18.0.10:2379\n mode tcp\n server x 10.0.0.2:2379 check\n server y 10.0.0.1:2379 check\n"
	same, err := withForward(right, vip, etcd, "open", "lb")
	require.NoError(t, err)
	require.Equal(t, right, same)

	for name, c := range map[string]struct{ text, says string }{
		"http":           {strings.Replace(right, " mode tcp\n", "", 1), "it is in mode http, and 2379 must be plain TCP"},
		"other backends": {strings.Replace(right, "10.0.0.2", "10.9.9.9", 1), "it leads to 10.0.0.1:2379 10.9.9.9:2379, wanted is 10.0.0.1:2379 10.0.0.2:2379"},
		"TLS":            {strings.Replace(right, ":2379\n", ":2379 ssl crt /x\n", 1), "it is in mode tls"},
		"a range":        {"listen a\n bind :2000-3000\n server x 10.0.0.1\n", "binds the range :2000-3000"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := withForward(c.text, vip, etcd, "open", "lb")
			require.ErrorContains(t, err, c.says)
			require.Equal(t, fault.Gate, fault.ClassOf(err))
		})
	}
}

func TestOpenBindsLikeItsNeighbours(t *testing.T) {
	open, err := withForward("listen a\n bind *:443\n server x 10.0.0.1:443\nlisten stats\n mode http\n bind 127.0.0.1:9\n", vip, etcd, "open", "lb")
	require.NoError(t, err)
	require.Contains(t, open, "\tbind *:2379\n")
	open, err = withForward("listen a\n bind *:443\n server x 10.0.0.1:443\nlisten b\n bind 198.18.0.10:80\n server x 10.0.0.1:80\n", vip, etcd, "open", "lb")
	require.NoError(t, err)
	require.Contains(t, open, "\tbind 198.18.0.10:2379\n")
	open, err = withForward("", "fd00::10", etcd, "open", "lb")
	require.NoError(t, err)
	require.Contains(t, open, "\tbind [fd00::10]:2379\n")
}

func TestCloseTakesOnlyThePort(t *testing.T) {
	for name, c := range map[string]struct{ before, after string }{
		"a whole section, comments of the next one stay": {
			"listen a\n bind :443\n server x 10.0.0.1:443\n\nlisten etcd\n bind 198.18.0.10:2379\n mode tcp\n server x 10.0.0.1:2379\n\n# the API\nlisten c\n bind :6443\n server x 10.0.0.1:6443\n",
			"listen a\n bind :443\n server x 10.0.0.1:443\n\n# the API\nlisten c\n bind :6443\n server x 10.0.0.1:6443\n"},
		"one line of several": {
			"listen a\n bind :443\n bind :2379\n server x 10.0.0.1\n", "listen a\n bind :443\n server x 10.0.0.1\n"},
		"one address of a line": {
			"listen a\n bind :443,:2379 name x\n server x 10.0.0.1\n", "listen a\n bind :443 name x\n server x 10.0.0.1\n"},
		"a frontend, not its backend": {
			"frontend f\n bind :2379\n default_backend b\nbackend b\n server x 10.0.0.1:2379\n", "backend b\n server x 10.0.0.1:2379\n"},
		"of the VIP only": {
			"listen a\n bind 198.18.0.99:2379\n server x 10.0.0.1:2379\n", "listen a\n bind 198.18.0.99:2379\n server x 10.0.0.1:2379\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := withoutForward(c.before, vip, 2379, "close", "lb")
			require.NoError(t, err)
			require.Equal(t, c.after, got)
			require.Empty(t, forwardsOf(got, vip, 2379))
		})
	}
	_, err := withoutForward("listen a\n bind :2000-3000\n server x 10.0.0.1\n", vip, 2379, "close", "lb")
	require.Equal(t, fault.Gate, fault.ClassOf(err))
}
