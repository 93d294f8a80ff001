package activities

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestRightAnswers(t *testing.T) {
	want := []string{"192.0.2.10", "2001:db8::10"}
	assert.True(t, rightAnswer([]string{"192.0.2.10"}, want), "the machine may not use the other family")
	assert.True(t, rightAnswer([]string{"2001:db8:0::10", "192.0.2.10"}, want))
	for _, answers := range [][]string{nil, {"2001:db8::10"}, {"198.51.100.10"}, {"192.0.2.10", "198.51.100.10"}, {"192.0.2.10", "?"}} {
		assert.False(t, rightAnswer(answers, want), "%v", answers)
	}
}

func TestNodesSay(t *testing.T) {
	assert.Equal(t, []string{"192.0.2.10", "2001:db8::10"}, getentAddresses("192.0.2.10      STREAM acp.example.com\n192.0.2.10      DGRAM  \n192.0.2.10      RAW    \n2001:db8::10    STREAM \n"))
	assert.Empty(t, getentAddresses("\n"))
}

func TestNslookupSays(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"BIND": {"Server:\t\t10.4.0.10\nAddress:\t10.4.0.10#53\n\nName:\tacp.example.com\nAddress: 192.0.2.10\nName:\tacp.example.com\nAddress: 2001:db8::10\n\n",
			[]string{"192.0.2.10", "2001:db8::10"}},
		"busybox":            {"Server:\t\t10.4.0.10\nAddress:\t10.4.0.10:53\n\nNon-authoritative answer:\nName:\tacp.example.com\nAddress: 192.0.2.10\n\n*** Can't find acp.example.com: No answer\n", []string{"192.0.2.10"}},
		"old busybox":        {"Server:    10.4.0.10\nAddress 1: 10.4.0.10 kube-dns.kube-system.svc.cluster.local\n\nName:      acp.example.com\nAddress 1: 192.0.2.10 acp.example.com\n", []string{"192.0.2.10"}},
		"no such name":       {"Server:\t\t10.4.0.10\nAddress:\t10.4.0.10#53\n\n** server can't find acp.example.com: NXDOMAIN\n\n", nil},
		"nobody answers":     {";; connection timed out; no servers could be reached\n", nil},
		"only a name":        {"Name: acp.example.com\n", nil},
		"the server's alone": {"Server: 192.0.2.10\nAddress: 192.0.2.10\n", nil},
	} {
		assert.Equal(t, c.want, nslookupAddresses(c.text), name)
	}
}
