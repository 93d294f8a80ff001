package main

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/workflows"
)

func progressWith(states ...workflows.StepState) *workflows.Progress {
	p := &workflows.Progress{Runbook: "Install", Cluster: "west", Request: workflows.Request{Site: "lab"}, Outcome: workflows.InProgress}
	for i, s := range states {
		p.Steps = append(p.Steps, workflows.StepProgress{StepInfo: workflows.StepInfo{ID: "execute.0" + string(rune('1'+i)), Title: "Step"}, State: s})
	}
	return p
}

func TestLineViewPrintsEachChangeOnce(t *testing.T) {
	var out bytes.Buffer
	v := &lineView{w: &out, states: map[string]workflows.StepState{}}
	v.show(moment{status: progressWith(workflows.Done, workflows.Running, workflows.Pending)})
	half := []activities.Progress{{Text: "uploading", Done: 50, Total: 100, Unit: "bytes"}}
	v.show(moment{status: progressWith(workflows.Done, workflows.Running, workflows.Pending), active: half})
	v.show(moment{status: progressWith(workflows.Done, workflows.Running, workflows.Pending), active: half})
	v.show(moment{})
	v.show(moment{})
	v.show(moment{status: progressWith(workflows.Done, workflows.Done, workflows.Running)})
	got := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  `).ReplaceAllString(out.String(), "")
	assert.Equal(t, `done     execute.01  Step
running  execute.02  Step
         50 %  uploading  50 B of 100 B
waiting for Temporal and a worker to answer; the run is durable
done     execute.02  Step
running  execute.03  Step
`, got)
}

func TestViewsOfStepsSideBySide(t *testing.T) {
	var out bytes.Buffer
	v := &lineView{w: &out, states: map[string]workflows.StepState{}}
	now := moment{status: progressWith(workflows.Running, workflows.Running, workflows.Pending),
		active: []activities.Progress{{Text: "asking m1"}, {Text: "asking m2"}, {Done: 3, Total: 10, Unit: "keys"}}}
	v.show(now)
	v.show(now)
	now.active[1].Text = "asking m3"
	v.show(now)
	got := regexp.MustCompile(`(?m)^\d\d:\d\d:\d\d  `).ReplaceAllString(out.String(), "")
	assert.Equal(t, `running  execute.01  Step
running  execute.02  Step
         asking m1
         asking m2
         30 %  3 of 10 keys
         asking m3
`, got)

	lines := liveLines(now, 100)
	assert.Contains(t, lines[2], "execute.02")
	assert.Equal(t, []string{"     asking m1", "     asking m3"}, lines[3:5], "once, below the last of them")
	assert.Contains(t, lines[6], "execute.03")
}

func TestBarAndSizeReadWell(t *testing.T) {
	assert.Equal(t, "1.5 GiB", size(1536<<20))
	assert.Equal(t, "512 B", size(512))
	assert.Contains(t, bar(activities.Progress{Done: 1 << 20, Total: 2 << 20, Unit: "bytes"}), "███████████████░░░░░░░░░░░░░░░  50 %")
	assert.Equal(t, "no total", bar(activities.Progress{Text: "no total"}))
	assert.Contains(t, bar(activities.Progress{Done: 7, Total: 5, Unit: "steps"}), "██████████████████████████████", "too much done must not overflow")
}

func TestLiveViewShowsTheGate(t *testing.T) {
	p := progressWith(workflows.Done, workflows.Parked)
	p.Gate = &workflows.Gate{Step: "execute.02", Error: "disk full. Fix: free it", Actions: []workflows.Action{workflows.Retry, workflows.Abort}}
	lines := liveLines(moment{id: "install/lab/west", status: p}, 100)
	assert.Contains(t, lines[len(lines)-1], "acpflow decide install/lab/west --action retry|abort")
	assert.Contains(t, lines, "disk full. Fix: free it")
}
