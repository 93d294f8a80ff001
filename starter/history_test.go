package main

import (
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/mock"
	"github.com/stretchr/testify/require"
	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/mocks"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/factstore"
	"github.com/acpflow/acpflow/site"
)

// past is a history as the server gives it.
type past struct {
	t      *testing.T
	events []*historypb.HistoryEvent
	next   int
	err    error // at the end
}

func (p *past) HasNext() bool { return p.next < len(p.events) || p.err != nil }

func (p *past) Next() (*historypb.HistoryEvent, error) {
	if p.next == len(p.events) {
		return nil, p.err
	}
	p.next++
	return p.events[p.next-1], nil
}

// did adds an activity with its input and result; a nil result means that it failed.
func (p *past) did(name string, input, result any) *past {
	p.t.Helper()
	scheduled := int64(len(p.events) + 1)
	p.events = append(p.events, &historypb.HistoryEvent{EventId: scheduled, EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
		Attributes: &historypb.HistoryEvent_ActivityTaskScheduledEventAttributes{ActivityTaskScheduledEventAttributes: &historypb.ActivityTaskScheduledEventAttributes{
			ActivityType: &commonpb.ActivityType{Name: name}, Input: payloads(p.t, input)}}})
	end := &historypb.HistoryEvent{EventId: scheduled + 1, EventType: enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED}
	if result != nil {
		end.EventType = enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
		end.Attributes = &historypb.HistoryEvent_ActivityTaskCompletedEventAttributes{ActivityTaskCompletedEventAttributes: &historypb.ActivityTaskCompletedEventAttributes{
			ScheduledEventId: scheduled, Result: payloads(p.t, result)}}
	}
	p.events = append(p.events, end)
	return p
}

func payloads(t *testing.T, v any) *commonpb.Payloads {
	t.Helper()
	out, err := converter.GetDefaultDataConverter().ToPayloads(v)
	require.NoError(t, err)
	return out
}

func packed(t *testing.T, r checks.Record) []byte {
	t.Helper()
	b, err := r.Pack()
	require.NoError(t, err)
	return b
}

var noon = time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)

// moscow is the site that the histories are about.
func moscow() site.Snapshot {
	return site.Snapshot{Name: "moscow", Site: site.Site{Name: "moscow", Clusters: []site.Cluster{
		{Name: "west", Nodes: []site.Node{{Name: "m1", Role: site.ControlPlane}, {Name: "m2", Role: site.Worker}}}, {Name: "east"},
	}}}
}

// preflightPast reads two nodes, one of them twice, and the network.
func preflightPast(t *testing.T) *past {
	nodes := func(at time.Time, records ...checks.NodeRecord) activities.NodeReports {
		return activities.NodeReports{Record: packed(t, checks.Record{Judged: at, Nodes: records})}
	}
	mesh := checks.Mesh{Measured: noon, Pairs: []checks.Pair{{From: "m1", To: "m2", Reached: 7}}}
	p := &past{t: t}
	return p.did("LoadSite", activities.LoadSiteInput{Site: "moscow", Cluster: "west"}, moscow()).
		did("RecordPlan", activities.RecordPlanInput{}, activities.Evidence{}).
		did("CheckNodes", activities.CheckInput{}, nodes(noon, checks.NodeRecord{Node: "m1", Output: "facts"}, checks.NodeRecord{Node: "m2", Fault: "no route"})).
		did("CheckNodes", activities.CheckInput{}, nil).
		did("CheckNodes", activities.CheckInput{}, nodes(noon.Add(time.Minute), checks.NodeRecord{Node: "m2", Output: "later facts"})).
		did("ViewPackage", activities.InspectInput{}, checks.PackageView{Error: "md5 differs"}).
		did("ViewPackage", activities.InspectInput{}, checks.PackageView{SHA256: "ab"}).
		did("ProbeNodes", activities.ProbeNodesInput{}, mesh)
}

func TestReadHistory(t *testing.T) {
	p := preflightPast(t)
	got, err := readHistory(p)
	require.NoError(t, err)
	want := checks.Record{
		Judged:  noon.Add(time.Minute),
		Nodes:   []checks.NodeRecord{{Node: "m1", Output: "facts"}, {Node: "m2", Output: "later facts"}},
		Mesh:    &checks.Mesh{Measured: noon, Pairs: []checks.Pair{{From: "m1", To: "m2", Reached: 7}}},
		Package: &checks.PackageView{SHA256: "ab"},
	}
	assert.Equal(t, want, got.record, "what was read last counts, also before it was judged")
	assert.Equal(t, "west", got.cluster)
	assert.Equal(t, moscow(), got.snapshot)

	want.Judged, want.Unprobed, want.Balancer = noon.Add(time.Hour), "the request says so", &checks.BalancerView{Address: "192.0.2.10"}
	p.next = 0
	p.did("ProbeBalancer", activities.ProbeBalancerInput{}, checks.BalancerView{Address: "192.0.2.10"}).
		did("CompareNodes", activities.TogetherInput{}, activities.TogetherResult{
			Record: packed(t, checks.Record{Judged: want.Judged, Unprobed: want.Unprobed})})
	got, err = readHistory(p)
	require.NoError(t, err)
	assert.Equal(t, want, got.record)
}

func TestReadHistoryOfAnInstall(t *testing.T) {
	p := &past{t: t}
	p.did("LoadSite", activities.LoadSiteInput{Site: "moscow", Cluster: "west"}, moscow()).
		did("InspectPackage", activities.InspectInput{}, activities.InspectResult{View: checks.PackageView{SHA256: "cd"}})
	got, err := readHistory(p)
	require.NoError(t, err)
	assert.Equal(t, &checks.PackageView{SHA256: "cd"}, got.record.Package)
}

// A repair reads nodes too, and its facts can be judged again.
func TestReadHistoryOfARepair(t *testing.T) {
	read := checks.Record{Judged: noon, Unprobed: "a repair", Nodes: []checks.NodeRecord{{Node: "m1", Output: "facts"}}}
	p := &past{t: t}
	p.did("LoadSite", activities.LoadSiteInput{Site: "moscow", Cluster: "west"}, moscow()).
		did("PlanRepairs", activities.RepairInput{}, activities.RepairPlan{Record: packed(t, read)})
	got, err := readHistory(p)
	require.NoError(t, err)
	assert.Equal(t, read, got.record)
}

func TestReadHistoryTellsWhereItBroke(t *testing.T) {
	p := &past{t: t}
	p.did("LoadSite", activities.LoadSiteInput{Site: "moscow"}, moscow())
	_, err := readHistory(p)
	assert.ErrorContains(t, err, `no cluster ""`, "the site has two")

	p = &past{t: t}
	p.did("CheckNodes", activities.CheckInput{}, activities.NodeReports{Record: []byte("no gzip")})
	_, err = readHistory(p)
	assert.ErrorContains(t, err, "event 2, CheckNodes")

	p = &past{t: t}
	p.did("LoadSite", "no input", moscow())
	_, err = readHistory(p)
	assert.ErrorContains(t, err, "event 1, LoadSite")

	lost := errors.New("connection lost")
	_, err = readHistory(&past{t: t, err: lost})
	assert.ErrorIs(t, err, lost)
}

func withPast(t *testing.T, p *past) *mocks.Client {
	t.Helper()
	c := mocks.NewClient(t)
	c.On("GetWorkflowHistory", mock.Anything, "preflight/moscow/west", "run", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Return(p)
	return c
}

func TestRecordOfNamesWhatIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		past *past
		code int
		says string
	}{
		"no run":       {&past{err: serviceerror.NewNotFound("gone")}, exitBadInput, "there is no run"},
		"no server":    {&past{err: errors.New("connection lost")}, exitCouldNot, "connection lost"},
		"nothing read": {&past{}, exitCouldNot, "no site document"},
		"no node read": {(&past{t: t}).did("LoadSite", activities.LoadSiteInput{Cluster: "west"}, moscow()), exitCouldNot, "read no node"},
	} {
		_, err := recordOf(t.Context(), withPast(t, c.past), "preflight/moscow/west", "run")
		assert.ErrorContains(t, err, c.says, name)
		assert.Equal(t, c.code, exitCode(err), name)
	}
}

func TestFactsOfARunAreWrittenOnce(t *testing.T) {
	found, err := recordOf(t.Context(), withPast(t, preflightPast(t)), "preflight/moscow/west", "run")
	require.NoError(t, err)
	cmd := newFactsCmd()
	cmd.SetErr(io.Discard)
	dir := filepath.Join(t.TempDir(), "facts")
	require.NoError(t, saveFacts(cmd, dir, found))
	back, err := factstore.Load(dir)
	require.NoError(t, err)
	assert.Equal(t, found.record, back)
	assert.Equal(t, exitBadInput, exitCode(saveFacts(cmd, dir, found)), "facts are never overwritten")
}
