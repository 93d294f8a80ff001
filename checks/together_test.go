package checks

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
)

func goodShared(name string) Shared {
	return Shared{
		Hostname: name, MachineID: name, Zone: "Europe/Moscow", UTCOffset: "+0300", Clock: &Clock{0.1, 0.1},
		Machine: amd64, Cores: 32, Memory: 64e9,
	}
}

// together judges the document's three nodes after a change to what they told.
func together(rule string, change func(map[string]Shared), waivers ...site.Waiver) Finding {
	nodes := map[string]Shared{}
	for _, n := range []string{"cp-1", "cp-2", "w-1"} {
		nodes[n] = goodShared(n)
	}
	change(nodes)
	in := TogetherInput{Site: document(), Cluster: "west", Nodes: nodes, Now: now}
	in.Site.Waivers = waivers
	for _, f := range JudgeTogether(in) {
		if f.Rule == rule {
			return f
		}
	}
	return Finding{}
}

// on changes what one node told.
func on(node string, change func(*Shared)) func(map[string]Shared) {
	return func(nodes map[string]Shared) {
		s := nodes[node]
		change(&s)
		nodes[node] = s
	}
}

func clockOf(offset, doubt float64) func(*Shared) {
	return func(s *Shared) { s.Clock = &Clock{offset, doubt} }
}

func TestJudgeTogether(t *testing.T) {
	good := func(map[string]Shared) {}
	gone := func(nodes map[string]Shared) { delete(nodes, "cp-2") }
	for _, c := range []struct {
		name, rule string
		change     func(map[string]Shared)
		want       Outcome
		seen       string
	}{
		{"three names", "CHK-27", good, Pass, "3 hostnames"},
		{"one name twice", "CHK-27", on("w-1", func(s *Shared) { s.Hostname = "cp-1" }), Fail, "cp-1 on cp-1, w-1"},
		{"one name in two spellings", "CHK-27", on("w-1", func(s *Shared) { s.Hostname = "CP-1" }), Fail, "cp-1 on cp-1, w-1"},
		{"copies of one machine", "CHK-27", on("w-1", func(s *Shared) { s.MachineID = "cp-2" }), Warn, "cp-2, w-1"},
		{"no machine id", "CHK-27", on("w-1", func(s *Shared) { s.MachineID = "" }), Pass, ""},
		{"no name told", "CHK-27", on("w-1", func(s *Shared) { s.Hostname = "" }), Error, "w-1"},
		{"a node is missing", "CHK-27", gone, Error, "no facts of cp-2"},
		{"one time", "CHK-28", good, Pass, "0.0 s"},
		{"another zone", "CHK-28", on("w-1", func(s *Shared) { s.Zone, s.UTCOffset = "UTC", "+0000" }), Fail, "+0300 on cp-1, cp-2; +0000 on w-1"},
		{"another name for the same offset", "CHK-28", on("w-1", func(s *Shared) { s.Zone = "Europe/Minsk" }), Warn, "Europe/Minsk on w-1"},
		{"a zone without a name", "CHK-28", on("w-1", func(s *Shared) { s.Zone = "" }), Pass, ""},
		{"10 s ahead", "CHK-28", on("w-1", clockOf(9.8, 0.1)), Pass, "w-1 is 9.7 s ahead of cp-1"},
		{"11 s ahead", "CHK-28", on("w-1", clockOf(11.1, 0.1)), Fail, "w-1 is 11.0 s ahead of cp-1"},
		{"11 s behind", "CHK-28", on("w-1", clockOf(-10.9, 0.1)), Fail, "cp-1 is 11.0 s ahead of w-1"},
		{"too slow to tell", "CHK-28", on("w-1", clockOf(9, 3)), Error, "too slow to tell"},
		{"slow, but sure", "CHK-28", on("w-1", clockOf(60, 3)), Fail, "59.9 s"},
		{"no clock told", "CHK-28", on("w-1", func(s *Shared) { s.Clock = nil }), Error, "w-1 did not tell its time"},
		{"no offset told", "CHK-28", on("w-1", func(s *Shared) { s.UTCOffset = "" }), Error, "w-1 did not tell its time zone"},
		{"a node without time is missing", "CHK-28", gone, Error, "no facts of cp-2"},
	} {
		f := together(c.rule, c.change)
		assert.Equal(t, c.want, f.Outcome, "%s: %+v", c.name, f)
		assert.Contains(t, f.Seen+f.Reason, c.seen, c.name)
	}
}

func TestJudgeTogetherAlways(t *testing.T) {
	twins := on("w-1", func(s *Shared) { s.Hostname, s.Zone, s.UTCOffset = "cp-1", "UTC", "+0000" })
	for range 50 { // maps have no order
		require.Equal(t, together("CHK-27", twins), together("CHK-27", twins))
		require.Equal(t, together("CHK-28", twins), together("CHK-28", twins))
	}
	assert.Equal(t, Waived, together("CHK-27", twins, site.Waiver{Rule: "CHK-27", Expires: "2026-03-11"}).Outcome)
	for _, f := range JudgeTogether(TogetherInput{Site: document(), Cluster: "east"}) {
		assert.Equal(t, Error, f.Outcome)
		assert.Contains(t, f.Reason, "no cluster east")
	}
}

func TestShared(t *testing.T) {
	got := rhel86().facts(t).Shared()
	require.NotNil(t, got.Clock)
	assert.InDelta(t, 0, got.Clock.Offset, 1e-6, "the script ran in the middle of the wait")
	assert.InDelta(t, 0.1, got.Clock.Error, 1e-6)
	got.Clock = nil
	assert.Equal(t, Shared{
		Hostname: "cp-1", MachineID: "0123456789abcdef0123456789abcdef", Zone: "Europe/Moscow", UTCOffset: "+0300",
		Machine: amd64, Cores: 32, Memory: 65535900 * 1024,
	}, got)

	data, err := json.Marshal(rhel86().facts(t).Shared())
	require.NoError(t, err)
	assert.Less(t, len(data), 300)
	var back Shared
	require.NoError(t, json.Unmarshal(data, &back))
	assert.Equal(t, rhel86().facts(t).Shared(), back)
}

func TestSharedClock(t *testing.T) {
	ahead := rhel86().with(said{"time-start": "1773144060.100000000\n", "time-end": "1773144060.300000000\n"}).facts(t)
	assert.InDelta(t, 60, ahead.Shared().Clock.Offset, 1e-6)

	for name, value := range map[string]string{"a number that is none": "NaN", "infinite": "Inf", "no number": "soon", "old date": "%s.%N", "negative": "-5"} {
		assert.Nil(t, rhel86().with(said{"time-end": value}).facts(t).Shared().Clock, name)
	}
	unset := rhel86().facts(t)
	unset.Sent = time.Time{}
	assert.Nil(t, unset.Shared().Clock)
	reversed := rhel86().facts(t)
	reversed.Received = reversed.Sent.Add(-time.Second)
	assert.Nil(t, reversed.Shared().Clock)
}

func TestSharedZone(t *testing.T) {
	for value, want := range map[string]Shared{
		"+0000\n/usr/share/zoneinfo/Etc/UTC\n":      {UTCOffset: "+0000", Zone: "UTC"},
		"+0000\n/usr/share/zoneinfo/Zulu\n":         {UTCOffset: "+0000", Zone: "UTC"},
		"+0100\n/usr/share/zoneinfo/Africa/Lagos\n": {UTCOffset: "+0100", Zone: "Africa/Lagos"},
		"+0000\n/etc/localtime\n":                   {UTCOffset: "+0000"},
		"+0000\n":                                   {UTCOffset: "+0000"},
		"!1":                                        {},
		"":                                          {},
	} {
		got := rhel86().with(said{"timezone": value}).facts(t).Shared()
		assert.Equal(t, want, Shared{UTCOffset: got.UTCOffset, Zone: got.Zone}, fmt.Sprintf("%q", value))
	}
}
