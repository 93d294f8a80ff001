package activities

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

func reachOf(nodes ...string) reach {
	r := reach{targets: []reachTarget{
		{name: "west-m1", host: "192.0.2.11", port: 22, kind: "ssh"},
		{name: "west-m1", host: "192.0.2.11", port: 6443, kind: "api"},
		{name: "VIP", host: "192.0.2.10", port: 443, kind: "page", vip: true},
	}}
	for _, n := range nodes {
		r.vantages = append(r.vantages, Node{Name: n})
	}
	return r
}

func outcomes(words ...string) []outcome {
	out := make([]outcome, len(words))
	for i, w := range words {
		out[i].word = w
	}
	return out
}

func TestReachIsJudged(t *testing.T) {
	quiet := outcomes(silent, silent, silent)
	lostNode := fault.New(fault.Unreachable, "connect", "east-m2", "", errors.New("no route"))
	for name, c := range map[string]struct {
		results [][]outcome
		faults  []error
		answers []string
		from    []string
		fails   bool
	}{
		"nothing answers":                 {results: [][]outcome{quiet, quiet, quiet}, faults: make([]error, 3), from: []string{"the worker", "east-m1", "east-m2"}},
		"one node of the standby is away": {results: [][]outcome{quiet, quiet, nil}, faults: []error{nil, nil, lostNode}, from: []string{"the worker", "east-m1"}},
		"a balancer lives on":             {results: [][]outcome{outcomes(silent, silent, refuses), outcomes(silent, silent, hollow), quiet}, faults: make([]error, 3), from: []string{"the worker", "east-m1", "east-m2"}},
		"one sees what the worker does not": {results: [][]outcome{quiet, outcomes(silent, takes, silent), quiet}, faults: make([]error, 3),
			answers: []string{"west-m1 192.0.2.11:6443 takes connections, seen from east-m1"}},
		"a machine that refuses lives": {results: [][]outcome{outcomes(refuses, silent, silent), quiet, quiet}, faults: make([]error, 3),
			answers: []string{"west-m1 192.0.2.11:22 refuses connections, seen from the worker"}},
		"the page answers": {results: [][]outcome{outcomes(silent, silent, takes), quiet, quiet}, faults: make([]error, 3),
			answers: []string{"VIP 192.0.2.10:443 takes connections, seen from the worker"}},
		"an answer counts where the rest is blind": {results: [][]outcome{outcomes("", silent, takes), nil, nil}, faults: []error{nil, lostNode, lostNode},
			answers: []string{"VIP 192.0.2.10:443 takes connections, seen from the worker"}},
		"the worker alone":        {results: [][]outcome{quiet, nil, nil}, faults: []error{nil, lostNode, lostNode}, fails: true},
		"the nodes alone":         {results: [][]outcome{outcomes("", silent, silent), quiet, quiet}, faults: make([]error, 3), fails: true},
		"a probe without results": {results: [][]outcome{quiet, outcomes(silent, "", silent), outcomes("", silent, silent)}, faults: make([]error, 3), fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := reachOf("east-m1", "east-m2").judge(c.results, c.faults)
			if c.fails {
				assert.True(t, fault.Is(err, fault.Unreachable), "%v", err)
				return
			}
			require.NoError(t, err)
			assert.ElementsMatch(t, c.answers, out.Answers)
			if c.answers == nil {
				assert.Equal(t, c.from, out.From)
				assert.Equal(t, 3*len(c.from), out.Probes)
			}
		})
	}
}

func TestReachTargets(t *testing.T) {
	s, err := site.Parse("moscow.yaml", site.ExampleDR())
	require.NoError(t, err)
	var names []string
	for _, target := range reachTargets(s, &s.Clusters[0]) {
		names = append(names, target.String()+" "+target.kind)
	}
	assert.Contains(t, names, "west-m3 192.0.2.13:2379 etcd")
	assert.Contains(t, names, "west-w2 192.0.2.22:22 ssh")
	assert.Contains(t, names, "VIP 192.0.2.10:443 page")
	assert.Len(t, names, 3*3+2+3)
	s.Clusters[0].Endpoint.VIP = "192.0.2.11"
	assert.Len(t, reachTargets(s, &s.Clusters[0]), 3*3+2, "a VIP that is a node's address is asked as that node")
}

func TestSilenceIsWhatTheNetworkSays(t *testing.T) {
	assert.Equal(t, silent, errOutcome(&net.OpError{Err: syscall.EHOSTUNREACH}).word)
	assert.Equal(t, silent, errOutcome(context.DeadlineExceeded).word)
	assert.Equal(t, refuses, errOutcome(&net.OpError{Err: syscall.ECONNREFUSED}).word)
	for _, err := range []error{syscall.EMFILE, errors.New("what"), context.Canceled} {
		o := errOutcome(err)
		assert.False(t, o.clear(), "%v tells nothing", err)
		assert.False(t, o.answered(reachTarget{}))
	}
}

// TestProbeFromANode runs what runs on nodes against real ports.
func TestProbeFromANode(t *testing.T) {
	listen := func(serve func(net.Conn)) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		t.Cleanup(func() { l.Close() })
		go func() {
			for c, err := l.Accept(); err == nil; c, err = l.Accept() {
				go serve(c)
			}
		}()
		return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	}
	talks := listen(func(c net.Conn) { // as a TLS server that gets no TLS
		_, _ = c.Read(make([]byte, 100))
		fmt.Fprint(c, "\x15\x03\x01\x00\x02\x02\x46")
		c.Close()
	})
	hangsUp := listen(func(c net.Conn) { c.Close() })
	holds := listen(func(net.Conn) {})
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	refused := strconv.Itoa(nobody.Addr().(*net.TCPAddr).Port)
	nobody.Close()
	ask := []string{"127.0.0.1 " + talks + " vip", "127.0.0.1 " + hangsUp + " vip", "127.0.0.1 " + holds + " vip", "127.0.0.1 " + refused + " vip",
		"127.0.0.1 " + holds + " node", "127.0.0.1 " + refused + " node", "no.such.host.invalid 22 node"}
	cmd := exec.Command("bash", "-c", probeFrom)
	cmd.Stdin = strings.NewReader(strings.Join(ask, "\n") + "\n")
	text, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", text)
	got, err := readOutcomes(string(text), len(ask))
	require.NoError(t, err)
	var heard []string
	for _, o := range got {
		heard = append(heard, o.word)
	}
	assert.Equal(t, []string{takes, hollow, silent, refuses, takes, refuses, ""}, heard, "%s", text)
	assert.NotEmpty(t, got[6].why)

	_, err = readOutcomes("0 silent\n", 1)
	assert.True(t, fault.Is(err, fault.Protocol), "an answer that was cut off tells nothing")
}
