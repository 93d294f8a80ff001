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
	noise := "Authorized users only!\x1b[31m\nfact machine 0 bm9pc2U=\n" + strings.Repeat("x", 10<<20) + "\n"
	out := noise + strings.Replace(rhel86().output(), "fact uid", "a background job says hello\nfact uid", 1) + "bye\n"
	f, err := ParseFacts([]byte(out))
	require.NoError(t, err)
	assert.Equal(t, "x86_64", f.Machine)
}

func TestParseFactsRefuses(t *testing.T) {
	good := rhel86().output()
	end := strings.LastIndex(good, "end ")
	for name, c := range map[string]struct{ out, want string }{
		"nothing":         {"", "no header"},
		"only noise":      {"bash: command not found\n", "no header"},
		"cut short":       {good[:end], "ends early"},
		"cut in a line":   {good[:strings.Index(good, "MAo=")+2], "uid: illegal base64"},
		"lost beginning":  {good[200:], "no header"},
		"lost line":       {strings.Replace(good, "fact uid 0 MAo=\n", "", 1), "facts came"},
		"line torn apart": {strings.Replace(good, "fact uid 0 MAo=\n", "fact u\nid 0 MAo=\n", 1), "malformed line"},
		"double fact":     {strings.Replace(good, "fact uid 0 MAo=\n", "fact uid 0 MAo=\nfact uid 0 MAo=\n", 1), "uid came twice"},
		"two headers":     {"acpflow-facts 1\n" + good, "two headers"},
		"other version":   {strings.Replace(good, "acpflow-facts 1", "acpflow-facts 2", 1), "no header"},
		"bad status":      {strings.Replace(good, "fact uid 0", "fact uid x", 1), "uid: malformed status x"},
		"bad base64":      {strings.Replace(good, "MAo=", "M*o=", 1), "uid: illegal base64"},
		"bad count":       {good[:end] + "end many\n", "the node says"},
		"no machine":      {rhel86().with(said{"machine": "!127"}).output(), "machine: the command to read it is not installed"},
		"two machines":    {rhel86().with(said{"machine": "x86_64\naarch64\n"}).output(), "machine: expected one line"},
	} {
		_, err := ParseFacts([]byte(c.out))
		assert.ErrorContains(t, err, c.want, name)
	}
}

func TestUnknownValues(t *testing.T) {
	f := rhel86().with(said{
		"uid": "!1", "swaps": "!124", "tools": "!125", "tmp": "!126", "resolv": "!66",
		"hosts": strings.Repeat("a", maxValue), "units": strings.Repeat("a", maxValue+1),
	}).facts(t)
	for name, want := range map[string]string{
		"uid": "ended with status 1", "swaps": "no answer within 10 s", "tools": "could not encode",
		"tmp": "not installed", "units": "longer than 64 KiB", "nobody": "did not report", "resolv": "no such file",
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
	f.Add([]byte("acpflow-facts 1\nfact machine 0 eDg2XzY0\nend 1\n"))
	f.Add([]byte("acpflow-facts 1\nend 0\n"))
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
	in := Input{Site: document(), Cluster: "west", Node: "cp-1", Facts: facts, Now: now}
	all := TogetherInput{Site: in.Site, Cluster: "west", Now: now, Nodes: map[string]Shared{}}
	for _, n := range []string{"cp-1", "cp-2", "w-1"} {
		all.Nodes[n] = facts.Shared()
	}
	findings := append(Judge(in), JudgeTogether(all)...)
	require.Len(t, findings, len(Rules()))
	for _, f := range findings {
		require.NotEmpty(t, f.Outcome)
		text := f.Seen + f.Reason + f.Want + f.Fix
		require.Less(t, len(text), 4000)
		for _, r := range text {
			require.True(t, unicode.IsPrint(r), "%q", text)
		}
	}
}
