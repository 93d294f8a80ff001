package takeover

import (
	"context"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

func (r *rig) script() {
	elastic := &activities.Elastic{Hosts: r.hosts}
	run := func(edit ...func(*site.Site)) (activities.TemplateScript, error) {
		return elastic.RunTemplateScript(r.within(time.Minute), activities.TemplateScriptInput{Scope: activities.Scope{Site: r.document(edit...), Cluster: "east"}, Run: "failover/1"})
	}
	labtest.Await(r, 2*time.Minute, "the log store answers", func() error {
		out, err := run()
		if err == nil && out.Unauthorized {
			err = fault.New(fault.Failed, "wait", out.Summary, "", nil)
		}
		return err
	})
	var both errgroup.Group // a worker that died and its successor
	for range 2 {
		both.Go(func() error {
			out, err := run()
			assert.True(r, out.Installed)
			assert.False(r, out.Unauthorized)
			assert.Contains(r, out.Tail, "index template")
			return err
		})
	}
	require.NoError(r, both.Wait())
	r.restartMends(run)
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

// restartMends: a log store that refuses the new login knows it after a restart.
func (r *rig) restartMends(run func(...func(*site.Site)) (activities.TemplateScript, error)) {
	require.NoError(r, r.Lab.BreakElastic(r.Context(), "east", lab.ElasticUntilRestart))
	out, err := run()
	require.NoError(r, err)
	assert.True(r, out.Unauthorized, out.Tail)
	r.restart(activities.AfterSync[0])
	labtest.Await(r, 2*time.Minute, "the restart mends it", func() error {
		out, err := run()
		if err == nil && out.Unauthorized {
			err = fault.New(fault.Failed, "wait", out.Summary, "", nil)
		}
		return err
	})
}

// restart restarts a group in the east, and shows that another attempt with the
// same list deletes nothing.
func (r *rig) restart(group activities.ServiceGroup) {
	r.Helper()
	services := &activities.Sync{Hosts: r.hosts}
	in := activities.ServicesInput{Scope: r.east(), Groups: []activities.ServiceGroup{group}, Settle: 4 * time.Minute}
	list := func() activities.ServicesView {
		view, err := services.ListServices(r.Context(), in)
		require.NoError(r, err)
		return view
	}
	before := list()
	require.NotEmpty(r, before.Groups[0].Pods, group.Name)
	in.Groups = before.Groups
	for range 2 {
		_, err := services.RestartServices(r.within(5*time.Minute), in)
		require.NoError(r, err)
	}
	after := list()
	require.Len(r, after.Groups[0].Pods, len(before.Groups[0].Pods))
	for _, old := range before.Groups[0].Pods {
		for _, now := range after.Groups[0].Pods {
			assert.NotEqual(r, old.UID, now.UID)
		}
	}
	again, err := services.RestartServices(context.Background(), in)
	require.NoError(r, err)
	assert.Equal(r, after, list(), again.Summary)
}
