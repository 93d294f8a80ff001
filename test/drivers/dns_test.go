package drivers

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/dns"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/program"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

// person is the driver of a site that has none: what it is asked to do, a
// goroutine types into nsupdate.
type person struct {
	r    *rig
	key  string
	asks chan ask
}

type ask struct {
	name string
	want dns.Records
	done chan error
}

func newPerson(t *testing.T, r *rig) *person {
	p := &person{r: r, key: r.tsigSecret(t), asks: make(chan ask)}
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case a := <-p.asks:
				a.done <- p.r.nsupdate(ctx, p.key, p.r.d.DNS.Authoritative, commands(a.name, a.want)...)
			}
		}
	}()
	return p
}

func commands(name string, want dns.Records) []string {
	lines := []string{"update delete " + name + ". A", "update delete " + name + ". AAAA"}
	for _, a := range want.A {
		lines = append(lines, fmt.Sprintf("update add %s. %d A %s", name, want.TTL, a))
	}
	for _, a := range want.AAAA {
		lines = append(lines, fmt.Sprintf("update add %s. %d AAAA %s", name, want.TTL, a))
	}
	return lines
}

// Upsert asks the person.
func (p *person) Upsert(ctx context.Context, name string, want dns.Records) error {
	if len(want.A)+len(want.AAAA) == 0 || !strings.HasSuffix(name, p.r.d.Zone) {
		return fault.New(fault.BadInput, "update "+name, "", "", nil) // nobody would type that
	}
	return p.ask(ctx, name, want)
}

// Remove asks the person.
func (p *person) Remove(ctx context.Context, name string) error {
	if !strings.HasSuffix(name, p.r.d.Zone) {
		return fault.New(fault.BadInput, "remove "+name, "", "", nil)
	}
	return p.ask(ctx, name, dns.Records{})
}

func (p *person) ask(ctx context.Context, name string, want dns.Records) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	a := ask{name, want, make(chan error, 1)}
	select {
	case p.asks <- a:
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-a.done
}

// execProgram is a site's own program: bash, and nsupdate on another machine.
const execProgram = `#!/bin/bash
set -eu -o pipefail
read -r request
field() { sed -nE "s/.*\"$1\":\"?([^\",}]*).*/\1/p" <<<"$request"; }
list() { sed -nE "s/.*\"$1\":\[([^]]*)\].*/\1/p" <<<"$request" | tr -d '"' | tr , '\n'; }
case $(field action) in upsert | remove) ;; *) echo "what is $(field action)?" >&2; exit 2 ;; esac
name=$(field name) ttl=$(field ttl)
secret=$(sed -nE 's/.*secret "([^"]+)".*/\1/p' <<<"$TSIG")
{
	echo "server SERVER"
	echo "key hmac-sha256:acpflow-lab. $secret"
	echo "update delete $name. A"
	echo "update delete $name. AAAA"
	for a in $(list a); do echo "update add $name. $ttl A $a"; done
	for a in $(list aaaa); do echo "update add $name. $ttl AAAA $a"; done
	echo send
} | SHELL nsupdate -v
`

func (r *rig) execDNS(t *testing.T) dns.Exec {
	host, _, _ := strings.Cut(r.d.DNS.Authoritative, ":")
	text := strings.NewReplacer("SERVER", host, "SHELL", r.shell(t, "dns")).Replace(execProgram)
	return dns.Exec{Program: program.Program{Command: []string{programFile(t, text)}, Environment: map[string]secret.Value{"TSIG": r.tsig(t)}}}
}

func testDNS(t *testing.T, r *rig) {
	_, url := startProvider(t, r)
	exec := r.execDNS(t)
	for name, d := range map[string]struct {
		driver dns.Driver
		site   *site.DNS // the same driver in a site document
	}{
		"rfc2136": {r.rfc2136(t), &site.DNS{Driver: site.DNSRFC2136, RFC2136: &site.RFC2136{
			KeyName: r.d.DNS.TSIGName, Algorithm: r.d.DNS.TSIGAlgorithm, Secret: r.ref("tsig.key")}}},
		"external-dns": {dns.Webhook{URL: url}, &site.DNS{Driver: site.DNSExternal, ExternalDNS: &site.ExternalDNS{URL: url}}},
		"exec": {exec, &site.DNS{Driver: site.DNSExec, Exec: &site.Exec{Command: exec.Command,
			Environment: []site.Variable{{Name: "TSIG", Value: r.ref("tsig.key")}}}}},
		"manual": {newPerson(t, r), &site.DNS{Driver: site.DNSManual}},
	} {
		d.site.Authoritative, d.site.Resolvers = []string{r.d.DNS.Authoritative}, []string{r.d.DNS.Resolver}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run("driver", func(t *testing.T) { conformDNS(t, r, "c-"+name, d.driver) })
			t.Run("point", func(t *testing.T) { conformPoint(t, r, "p-"+name, d.driver, d.site) })
			t.Run("name", func(t *testing.T) { conformName(t, r, "n-"+name, d.driver, d.site) })
		})
	}
	t.Run("faults", func(t *testing.T) { t.Parallel(); testDNSFaults(t, r) })
}

// conformDNS is what every driver promises.
func conformDNS(t *testing.T, r *rig, label string, d dns.Driver) {
	name := label + "." + r.d.Zone
	answer := func() dns.Answer {
		a, err := dns.Ask(t.Context(), r.d.DNS.Authoritative, name)
		require.NoError(t, err)
		return a
	}
	set := func(want dns.Records) {
		t.Helper()
		require.NoError(t, d.Upsert(t.Context(), name, want))
		got := answer()
		require.Equal(t, "NOERROR", got.RCode)
		require.True(t, want.SameAddresses(got.A, got.AAAA), "%s, wanted %s", got, want)
		require.Equal(t, want.TTL, got.TTL)
		require.True(t, got.Authoritative)
	}
	before := answer()
	require.Equal(t, "NXDOMAIN", before.RCode, "a negative answer is an answer")
	require.Equal(t, 5, before.NegativeTTL)

	one := dns.Records{A: []string{"192.0.2.1"}, TTL: 30}
	set(one)
	set(one) // twice is once
	set(dns.Records{A: []string{"192.0.2.2", "192.0.2.3"}, AAAA: []string{"2001:db8::2"}, TTL: 20})
	set(dns.Records{AAAA: []string{"2001:db8::3"}, TTL: 20})
	set(dns.Records{A: []string{"192.0.2.4"}, AAAA: []string{"2001:db8::4"}, TTL: 5})
	set(one)

	t.Run("never missing", func(t *testing.T) { neverMissing(t, r, name, set) })
	require.Error(t, d.Upsert(t.Context(), name, dns.Records{TTL: 5}), "no address would remove the name")
	require.Error(t, d.Upsert(t.Context(), "acp.example.org", one), "another zone")
	require.Equal(t, []string{"192.0.2.15"}, answer().A, "and nothing was changed")

	t.Run("remove", func(t *testing.T) { conformRemove(t, r, name, d) })

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	start := time.Now()
	require.Error(t, d.Upsert(gone, name, one))
	require.Error(t, d.Remove(gone, name))
	require.Less(t, time.Since(start), 5*time.Second)
}

// conformRemove is what every driver promises of a name that goes: its addresses,
// nothing else.
func conformRemove(t *testing.T, r *rig, name string, d dns.Driver) {
	code := func(name string) string {
		a, err := dns.Ask(t.Context(), r.d.DNS.Authoritative, name)
		require.NoError(t, err)
		require.Empty(t, a.Addresses())
		return a.RCode
	}
	both := dns.Records{A: []string{"192.0.2.1", "192.0.2.2"}, AAAA: []string{"2001:db8::1"}, TTL: 30}
	other := "beside-" + name
	require.NoError(t, d.Upsert(t.Context(), name, both))
	require.NoError(t, d.Upsert(t.Context(), other, both))
	for range 2 { // twice is once
		require.NoError(t, d.Remove(t.Context(), name))
		require.Equal(t, "NXDOMAIN", code(name))
	}
	a, err := dns.Ask(t.Context(), r.d.DNS.Authoritative, other)
	require.NoError(t, err)
	require.True(t, both.SameAddresses(a.A, a.AAAA), "another name stays: %s", a)
	require.NoError(t, d.Remove(t.Context(), other))
	require.NoError(t, d.Remove(t.Context(), "never-there-"+name))

	require.NoError(t, r.nsupdate(t.Context(), r.tsigSecret(t), r.d.DNS.Authoritative, "update add "+name+". 30 TXT somebodys"))
	require.NoError(t, d.Upsert(t.Context(), name, dns.Records{AAAA: []string{"2001:db8::1"}, TTL: 30}))
	require.NoError(t, d.Remove(t.Context(), name))
	require.Equal(t, "NOERROR", code(name), "its other records stay")

	require.Error(t, d.Remove(t.Context(), "acp.example.org"), "another zone")
}

// conformPoint is what the activity makes of every driver: it sends what is
// missing, waits for the caches, and is done at once when all is so.
func conformPoint(t *testing.T, r *rig, label string, driver dns.Driver, d *site.DNS) {
	s := r.site(label, d)
	a := &activities.DNS{Hosts: r.hosts, Margin: 20 * time.Second}
	point := func(to string) (activities.Evidence, error) {
		return a.PointPlatform(t.Context(), activities.PointInput{Scope: activities.Scope{Site: s, Cluster: to}, To: to})
	}
	leads := func(to string, agreed bool) {
		t.Helper()
		now, err := a.LookUpPlatform(t.Context(), activities.ClusterInput{Scope: activities.Scope{Site: s}})
		require.NoError(t, err)
		require.Equal(t, to, now.Cluster, "%+v", now)
		require.Equal(t, agreed, now.Agreed, "%+v", now)
	}
	manual := d.Driver == site.DNSManual
	byHand := func(to int) {
		if manual { // the workflow has asked, and the person does it while the activity looks
			go func() {
				time.Sleep(300 * time.Millisecond)
				_ = driver.Upsert(t.Context(), s.Platform.Address, dns.Records{A: []string{r.address(to)}, TTL: 3})
			}()
		}
	}
	leads("", false)
	byHand(10)
	e, err := point("west")
	require.NoError(t, err)
	require.Equal(t, fmt.Sprint(!manual), e.Facts["changed"])
	require.Contains(t, e.Facts[r.d.DNS.Resolver], r.address(10))
	leads("west", true)

	start := time.Now()
	e, err = point("west")
	require.NoError(t, err)
	require.Equal(t, "false", e.Facts["changed"], "what is so is left alone")
	require.Less(t, time.Since(start), 10*time.Second)

	stale, err := dns.Ask(t.Context(), r.d.DNS.Resolver, s.Platform.Address)
	require.NoError(t, err)
	require.Equal(t, []string{r.address(10)}, stale.A, "the resolver has it now")
	byHand(20)
	e, err = point("east")
	require.NoError(t, err)
	require.Contains(t, e.Facts[r.d.DNS.Resolver], r.address(20), "it waited for the cache")
	leads("east", true)

	if manual { // nobody does it: the activity says what is to be done
		a.Margin = time.Second
		_, err = point("west")
		require.Equal(t, fault.Gate, fault.ClassOf(err))
		require.ErrorContains(t, err, "point "+s.Platform.Address+" at A "+r.address(10)+" and no AAAA record, TTL ≤ 3")
		leads("east", true)
	}
}

// neverMissing asks all the time while the name is switched to and fro: each
// answer must have one address of either family.
func neverMissing(t *testing.T, r *rig, name string, set func(dns.Records)) {
	records := func(i int) dns.Records {
		return dns.Records{A: []string{fmt.Sprintf("192.0.2.%d", 10+i)}, AAAA: []string{fmt.Sprintf("2001:db8::%d", 10+i)}, TTL: 5}
	}
	set(records(0))
	ctx, stop := context.WithCancel(t.Context())
	bad := make(chan string, 1)
	var polls atomic.Int32
	go func() {
		defer close(bad)
		for ctx.Err() == nil {
			a, err := dns.Ask(ctx, r.d.DNS.Authoritative, name)
			polls.Add(1)
			time.Sleep(300 * time.Microsecond) // the servers share the processors
			if err == nil && (a.RCode != "NOERROR" || len(a.A) != 1 || len(a.AAAA) != 1) {
				bad <- a.String()
				return
			}
		}
	}()
	switches := 0
	for start := time.Now(); len(bad) == 0 && (switches < 6 || polls.Load() <= 20 || time.Since(start) < 300*time.Millisecond); switches++ {
		set(records(switches % 100))
	}
	set(records(5))
	stop()
	if text, there := <-bad; there {
		t.Errorf("while the name was switched, the server answered %s", text)
	}
	t.Logf("%d looks during %d changes", polls.Load(), switches)
}
