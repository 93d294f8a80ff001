package activities

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/acpflow/acpflow/internal/kube"
)

func TestMachinesAreCleanOnlyWhenAllRunAndNoneHasGone(t *testing.T) {
	assert.False(t, MachinesView{}.Clean(), "never looked")
	running := func(names ...string) (out []kube.MachineState) {
		for _, n := range names {
			out = append(out, kube.MachineState{Name: n, UID: "uid-" + n, Phase: "Running"})
		}
		return out
	}
	in := MachinesInput{Scope: Scope{Cluster: "east"}}
	assert.True(t, viewMachines(in, nil).Clean(), "a platform without workload clusters has none")
	first := viewMachines(in, running("a", "b", "c"))
	assert.True(t, first.Clean())
	assert.Equal(t, "all 3 Machines of east are Running", first.Summary)

	bad := viewMachines(in, []kube.MachineState{{Name: "b", Phase: "Failed"}, {Name: "a"}, {Name: "c", Phase: "Running", Deleting: true}})
	assert.False(t, bad.Clean())
	assert.Equal(t, []string{"a", "b Failed"}, bad.NotRunning)
	assert.Equal(t, []string{"c"}, bad.Deleting)
	assert.Equal(t, "3 Machines of east: 2 not Running: a, b Failed; 1 being deleted: c", bad.Summary)

	in.Before = &first
	assert.True(t, viewMachines(in, running("a", "b", "c")).Clean())
	assert.True(t, viewMachines(in, running("a", "b", "c", "new")).Clean(), "a new one is no loss")
	lost := viewMachines(in, append(running("a"), kube.MachineState{Name: "b", UID: "another", Phase: "Running"}))
	assert.False(t, lost.Clean())
	assert.Equal(t, []string{"b", "c"}, lost.Gone, "one has gone, the other is another object of that name")
	assert.Contains(t, lost.Summary, "2 gone since the last look: b, c")
}

func TestVeryManyMachinesAreComparedByNumber(t *testing.T) {
	var all []kube.MachineState
	for i := range maxMachines + 100 {
		all = append(all, kube.MachineState{Name: fmt.Sprint("m", i), UID: fmt.Sprint(i), Phase: "Running"})
	}
	before := viewMachines(MachinesInput{}, all)
	assert.True(t, before.Clean())
	assert.Nil(t, before.UIDs)
	in := MachinesInput{Before: &before}
	assert.True(t, viewMachines(in, all).Clean())
	assert.Equal(t, 3, viewMachines(in, all[3:]).Bad)
	all[0].UID = "another"
	assert.Equal(t, 1, viewMachines(in, all).Bad, "the same number of other ones is no peace")
	for i := range all {
		all[i].Phase = "Failed"
	}
	view := viewMachines(MachinesInput{}, all)
	assert.Len(t, view.NotRunning, maxNamed)
	assert.Equal(t, len(all), view.Bad)
}
