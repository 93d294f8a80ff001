package pair

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness/pairs"
)

// uninstall removes the synchronizer behind acpflow's back.
func (r *rig) uninstall(t *testing.T) {
	t.Helper()
	pairs.RemovePlugin(t, r.East)
}

// The synchronizer is gone: that is a failure, unless a person has said why.
func TestAbsentOnPurposeIsNotVanished(t *testing.T) {
	r := built(t)
	r.Clean(t)
	r.uninstall(t)
	f := pairs.Found(r.Check(t, 1), pair.Installed)
	assert.Equal(t, checks.Fail, f.Outcome)
	assert.Contains(t, f.Seen, "vanished")
	t.Run("with a waiver", func(t *testing.T) {
		r.Edit(t, func(s *site.Site) {
			s.Waivers = append(s.Waivers, site.Waiver{Rule: "DR-31", Reason: "upgrade to 4.2", Author: "ops", Expires: time.Now().AddDate(0, 0, 1).Format(time.DateOnly)})
		})
		f := pairs.Found(r.Check(t, 0), pair.Installed)
		assert.Equal(t, checks.Waived, f.Outcome)
		assert.Contains(t, f.Reason, "upgrade to 4.2")
	})
	r.Succeeds(t, r.Start(t, "enable-sync", name, "--cluster", east))
	r.Clean(t)
}

// An L7 balancer in front of 2379 is told before anything is installed, and by the card.
func TestPort2379BehindAnL7Balancer(t *testing.T) {
	r := built(t)
	const config = "/etc/haproxy/haproxy.cfg"
	r.Script(t, "west-lb", "cp "+config+" /root/before.cfg; sed -i -E 's/^(listen .*2379.*)$/\\1\\n\\tmode http/' "+config+"; sed -i -E '/^listen .*2379/,/^$/ s/^\\tmode tcp$//' "+config+"; haproxy -c -f "+config+" && systemctl restart haproxy")
	mend := func() { r.Script(t, "west-lb", "cp /root/before.cfg "+config+"; systemctl restart haproxy") }
	t.Cleanup(mend)
	f := pairs.Found(r.Check(t, 1, "--full"), "DR-30")
	assert.Equal(t, checks.Fail, f.Outcome, "%+v", f)
	assert.Contains(t, f.Seen, "http")
	r.uninstall(t)
	id := r.Start(t, "enable-sync", name, "--cluster", east)
	p := r.Until(t, id, "a gate", asked)
	assert.Contains(t, p.Gate.Error, "2379")
	mend()
	r.Decide(t, id, "retry", "it is plain TCP now")
	r.Succeeds(t, id)
	r.Clean(t)
}

// The pair's contract is broken by another certificate: the card says so, and a
// standby is not installed with it.
func TestAnotherCertificateBreaksTheContract(t *testing.T) {
	r := built(t)
	cert, key := otherCertificate(t, r.Document(t).Platform.Address)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tls.crt"), cert, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tls.key"), key, 0o600))
	r.Edit(t, func(s *site.Site) {
		s.Platform.Certificate = &site.Certificate{Certificate: site.Ref("file:" + filepath.Join(dir, "tls.crt")), PrivateKey: site.Ref("file:" + filepath.Join(dir, "tls.key"))}
	})
	f := pairs.Found(r.Check(t, 1, "--full"), "DR-22")
	assert.Equal(t, checks.Fail, f.Outcome, "%+v", f)
	assert.Contains(t, f.Seen, "console.cert")
	id := r.Start(t, "install-pair", name, "--cluster", west)
	p := r.Until(t, id, "a gate", asked)
	assert.Contains(t, p.Gate.Error, "console.cert")
	r.Decide(t, id, "abort", "put the certificate back")
	require.Error(t, r.Failure(t, id))
}
