package pair

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

// rig is the pair with acpflow around it.
type rig struct{ *pairs.Rig }

// spoilt tells that a test has failed, and may have left the pair in any state.
var spoilt bool

// built makes sure that the pair is installed and synchronised.
func built(t *testing.T) *rig {
	t.Helper()
	world.Build(t)
	if spoilt {
		world.recover(t)
		spoilt = false
	}
	t.Cleanup(func() { spoilt = spoilt || t.Failed() })
	return world
}

// recover makes the pair what it was before a test that has failed, so that one
// failure is told as one.
func (r *rig) recover(t *testing.T) {
	t.Helper()
	for _, side := range []*labtest.Side{r.West, r.East} {
		require.NoError(t, r.Lab.PowerOnCluster(t.Context(), side.Cluster.Name))
		require.NoError(t, r.Lab.MendSync(t.Context(), side.Cluster.Name))
		labtest.Await(t, 5*time.Minute, "the API of "+side.Cluster.Name, func() error {
			_, err := side.API.CoreV1().Namespaces().Get(t.Context(), syncplugin.Namespace, metav1.GetOptions{})
			return err
		})
	}
	_, errs, code, err := harness.CLI(t.Context(), r.Server, "check", "--site", name, "--full")
	require.NoError(t, err)
	if code == 0 {
		return
	}
	t.Logf("an earlier test has left the pair so: %s", errs)
	r.uninstall(t)
	require.NoError(t, r.Lab.PublishSync(t.Context(), east, "v4.1.0"))
	r.Succeeds(t, r.Start(t, "enable-sync", name, "--cluster", east))
}

// breaks makes the synchronizer fail as ordered until mend is called, or the test ends.
func (r *rig) breaks(t *testing.T, f lab.SyncFaults) (mend func()) {
	t.Helper()
	require.NoError(t, r.Lab.BreakSync(t.Context(), east, f))
	mend = func() { require.NoError(t, r.Lab.MendSync(context.WithoutCancel(t.Context()), east)) }
	t.Cleanup(mend)
	return mend
}
