package takeover

import (
	"context"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/test/harness/pairs"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
	"github.com/acpflow/acpflow/test/lab/workload"
)

// dirt is every kind of difference between the sides, and of trouble under equal
// ones, that must keep the synchronizer where it is.
func (s *stage) dirt() []hurdle {
	const gate = "06-consistent"
	maps := func(side *labtest.Side) interface {
		Delete(context.Context, string, metav1.DeleteOptions) error
		Create(context.Context, *corev1.ConfigMap, metav1.CreateOptions) (*corev1.ConfigMap, error)
	} {
		return side.API.CoreV1().ConfigMaps(pairs.Team)
	}
	return []hurdle{
		{name: "a missed key", step: gate, says: "missed",
			breaks: func() {
				pairs.WriteMap(s, s.from, "dirt-missed", "1")
				pairs.MapArrives(s, s.to, "dirt-missed", "1")
				require.NoError(s, maps(s.to).Delete(s.Context(), "dirt-missed", metav1.DeleteOptions{}))
			},
			mends: func() {
				pairs.WriteMap(s, s.from, "dirt-missed", "2")
				pairs.MapArrives(s, s.to, "dirt-missed", "2")
			}},
		{name: "a surplus key", step: gate, says: "surplus",
			breaks: func() {
				_, err := maps(s.to).Create(s.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "dirt-surplus"}}, metav1.CreateOptions{})
				require.NoError(s, err)
			},
			mends: func() {
				require.NoError(s, maps(s.to).Delete(s.Context(), "dirt-surplus", metav1.DeleteOptions{}))
			}},
		{name: "a stale value under a clean check", step: gate, says: "1 different",
			breaks: func() { pairs.WriteMap(s, s.to, "dirt-missed", "changed on the standby") },
			mends: func() {
				pairs.WriteMap(s, s.from, "dirt-missed", "3")
				pairs.MapArrives(s, s.to, "dirt-missed", "3")
			}},
		{name: "a check that nobody understands", step: gate, says: "trust me",
			breaks: func() {
				require.NoError(s, s.Lab.BreakSync(s.Context(), s.to.Cluster.Name, lab.SyncFaults{CheckText: "everything is fine, trust me"}))
			},
			mends: func() { require.NoError(s, s.Lab.MendSync(s.Context(), s.to.Cluster.Name)) }},
		{name: "an owner that is not there", step: gate, says: "not there",
			breaks: func() {
				_, err := maps(s.from).Create(s.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "dirt-orphan",
					OwnerReferences: []metav1.OwnerReference{{APIVersion: "platform.example.com/v1", Kind: "Nothing", Name: "gone", UID: "00000000-0000-4000-8000-000000000001"}}}}, metav1.CreateOptions{})
				require.NoError(s, err)
				pairs.MapArrives(s, s.to, "dirt-orphan", "")
			},
			mends: func() {
				require.NoError(s, maps(s.from).Delete(s.Context(), "dirt-orphan", metav1.DeleteOptions{}))
			}},
		{name: "a Machine that does not run", step: gate, says: machine,
			breaks: func() { require.NoError(s, s.Lab.SetMachinePhase(s.Context(), s.from.Cluster.Name, machine, "Failed")) },
			mends: func() {
				require.NoError(s, s.Lab.SetMachinePhase(s.Context(), s.from.Cluster.Name, machine, "Running"))
			}},
	}
}

// machine is one that the tests seed.
var machine = workload.Cluster(1) + "-1"
