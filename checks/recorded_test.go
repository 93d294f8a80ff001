package checks

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/site"
)

// readRecorded reads facts as people can: "== NAME STATUS LENGTH", then the value.
func readRecorded(t *testing.T, file string) Facts {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	_, text, _ := strings.Cut(string(data), "\n") // where it comes from
	var raw strings.Builder
	count := 0
	for ; text != ""; count++ {
		head, rest, ok := strings.Cut(text, "\n")
		require.True(t, ok && strings.HasPrefix(head, "== "), head)
		length, err := strconv.Atoi(head[strings.LastIndexByte(head, ' ')+1:])
		require.NoError(t, err)
		raw.WriteString(strings.TrimPrefix(head, "== ") + "\n" + rest[:length+1])
		text = rest[length+1:]
	}
	f, err := ParseFacts([]byte(packed(raw.String(), count)))
	require.NoError(t, err)
	for name := range rhel86() {
		_, told := f.values[name]
		assert.True(t, told, "%s: no %s", file, name)
	}
	return f
}

// The systems of the table, with their odd outputs, are understood: no rule
// can't tell, and the verdicts are these, profile by profile.
func TestRecordedSystems(t *testing.T) {
	files, err := filepath.Glob("testdata/facts/*.facts")
	require.NoError(t, err)
	require.Len(t, files, 10)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".facts")
		t.Run(name, func(t *testing.T) {
			facts := readRecorded(t, file)
			verdicts := map[string]map[string]Finding{}
			for _, p := range site.Profiles() {
				in := Input{Site: document(), Cluster: "west", Node: "cp-1", Facts: facts, Now: now}
				in.Site.Profile = p
				verdicts[p] = map[string]Finding{}
				for _, f := range Judge(in) {
					verdicts[p][f.Rule] = f
					if name != "debian-12" { // a container without systemd
						assert.NotEqual(t, Error, f.Outcome, "%s: %+v", p, f)
					}
				}
			}
			var b strings.Builder
			for _, r := range Rules() {
				if r.judge == nil {
					continue
				}
				fmt.Fprintf(&b, "%s", r.ID)
				for _, p := range site.Profiles() {
					outcome := verdicts[p][r.ID].Outcome
					if outcome == "" { // the edition does not have the rule
						outcome = "-"
					}
					fmt.Fprintf(&b, " %s=%s", strings.TrimPrefix(p, "acp-"), outcome)
				}
				for _, p := range []string{seed, acp42} {
					if f := verdicts[p][r.ID]; f.Outcome != Skipped && f.Seen+f.Reason != "" {
						fmt.Fprintf(&b, "\n  %s: %s", strings.TrimPrefix(p, "acp-"), strings.TrimSpace(f.Seen+" "+f.Reason))
					}
				}
				b.WriteString("\n")
			}
			golden(t, "facts/"+name+".verdicts", b.String())
		})
	}
}
