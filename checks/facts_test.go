package checks

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
)

func TestParseFacts(t *testing.T) {
	f, err := ParseFacts([]byte(rhel86().output()))
	require.NoError(t, err)
	assert.Equal(t, "x86_64", f.Machine)
	kernel, err := f.line("kernel")
	require.NoError(t, err)
	assert.Equal(t, "4.18.0-372.9.1.el8.x86_64", kernel)
}

func TestParseFactsPassesNoiseOver(t *testing.T) {
	noise := "Authorized users only!\x1b[31m\nfacts bm9pc2U=\n" + strings.Repeat("x", 10<<20) + "\n"
	out := noise + strings.Replace(rhel86().output(), "\nfacts", "\na background job says hello\nfacts", 1) + "bye\n"
	f, err := ParseFacts([]byte(out))
	require.NoError(t, err)
	assert.Equal(t, "x86_64", f.Machine)
}

func TestParseFactsRefuses(t *testing.T) {
	good, raw, count := rhel86().output(), rhel86().raw(), len(rhel86())
	end := strings.LastIndex(good, "end ")
	for name, c := range map[string]struct{ out, want string }{
		"nothing":            {"", "no header"},
		"only noise":         {"bash: command not found\n", "no header"},
		"cut short":          {good[:end], "ends early"},
		"cut in the facts":   {good[:end/2], "ends early"},
		"part of the facts":  {good[:end/2] + "\n" + good[end:], "node facts: "},
		"lost beginning":     {good[20:], "no header"},
		"no facts":           {header + "\nend 0\n", "did not report it"},
		"lost fact":          {packed(raw, count+1), "facts came"},
		"torn apart":         {strings.Replace(good, "\nfacts ", "\nfac\nts ", 1), "facts came"},
		"facts twice":        {strings.Replace(good, "\nend", "\nfacts \nend", 1), "they came twice"},
		"double fact":        {packed(raw+"uid 0 1\n0\n", count), "uid came twice"},
		"two headers":        {header + "\n" + good, "two headers"},
		"other version":      {strings.Replace(good, header, "acpflow-facts 1", 1), "no header"},
		"no status":          {packed("uid 1\n0\n", 1), "malformed fact uid"},
		"bad status":         {packed("uid x 1\n0\n", 1), "malformed fact"},
		"bad length":         {packed("uid 0 x\n0\n", 1), "malformed fact"},
		"negative length":    {packed("uid 0 -1\n0\n", 1), "not -1 bytes"},
		"length too short":   {packed("uid 0 1\n00\n", 1), "not 1 bytes"},
		"length too long":    {packed("uid 0 2\n0\n", 1), "not 2 bytes"},
		"length much longer": {packed("uid 0 9999999999\n0\n", 1), "bytes long"},
		"no end of line":     {packed("uid", 1), "malformed fact uid"},
		"bad base64":         {header + "\nfacts M*o=\nend 1\n", "illegal base64"},
		"bad count":          {good[:end] + "end many\n", "the node says"},
		"no machine":         {rhel86().with(said{"machine": "!127"}).output(), "machine: the command to read it is not installed"},
		"two machines":       {rhel86().with(said{"machine": "x86_64\naarch64\n"}).output(), "machine: expected one line"},
	} {
		_, err := ParseFacts([]byte(c.out))
		assert.ErrorContains(t, err, c.want, name)
	}
}

func TestUnknownValues(t *testing.T) {
	f := rhel86().with(said{
		"uid": "!1", "swaps": "!124", "tools": "!125", "disks": "!126", "resolv": "!66",
		"hosts": strings.Repeat("a", maxValue), "units": strings.Repeat("a", maxValue+1),
	}).facts(t)
	for name, want := range map[string]string{
		"uid": "ended with status 1", "swaps": "no answer within 10 s", "tools": "could not encode",
		"disks": "not installed", "units": "longer than 64 KiB", "nobody": "did not report", "resolv": "no such file",
	} {
		_, err := f.text(name)
		assert.ErrorContains(t, err, want, name)
	}
	_, err := f.text("hosts")
	assert.NoError(t, err, "as long as may be")
	_, exists, err := f.file("resolv")
	assert.NoError(t, err)
	assert.False(t, exists)
}

func TestClip(t *testing.T) {
	assert.Equal(t, "eth0", clip("eth0"))
	assert.Equal(t, `""`, clip(""))
	assert.Equal(t, `"\x1b[31m\n"`, clip("\x1b[31m\n"))
	assert.Equal(t, `"\u202e\xff"`, clip("\u202e\xff"))
	assert.LessOrEqual(t, len(clip(strings.Repeat("\x1b", 10<<20))), 600)
}

func FuzzParseFacts(f *testing.F) {
	f.Add([]byte(rhel86().output()))
	f.Add([]byte(packed("machine 0 6\nx86_64\n", 1)))
	f.Add([]byte(header + "\nend 0\n"))
	f.Fuzz(func(t *testing.T, out []byte) {
		facts, err := ParseFacts(out)
		if err != nil {
			return
		}
		require.NotEmpty(t, facts.Machine)
		judgeAnything(t, facts)
	})
}

// FuzzJudge lets a node say anything in place of one fact.
func FuzzJudge(f *testing.F) {
	names := slices.Sorted(maps.Keys(rhel86()))
	for i, name := range names {
		f.Add(i, []byte(rhel86()[name]))
	}
	f.Fuzz(func(t *testing.T, i int, value []byte) {
		if i < 0 || i >= len(names) || bytes.HasPrefix(value, []byte("!")) {
			return
		}
		facts, err := ParseFacts([]byte(rhel86().with(said{names[i]: string(value)}).output()))
		if err == nil {
			judgeAnything(t, facts)
		}
	})
}

// judgeAnything demands that judging ends in findings a terminal can show.
func judgeAnything(t *testing.T, facts Facts) {
	for _, p := range site.Profiles() {
		judgeAnythingBy(t, facts, p)
	}
}

func judgeAnythingBy(t *testing.T, facts Facts, profile string) {
	in := Input{Site: document(), Cluster: "west", Node: "cp-1", Facts: facts, Now: now}
	in.Site.Profile = profile
	all := TogetherInput{Site: in.Site, Cluster: "west", Now: now, Nodes: map[string]Shared{}}
	for _, n := range []string{"cp-1", "cp-2", "w-1"} {
		all.Nodes[n] = facts.Shared()
	}
	findings := append(Judge(in), JudgeTogether(all)...)
	judged := 0
	for _, r := range Rules() {
		if r.Judged() && r.In(profile) {
			judged++
		}
	}
	require.Len(t, findings, judged, "each rule once")
	for _, f := range findings {
		require.NotEmpty(t, f.Outcome)
		text := f.Seen + f.Reason + f.Want + f.Fix
		require.Less(t, len(text), 4000)
		for _, r := range text {
			require.True(t, unicode.IsPrint(r), "%q", text)
		}
	}
}

// Whatever a node says in place of any fact, it stays a finding people can read.
func TestHostileFacts(t *testing.T) {
	for name := range rhel86() {
		good, long := rhel86()[name], 1<<17
		if name == "listeners" { // once is enough
			long = 10 << 20
		}
		for _, value := range []string{
			strings.Repeat("x", long), strings.Repeat("a b c d e\n", 6000), "\x00\xff\xfe\x1b[2J\x07", "\x1b]0;title\a", "$(reboot)`reboot`;reboot\n",
			`"'\"'` + "\n", "\n\n\n", "a\nb\rc\n", "\u202e\u2028", "/etc/x\ny/\x1b[31m full\n", "9999999999999999999999 -1 NaN Inf\n", good + good, strings.ToUpper(good), strings.ReplaceAll(good, " ", "\x1b"),
		} {
			facts, err := ParseFacts([]byte(rhel86().with(said{name: value}).output()))
			if err == nil {
				judgeAnythingBy(t, facts, seed)
				judgeAnythingBy(t, facts, acp42)
			}
		}
	}
}

// FuzzNodeRecord lets a node send anything, or fail in any way.
func FuzzNodeRecord(f *testing.F) {
	f.Add(rhel86().output(), "", false)
	f.Add("", "no route to host\x1b[2J", false)
	f.Add("", "sudo: a password is required", true)
	f.Add(packed("machine 0 6\nx86_64\n", 1), "", true)
	f.Fuzz(func(t *testing.T, output, trouble string, noSudo bool) {
		record := NodeRecord{Node: "cp-1", Sent: now, Received: now, Output: output, Fault: trouble, NoSudo: noSudo}
		findings, shared := JudgeNode(document(), "west", record, now)
		require.NotEmpty(t, findings)
		_, err := record.Facts()
		require.Equal(t, err == nil, shared != nil)
		for _, f := range findings {
			if err != nil {
				require.True(t, f.Blocking(), "%+v", f)
			}
		}
	})
}
