package drivers

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/dns"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// conformName is what the activities make of every driver for a drill's name.
func conformName(t *testing.T, r *rig, label string, driver dns.Driver, d *site.DNS) {
	s := r.site("platform-"+label, d)
	a := &activities.DNS{Hosts: r.hosts, Margin: 20 * time.Second}
	canary := "canary-" + label + "." + r.d.Zone
	in := activities.NameInput{Scope: activities.Scope{Site: s}, Name: canary, To: "east"}
	manual := d.Driver == site.DNSManual
	byHand := func(f func(ctx context.Context) error) {
		if manual { // the person does it while the activity looks
			go func() {
				time.Sleep(300 * time.Millisecond)
				_ = f(t.Context())
			}()
		}
	}
	there := func(server string) []string {
		t.Helper()
		got, err := dns.Ask(t.Context(), server, canary)
		require.NoError(t, err)
		return got.Addresses()
	}
	for _, changed := range []string{"true", "false"} { // twice is once
		if changed == "true" {
			byHand(func(ctx context.Context) error {
				return driver.Upsert(ctx, canary, dns.Records{A: []string{r.address(20)}, TTL: 3})
			})
		}
		e, err := a.PointName(t.Context(), in)
		require.NoError(t, err)
		require.Contains(t, e.Summary, canary+" leads to east")
		if !manual {
			require.Equal(t, changed, e.Facts["changed"])
		}
		require.Equal(t, []string{r.address(20)}, there(r.d.DNS.Resolver))
	}
	for _, changed := range []string{"true", "false"} {
		if changed == "true" {
			byHand(func(ctx context.Context) error { return driver.Remove(ctx, canary) })
		}
		e, err := a.RemoveName(t.Context(), in)
		require.NoError(t, err)
		require.Contains(t, e.Summary, canary+" has no address")
		if !manual {
			require.Equal(t, changed, e.Facts["changed"])
		}
		require.Empty(t, there(r.d.DNS.Resolver), "it waited for the cache")
	}
	if manual { // nobody does it
		a.Margin = time.Second
		_, err := a.PointName(t.Context(), in)
		require.Equal(t, fault.Gate, fault.ClassOf(err))
		require.ErrorContains(t, err, "point "+canary+" at A "+r.address(20))
	}
	refuseNames(t, r, a, in, driver)
}

// refuseNames: a drill never touches a name that somebody uses.
func refuseNames(t *testing.T, r *rig, a *activities.DNS, in activities.NameInput, driver dns.Driver) {
	both := func(name string, class fault.Class, says string) {
		t.Helper()
		in := in
		in.Name = name
		_, err := a.PointName(t.Context(), in)
		require.Equal(t, class, fault.ClassOf(err), "%v", err)
		require.ErrorContains(t, err, says)
		_, err = a.RemoveName(t.Context(), in)
		require.Equal(t, class, fault.ClassOf(err), "%v", err)
		require.ErrorContains(t, err, says)
	}
	both(in.Site.Platform.Address, fault.BadInput, "the platform is reached under this name")
	both(in.Site.Platform.Address+".", fault.BadInput, "the platform is reached under this name")
	both("canary.example.org", fault.BadInput, "no host name in the zone")
	both(r.d.Zone, fault.BadInput, "no host name in the zone")
	used := "used-" + in.Name
	theirs := dns.Records{A: []string{"192.0.2.77"}, TTL: 3}
	require.NoError(t, driver.Upsert(t.Context(), used, theirs))
	both(used, fault.Gate, "192.0.2.77")
	got, err := dns.Ask(t.Context(), r.d.DNS.Authoritative, used)
	require.NoError(t, err)
	require.Equal(t, theirs.A, got.A, "nothing was changed")

	in.To = "north"
	_, err = a.PointName(t.Context(), in)
	require.Equal(t, fault.BadInput, fault.ClassOf(err))
}
