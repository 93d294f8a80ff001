package takeover

import (
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

func (r *rig) script() {
	elastic := &activities.Elastic{Hosts: r.hosts}
	run := func(edit ...func(*site.Site)) (activities.TemplateScript, error) {
		return elastic.RunTemplateScript(r.within(time.Minute), activities.TemplateScriptInput{Scope: activities.Scope{Site: r.document(edit...), Cluster: "east"}, Run: "failover/1"})
	}
	for range 2 { // as often as wanted
		out, err := run()
		require.NoError(r, err)
		assert.True(r, out.Installed)
		assert.False(r, out.Unauthorized)
		assert.Contains(r, out.Tail, "index template")
	}
	mode, err := r.East.First.Exec(r.Context(), "stat", "-c", "%U %a", "/root/ensure-asm-template.sh")
	require.NoError(r, err)
	assert.Equal(r, "root 700\n", mode)

	_, err = run(func(s *site.Site) { s.Package.Directory = "/root/elsewhere" })
	require.Error(r, err)
	assert.Equal(r, fault.Failed, fault.ClassOf(err))
	assert.ErrorContains(r, err, "/root/elsewhere/installer/res/packaged-scripts/for-upgrade/ensure-asm-template.sh")

	other := func(script string) func(*site.Site) {
		require.NoError(r, r.East.First.WriteFile(r.Context(), "/root/other/installer/res/packaged-scripts/for-upgrade/ensure-asm-template.sh", []byte(script), "0600"))
		return func(s *site.Site) { s.Package.Directory = "/root/other" }
	}
	out, err := run(other("echo '+ curl -u elastic:Not-A-Real-1 https://es'; echo 'HTTP/1.1 401 Unauthorized'; exit 22\n"))
	require.NoError(r, err)
	assert.True(r, out.Unauthorized)
	assert.NotContains(r, out.Tail, "Not-A-Real-1")

	_, err = run(other("echo 'cannot connect' >&2; exit 7\n"))
	require.Error(r, err)
	assert.Equal(r, fault.Failed, fault.ClassOf(err))
	assert.ErrorContains(r, err, "cannot connect")
}
