package kube

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
)

// blocking counts the findings that stop an install.
func blocking(findings []checks.Finding) int {
	n := 0
	for _, f := range findings {
		if f.Blocking() {
			n++
		}
	}
	return n
}

func TestJudgeNodes(t *testing.T) {
	want := site.Cluster{Nodes: []site.Node{
		{Name: "m1", Address: "192.0.2.11", Role: site.ControlPlane},
		{Name: "w1", Address: "192.0.2.21", Role: site.Worker},
	}}
	byName := want
	byName.HostnameNode = true
	master := Node{Name: "192.0.2.11", Addresses: []string{"192.0.2.11"}, Ready: true, Control: true}
	worker := Node{Name: "192.0.2.21", Addresses: []string{"192.0.2.21"}, Ready: true}
	with := func(n Node, edit func(*Node)) Node { edit(&n); return n }
	cases := map[string]struct {
		nodes []Node
		want  site.Cluster
		bad   int
		ready int
	}{
		"all there":          {[]Node{master, worker}, want, 0, 2},
		"one missing":        {[]Node{master}, want, 1, 1},
		"none":               {nil, want, 2, 0},
		"one not ready":      {[]Node{master, with(worker, func(n *Node) { n.Ready = false })}, want, 1, 1},
		"one too many":       {[]Node{master, worker, {Name: "x", Ready: true}}, want, 1, 3},
		"wrong role":         {[]Node{with(master, func(n *Node) { n.Control = false }), worker}, want, 1, 2},
		"named by host":      {[]Node{with(master, func(n *Node) { n.Name = "m1" }), worker}, want, 1, 2},
		"host name is meant": {[]Node{with(master, func(n *Node) { n.Name = "m1" }), worker}, byName, 0, 2},
		"another cluster":    {[]Node{{Name: "10.0.0.1", Ready: true, Control: true}}, want, 3, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := judgeNodes(c.nodes, c.want)
			assert.Equal(t, c.bad, blocking(got.Findings), "%+v", got.Findings)
			assert.Equal(t, c.ready, got.Ready)
			assert.Equal(t, len(c.nodes), got.Total)
		})
	}
}

func TestReadNode(t *testing.T) {
	n := corev1.Node{Status: corev1.NodeStatus{
		Addresses:  []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.1"}, {Type: corev1.NodeHostName, Address: "m1"}},
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionUnknown, Reason: "NodeStatusUnknown"}},
	}}
	n.Labels = map[string]string{"node-role.kubernetes.io/master": ""}
	got := readNode(n)
	assert.False(t, got.Ready, "unknown is not ready")
	assert.True(t, got.Control)
	assert.Equal(t, []string{"192.0.2.1"}, got.Addresses)
	assert.Contains(t, got.Reason, "NodeStatusUnknown")
	assert.False(t, readNode(corev1.Node{}).Ready, "no condition is not ready")
}

func status(fields map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"status": fields}}
}

func TestJudgeModule(t *testing.T) {
	base := func(deploy, running string) map[string]any {
		return map[string]any{"base": map[string]any{"deployStatus": deploy, "runningStatus": running}}
	}
	release := func(ready, failed bool) map[string]any {
		return map[string]any{"phase": "Running", "appReleases": map[string]any{"x": map[string]any{"ready": ready, "failed": failed, "synced": true}}}
	}
	cases := map[string]struct {
		status map[string]any
		want   checks.Outcome
	}{
		"running":                 {map[string]any{"phase": "Running"}, checks.Pass},
		"installing":              {map[string]any{"phase": "Installing"}, checks.Error},
		"failed":                  {map[string]any{"phase": "Failed"}, checks.Fail},
		"a word never seen":       {map[string]any{"phase": "Splendid"}, checks.Error},
		"no status":               {map[string]any{}, checks.Error},
		"base healthy":            {base("Completed", "Healthy"), checks.Pass},
		"base still deploying":    {base("Deploying", "NotRunning"), checks.Error},
		"base deployed, not up":   {base("Completed", "NotRunning"), checks.Error},
		"base failed":             {base("DeployFailed", "NotRunning"), checks.Fail},
		"base abnormal":           {base("Completed", "Abnormal"), checks.Fail},
		"phase against base":      {map[string]any{"phase": "Running", "base": base("Completed", "Abnormal")["base"]}, checks.Fail},
		"charts ready":            {release(true, false), checks.Pass},
		"a chart failed":          {release(false, true), checks.Fail},
		"a chart is not ready":    {release(false, false), checks.Error},
		"phase of another type":   {map[string]any{"phase": int64(1)}, checks.Error},
		"releases of another one": {map[string]any{"phase": "Running", "appReleases": map[string]any{"x": "ready"}}, checks.Error},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := judgeModule(status(c.status)).Findings
			assert.Len(t, got, 1)
			assert.Equal(t, c.want, got[0].Outcome, "%+v", got[0])
		})
	}
}

func TestJudgeReleases(t *testing.T) {
	conditions := func(pairs ...string) unstructured.Unstructured {
		var list []any
		for i := 0; i < len(pairs); i += 2 {
			list = append(list, map[string]any{"type": pairs[i], "status": pairs[i+1], "message": "says why"})
		}
		return *status(map[string]any{"conditions": list})
	}
	cases := map[string]struct {
		item unstructured.Unstructured
		want checks.Outcome
	}{
		"synced and healthy":     {conditions("Sync", "True", "Health", "True"), checks.Pass},
		"a condition more":       {conditions("Sync", "True", "Health", "True", "Whatever", "False"), checks.Pass},
		"not healthy":            {conditions("Sync", "True", "Health", "False"), checks.Fail},
		"sync failed":            {conditions("Health", "True", "Sync", "False"), checks.Fail},
		"unknown health":         {conditions("Sync", "True", "Health", "Unknown"), checks.Error},
		"failure beats unknown":  {conditions("Sync", "False", "Health", "Unknown"), checks.Fail},
		"Failed is True":         {conditions("Ready", "True", "Failed", "True"), checks.Fail},
		"Failed is False":        {conditions("Ready", "True", "Failed", "False"), checks.Pass},
		"nothing that is known":  {conditions("Whatever", "True"), checks.Error},
		"only Failed=False":      {conditions("Failed", "False"), checks.Error},
		"no conditions":          {*status(map[string]any{}), checks.Error},
		"conditions are no list": {*status(map[string]any{"conditions": "True"}), checks.Error},
		"conditions are strings": {*status(map[string]any{"conditions": []any{"Health"}}), checks.Error},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, seen := judgeRelease(c.item)
			assert.Equal(t, c.want, got, seen)
		})
	}
	assert.Equal(t, 1, blocking(judgeReleases(nil).Findings), "no AppRelease at all is not healthy")
	all := judgeReleases([]unstructured.Unstructured{cases["synced and healthy"].item, cases["not healthy"].item})
	assert.Equal(t, 1, all.Healthy)
	assert.Equal(t, 1, blocking(all.Findings))
	assert.Contains(t, all.Findings[0].Seen, "says why")
}

func pod(phase corev1.PodPhase, ready bool, edits ...func(*corev1.Pod)) corev1.Pod {
	cond := corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionFalse, Reason: "ContainersNotReady"}
	if ready {
		cond = corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue}
	}
	p := corev1.Pod{Status: corev1.PodStatus{Phase: phase, Conditions: []corev1.PodCondition{cond}}}
	for _, e := range edits {
		e(&p)
	}
	return p
}

func TestJudgePods(t *testing.T) {
	terminating := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(0, 0)} }
	restarted := func(n int32) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: n, Ready: true}}
		}
	}
	waiting := func(p *corev1.Pod) {
		p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{
			Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "no such image"}}}}
	}
	ofJob := func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: "Job", UID: "job-1", Controller: new(true)}}
	}
	cases := map[string]struct {
		pod  corev1.Pod
		want checks.Outcome
		seen string
	}{
		"running and ready":        {pod(corev1.PodRunning, true), checks.Pass, ""},
		"completed job":            {pod(corev1.PodSucceeded, false), checks.Pass, ""},
		"running 0/1":              {pod(corev1.PodRunning, false), checks.Fail, "ContainersNotReady"},
		"terminating 1/1":          {pod(corev1.PodRunning, true, terminating), checks.Fail, "Terminating since 1970"},
		"pending":                  {pod(corev1.PodPending, false, waiting), checks.Fail, "container app ImagePullBackOff no such image"},
		"failed":                   {pod(corev1.PodFailed, false), checks.Fail, "Failed"},
		"failed try of a good job": {pod(corev1.PodFailed, false, ofJob), checks.Pass, ""},
		"unknown":                  {pod(corev1.PodUnknown, false), checks.Fail, "Unknown"},
		"no phase":                 {pod("", false), checks.Fail, ""},
		"a few restarts":           {pod(corev1.PodRunning, true, restarted(3)), checks.Pass, ""},
		"many restarts":            {pod(corev1.PodRunning, true, restarted(50)), checks.Warn, "50 restarts"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, seen := judgePod(c.pod, map[string]bool{"job-1": true})
			assert.Equal(t, c.want, got, seen)
			assert.Contains(t, seen, c.seen)
		})
	}
	failed, _ := judgePod(pod(corev1.PodFailed, false, ofJob), nil)
	assert.Equal(t, checks.Fail, failed, "the Job did not complete")
	assert.Equal(t, 1, blocking(judgePods(nil, nil).Findings), "no Pod at all is not healthy")
}

func TestPodFindingsAreBounded(t *testing.T) {
	var pods []corev1.Pod
	for range 2 * maxPodFindings { // notes that come first must not hide a failure
		pods = append(pods, pod(corev1.PodRunning, true, func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{{RestartCount: 50, Ready: true}}
		}))
	}
	for i := range 200 {
		p := pod(corev1.PodPending, false)
		p.Name = fmt.Sprint("p", i)
		pods = append(pods, p)
	}
	got := judgePods(append(pods, pod(corev1.PodRunning, true)), nil)
	assert.Equal(t, 200, got.Bad)
	assert.Equal(t, 2*maxPodFindings+1, got.Ready)
	assert.Len(t, got.Findings, maxPodFindings)
	assert.Equal(t, maxPodFindings, blocking(got.Findings))
}
