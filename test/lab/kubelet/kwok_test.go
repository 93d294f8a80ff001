package kubelet

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

// Orders change the stage that makes Pods ready, and nothing else.
func TestStagesWithOrders(t *testing.T) {
	require.Equal(t, stages, stagesFor(nil))
	require.Equal(t, stages, stagesFor([]byte("\n")))
	ordered := stagesFor([]byte("warlock\ncluster-transformer\n"))
	require.Contains(t, string(ordered), `{key: '.metadata.labels["service_name"]', operator: NotIn, values: [warlock, cluster-transformer]}`)
	changed := 0
	for i, doc := range strings.Split(string(ordered), "\n---\n") {
		var parsed map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(doc), &parsed))
		if doc != strings.Split(string(stages), "\n---\n")[i] {
			changed++
			require.Contains(t, doc, "name: pod-ready")
		}
	}
	require.Equal(t, 1, changed)
}
