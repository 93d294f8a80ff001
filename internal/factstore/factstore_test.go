package factstore

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
)

var when = time.Date(2026, 3, 10, 12, 0, 0, 123456789, time.UTC)

func record() checks.Record {
	return checks.Record{
		Judged: when,
		Nodes: []checks.NodeRecord{
			{Node: "cp-1", Sent: when, Received: when.Add(time.Second), Output: "banner\nacpflow-facts 1\nfact x 0 \nend 1\n"},
			{Node: "cp-2.example.com", Fault: "no route to host\nand more"},
			{Node: "w-1", Sent: when, Received: when, Fault: "sudo wants a password", NoSudo: true},
			{Node: "w-2", Sent: when, Received: when, Output: "acpflow-record w-2 - - fault\nno facts at all"},
		},
		Mesh:     &checks.Mesh{Measured: when, Pairs: []checks.Pair{{From: "cp-1", To: "w-1", Blocked: []string{"tcp/6443 timed out"}, Reached: 3, RTT: 0.4}}},
		Balancer: &checks.BalancerView{Measured: when, Address: "192.0.2.10", Ports: []checks.BalancerPort{{Port: 443, Reached: []string{"cp-1"}, Layer: "tcp"}}},
		Package:  &checks.PackageView{SHA256: "ab", Size: 7, Architectures: []string{"amd64"}},
		Unprobed: "the request says skipProbes",
	}
}

func TestSaveThenLoad(t *testing.T) {
	for name, r := range map[string]checks.Record{
		"everything": record(),
		"one node":   {Nodes: []checks.NodeRecord{{Node: "m1", Output: "x"}}},
		"no output":  {Nodes: []checks.NodeRecord{{Node: "m1", Sent: when, Received: when}}},
	} {
		dir := filepath.Join(t.TempDir(), "deep", "facts")
		require.NoError(t, Save(dir, r), name)
		back, err := Load(dir)
		require.NoError(t, err, name)
		assert.Equal(t, r, back, name)
	}
}

// TestNothingIsForgotten breaks when a record gets a field that the folder
// does not keep.
func TestNothingIsForgotten(t *testing.T) {
	full := record()
	for _, v := range []any{full, full.Nodes[2]} {
		value := reflect.ValueOf(v)
		for i := range value.NumField() {
			if name := value.Type().Field(i).Name; name != "Output" {
				assert.False(t, value.Field(i).IsZero(), "fill in %s, so that TestSaveThenLoad covers it", name)
			}
		}
	}
}

func TestTheFolderIsReadableForItsOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "facts")
	require.NoError(t, Save(dir, record()))
	info, err := os.Stat(dir)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), info.Mode().Perm())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 9)
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), e.Name())
	}
	text, err := os.ReadFile(filepath.Join(dir, "cp-1.facts"))
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(text), "acpflow-record cp-1 2026-03-10T12:00:00.123456789Z 2026-03-10T12:00:01.123456789Z output\nbanner\n"))
}

func TestSaveRefuses(t *testing.T) {
	full := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(full, "thesis.txt"), nil, 0o600))
	file := filepath.Join(full, "thesis.txt")
	for name, c := range map[string]struct{ dir, node, says string }{
		"a folder with other things": {full, "m1", `it has "thesis.txt"`},
		"a file":                     {file, "m1", "not a directory"},
		"below a file":               {filepath.Join(file, "facts"), "m1", "not a directory"},
		"a path as name":             {t.TempDir(), "../m1", "file name"},
		"an absolute path":           {t.TempDir(), "/etc/passwd", "file name"},
		"a hidden name":              {t.TempDir(), ".m1", "file name"},
		"dots":                       {t.TempDir(), "..", "file name"},
		"no name":                    {t.TempDir(), "", "file name"},
		"a line break":               {t.TempDir(), "m1\nm2", "file name"},
		"a blank":                    {t.TempDir(), "m1 m2", "file name"},
		"a long name":                {t.TempDir(), strings.Repeat("m", 300), "file name"},
	} {
		err := Save(c.dir, checks.Record{Nodes: []checks.NodeRecord{{Node: c.node}}})
		assert.ErrorContains(t, err, c.says, name)
		assert.Equal(t, fault.BadInput, fault.ClassOf(err), name)
	}
	assert.Error(t, Check(full))
	assert.NoError(t, Check(filepath.Join(full, "new")))
	entries, err := os.ReadDir(full)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "nothing is left behind")
}

func TestSaveNeverOverwrites(t *testing.T) {
	dir := t.TempDir() // empty, so it may be used
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	require.NoError(t, Save(link, record()))
	assert.ErrorContains(t, Save(dir, record()), "not empty")
	back, err := Load(dir)
	require.NoError(t, err)
	assert.Equal(t, record(), back)
}

func TestLoadWhatSomebodyCollectedByHand(t *testing.T) {
	dir := t.TempDir()
	text := "Welcome to m1\nacpflow-facts 1\nend 0\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "m1.facts"), []byte(text), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".DS_Store"), nil, 0o600))
	r, err := Load(dir)
	require.NoError(t, err)
	assert.Equal(t, checks.Record{Nodes: []checks.NodeRecord{{Node: "m1", Output: text}}}, r)
}

func TestLoadRefuses(t *testing.T) {
	for name, c := range map[string]struct{ file, text, says string }{
		"another file":      {"README.md", "hello", "no file of a folder of facts"},
		"a misspelt end":    {"m2.fact", "acpflow-facts 1\n", "no file of a folder of facts"},
		"a bad name":        {"m 2.facts", "acpflow-facts 1\n", "no file of a folder of facts"},
		"a short header":    {"m2.facts", "acpflow-record m2\n", "header is not understood"},
		"an unknown kind":   {"m2.facts", "acpflow-record m2 - - gossip\nx", "header is not understood"},
		"another's facts":   {"m2.facts", "acpflow-record m1 - - output\nx", "names another node"},
		"no time":           {"m2.facts", "acpflow-record m2 yesterday - output\nx", "no time"},
		"a fault unsaid":    {"m2.facts", "acpflow-record m2 - - fault\n", "reason of the fault is missing"},
		"no judged time":    {"judged", "soon", "no time"},
		"an unknown field":  {"mesh.json", `{"pears":[]}`, "unknown field"},
		"a broken document": {"balancer.json", `{`, "unexpected EOF"},
		"two documents":     {"package.json", `{} {}`, "more than one"},
		"null":              {"mesh.json", "null", "says null"},
	} {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, "m1.facts"), []byte("x"), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o600))
		_, err := Load(dir)
		assert.ErrorContains(t, err, c.says, name)
		assert.ErrorContains(t, err, c.file, name)
		assert.Equal(t, fault.BadInput, fault.ClassOf(err), name)
	}
}

func TestLoadRefusesWhatIsNoFolderOfFacts(t *testing.T) {
	_, err := Load(filepath.Join(t.TempDir(), "nowhere"))
	assert.ErrorContains(t, err, "--save-facts")
	_, err = Load(t.TempDir())
	assert.ErrorContains(t, err, "no facts of any node")

	dir := t.TempDir()
	require.NoError(t, syscall.Mkfifo(filepath.Join(dir, "m1.facts"), 0o600))
	_, err = Load(dir)
	assert.ErrorContains(t, err, "no regular file", "a pipe would hang")

	dir = t.TempDir()
	huge, err := os.Create(filepath.Join(dir, "m1.facts"))
	require.NoError(t, err)
	require.NoError(t, huge.Truncate(maxFile+1))
	require.NoError(t, huge.Close())
	_, err = Load(dir)
	assert.ErrorContains(t, err, "more than 64 MiB")
}

func FuzzParseNode(f *testing.F) {
	f.Add("acpflow-record m1 - - output\nx")
	f.Add("acpflow-record m1 2026-03-10T12:00:00Z 2026-03-10T12:00:00Z fault\nx")
	f.Add("acpflow-facts 1\nend 0\n")
	f.Add("acpflow-record")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseNode("m1", text)
		if err != nil || !strings.HasPrefix(text, magic+" ") {
			return
		}
		again, err := parseNode("m1", string(nodeText(n)))
		require.NoError(t, err)
		require.Equal(t, n, again)
	})
}
