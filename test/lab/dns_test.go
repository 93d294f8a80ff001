package lab_test

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

func TestDNSAnswersAndTakesSignedUpdates(t *testing.T) {
	l := labtest.Up(t, lab.Options{Name: "t-dns", Package: noPackage, Clusters: []lab.ClusterPlan{
		{Name: "west", ControlPlanes: 1}, {Name: "east", ControlPlanes: 1},
	}})
	d := l.Describe()
	west, east := l.Clusters()[0].VIP, l.Clusters()[1].VIP
	require.Equal(t, west, lookup(t, d.DNS.Authoritative, d.Domain))
	require.Equal(t, west, lookup(t, d.DNS.Resolver, d.Domain))
	out, err := node(t, l, "west-1").Exec(t.Context(), "getent", "hosts", d.Domain)
	require.NoError(t, err)
	require.Contains(t, out, west)

	require.NotEqual(t, dns.RcodeSuccess, update(t, d, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", east), "wrong key")
	require.Equal(t, west, lookup(t, d.DNS.Authoritative, d.Domain))

	require.Equal(t, dns.RcodeSuccess, update(t, d, tsigSecret(t, l), east))
	require.Equal(t, east, lookup(t, d.DNS.Authoritative, d.Domain))
	require.Eventually(t, func() bool { return lookup(t, d.DNS.Resolver, d.Domain) == east },
		time.Minute, 200*time.Millisecond, "the resolver's cache follows within the TTL")

	start := time.Now()
	require.Empty(t, lookup(t, d.DNS.Resolver, "elsewhere.example.org"))
	require.Less(t, time.Since(start), 4*time.Second, "names of the outside fail at once")
}

func lookup(t *testing.T, server, name string) string {
	t.Helper()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)
	answer, _, err := (&dns.Client{Timeout: 5 * time.Second}).Exchange(m, server)
	require.NoError(t, err)
	if len(answer.Answer) == 0 {
		return ""
	}
	return answer.Answer[0].(*dns.A).A.String()
}

// update points the platform at another address and returns the server's
// response code.
func update(t *testing.T, d lab.Description, secret, address string) int {
	t.Helper()
	rr, err := dns.NewRR(d.Domain + ". 5 IN A " + address)
	require.NoError(t, err)
	m := new(dns.Msg).SetUpdate(d.Zone + ".")
	m.RemoveRRset([]dns.RR{rr})
	m.Insert([]dns.RR{rr})
	m.SetTsig(d.DNS.TSIGName, dns.HmacSHA256, 300, time.Now().Unix())
	c := &dns.Client{Net: "tcp", Timeout: 5 * time.Second, TsigSecret: map[string]string{d.DNS.TSIGName: secret}}
	answer, _, err := c.Exchange(m, d.DNS.Authoritative)
	if err != nil && answer == nil {
		t.Fatal(err)
	}
	return answer.Rcode
}

func tsigSecret(t *testing.T, l *lab.Lab) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(l.Dir(), lab.FileTSIG))
	require.NoError(t, err)
	found := regexp.MustCompile(`secret "([^"]+)"`).FindSubmatch(data)
	require.NotNil(t, found)
	return string(found[1])
}
