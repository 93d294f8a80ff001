package workflows_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
)

// A Pod that never becomes Ready: a retry looks again, waits for what has come and
// deletes none of it.
func TestRetriedRestartDeletesNoSuccessor(t *testing.T) {
	for step, group := range map[string]activities.ServiceGroup{"03-elasticsearch": activities.AfterSync[0], "18-monitoring": activities.AfterSync[1]} {
		w := newTakeoverWorld(t)
		restarts := w.countRestarts()
		stuck := true
		instead(w.world, "RestartServices", func(in activities.ServicesInput) any {
			*restarts = append(*restarts, in)
			if stuck && in.Groups[0].Selector == group.Selector {
				w.pods[group.Selector] = []kube.Pod{{Namespace: "cpaas-system", Name: "new", UID: "successor", Phase: "Running"}}
				return permanent("it is not ready", fault.Stalled)
			}
			return activities.Evidence{Summary: "restarted"}
		})
		w.retries("switchover."+step, func() { stuck = false })
		require.NoError(t, w.take(switchover))
		var tries []activities.ServiceGroup
		for _, in := range *restarts {
			if in.Groups[0].Selector == group.Selector {
				tries = append(tries, in.Groups[0])
			}
		}
		require.GreaterOrEqual(t, len(tries), 2)
		assert.Len(t, tries[0].Pods, 1)
		again := group
		again.Again, again.Want = true, 1
		assert.Equal(t, again, tries[1], step)
		assert.Equal(t, 1, strings.Count(strings.Join(w.meant(), " "), "RunTemplateScript"), "the script ran well")
		assert.Contains(t, strings.Join(w.status().Recovery.Restarted, " "), "-uid", "what the first try deleted is said")
		if step == "18-monitoring" {
			assert.Equal(t, 1, w.restarted("service_name=cluster-transformer"), "the others did not wait for it")
		}
	}
}

// What is left over of a service that is not installed stops 03; with it deleted, as
// the message says, a retry goes on and says that the service is not installed.
func TestRetriedRestartOfWhatIsNotInstalled(t *testing.T) {
	w := newTakeoverWorld(t)
	group := activities.AfterSync[0]
	w.pods[group.Selector] = []kube.Pod{{Namespace: "cpaas-system", Name: "old", UID: "old", Phase: "Failed"}}
	restarts := w.countRestarts()
	instead(w.world, "RestartServices", func(in activities.ServicesInput) any {
		if *restarts = append(*restarts, in); len(*restarts) == 1 {
			return permanent("Elasticsearch has no Pod that could come back", fault.Stalled)
		}
		return activities.Evidence{Summary: "restarted"}
	})
	w.retries("switchover.03-elasticsearch", func() { delete(w.pods, group.Selector) })
	require.NoError(t, w.take(switchover))
	assert.Equal(t, []activities.ServiceGroup{group}, (*restarts)[1].Groups, "without Pods, and not as another try")
	assert.Contains(t, w.status().Recovery.NotInstalled, "Elasticsearch")
}

func TestRetriedWarlockDeletesNoSuccessor(t *testing.T) {
	w := newTakeoverWorld(t)
	w.withWorkloads("edge")
	pod := kube.Pod{Namespace: "m", Name: "w", UID: "first"}
	instead(w.world, "ListWarlock", func(activities.WorkloadInput) any {
		return activities.Warlock{Installed: true, Pods: []kube.Pod{pod}}
	})
	var tries []activities.WorkloadInput
	instead(w.world, "RestartWarlock", func(in activities.WorkloadInput) any {
		if tries = append(tries, in); len(tries) == 1 {
			pod.UID = "successor"
			return permanent("warlock is not ready", fault.Stalled)
		}
		return activities.Evidence{Summary: "restarted"}
	})
	w.retries("switchover.20-warlock-edge", func() {})
	require.NoError(t, w.take(switchover))
	require.Len(t, tries, 2)
	assert.Equal(t, "first", tries[0].Pods[0].UID)
	assert.Empty(t, tries[1].Pods)
	assert.True(t, tries[1].Again)
	assert.Equal(t, 1, tries[1].Want)
	assert.Contains(t, w.status().Recovery.Restarted, "m/w first of edge")
}
