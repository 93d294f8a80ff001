package repair_test

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks/fix"
	"github.com/acpflow/acpflow/internal/repair"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
)

// node is a root folder below which a real bash repairs, over a real sshd.
func node(t *testing.T) repair.Node {
	t.Helper()
	return nodeOn(t, sshtest.Start(t))
}

func nodeOn(t *testing.T, s *sshtest.Server) repair.Node {
	t.Helper()
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(root, "var/lib"), 0o755))
	return repair.Node{Client: s.Dial(t), Root: root}
}

func write(t *testing.T, n repair.Node, path, text string, mode os.FileMode) {
	t.Helper()
	full := filepath.Join(n.Root, path)
	require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
	require.NoError(t, os.WriteFile(full, []byte(text), 0o600))
	require.NoError(t, os.Chmod(full, mode))
}

func read(t *testing.T, n repair.Node, path string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(n.Root, path))
	require.NoError(t, err)
	return string(b)
}

func sum(text string) string {
	h := sha256.Sum256([]byte(text))
	return hex.EncodeToString(h[:])
}

// tree lists everything below the node's root but the repair's own folder:
// type, mode, owner, link target, bytes.
func tree(t *testing.T, n repair.Node) map[string]string {
	t.Helper()
	out := map[string]string{}
	require.NoError(t, filepath.WalkDir(n.Root, func(path string, d os.DirEntry, err error) error {
		if err != nil || path == filepath.Join(n.Root, "var/lib/acpflow") {
			return errOr(err, filepath.SkipDir)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		what := info.Mode().String()
		switch {
		case info.Mode()&os.ModeSymlink != 0:
			target, err := os.Readlink(path)
			out[path] = what + target
			return err
		case info.Mode().IsRegular():
			b, err := os.ReadFile(path)
			out[path] = what + info.ModTime().String() + string(b)
			return err
		}
		out[path] = what
		return nil
	}))
	return out
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

func statuses(report repair.Report) []repair.Status {
	var out []repair.Status
	for _, r := range report.Results {
		out = append(out, r.Status)
	}
	return out
}

func edit(path, before, after string) fix.Change {
	print := fix.Absent
	if before != "" {
		print = sum(before)
	}
	return fix.Change{Kind: fix.File, Path: path, Before: print, Content: after, Mode: "0644"}
}

func of(id string, changes ...fix.Change) fix.Fix { return fix.Fix{ID: id, Changes: changes} }

// everything is one fix of every kind of change.
func everything(t *testing.T, n repair.Node) []fix.Fix {
	t.Helper()
	write(t, n, "etc/plain", "old\n", 0o640)
	write(t, n, "boot/menu", "old menu\n", 0o600)
	write(t, n, "var/lib/docker/deep/file", "kept\n", 0o600)
	require.NoError(t, os.Symlink("../run/stub", filepath.Join(n.Root, "etc/stub")))
	require.NoError(t, os.Symlink("/usr/share/zoneinfo/Europe/Moscow", filepath.Join(n.Root, "etc/localtime")))
	flag := filepath.Join(n.Root, "flag")
	return []fix.Fix{
		of("plain", edit("/etc/plain", "old\n", "new $(touch /oops) 'x'\n")),
		of("new", edit("/etc/deep/down/new", "", "made\n")),
		of("stub", fix.Change{Kind: fix.File, Path: "/etc/stub", Before: "link:" + sum("../run/stub"), Content: "plain\n"}),
		of("zone", fix.Change{Kind: fix.Link, Path: "/etc/localtime", Before: "link:" + sum("/usr/share/zoneinfo/Europe/Moscow"), Content: "/usr/share/zoneinfo/UTC"}),
		of("menu", fix.Change{Kind: fix.Generate, Path: "/boot/menu", Before: sum("old menu\n"), Do: "echo new menu >" + n.Root + "/boot/menu"}),
		of("command", fix.Change{Kind: fix.Command, Do: "touch " + flag, Undo: "rm " + flag, Seen: "[ -e " + flag + " ]"}),
		of("aside", fix.Change{Kind: fix.Aside, Path: "/var/lib/docker"}),
	}
}

func TestEveryKindOfChangeThereAndBack(t *testing.T) {
	n := node(t)
	fixes := everything(t, n)
	before := tree(t, n)

	results, err := n.Apply(t.Context(), "run-1", fixes, nil)
	require.NoError(t, err)
	for _, r := range results.Results {
		assert.Equal(t, repair.Done, r.Status, "%+v", r)
	}
	require.Len(t, results.Results, len(fixes))
	assert.Equal(t, "new $(touch /oops) 'x'\n", read(t, n, "etc/plain"))
	assert.Equal(t, "made\n", read(t, n, "etc/deep/down/new"))
	assert.Equal(t, "new menu\n", read(t, n, "boot/menu"))
	assert.NoDirExists(t, filepath.Join(n.Root, "var/lib/docker"))
	info, err := os.Stat(filepath.Join(n.Root, "etc/plain"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), info.Mode())
	ledger, err := os.Stat(filepath.Join(n.Root, "var/lib/acpflow/repair"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o700), ledger.Mode().Perm())

	held, err := n.List(t.Context())
	require.NoError(t, err)
	assert.Len(t, held.Results, len(fixes))

	undone, err := n.Undo(t.Context(), repair.Filter{Run: "another"})
	require.NoError(t, err)
	assert.Empty(t, undone.Results)
	undone, err = n.Undo(t.Context(), repair.Filter{Run: "run-1"})
	require.NoError(t, err)
	for _, r := range undone.Results {
		assert.Equal(t, repair.Undone, r.Status, "%+v", r)
	}
	assert.Equal(t, before, tree(t, n))
	undone, err = n.Undo(t.Context(), repair.Filter{})
	require.NoError(t, err)
	assert.Empty(t, undone.Results)
}

func TestTheSecondTimeNothingIsDone(t *testing.T) {
	n := node(t)
	fixes := everything(t, n)
	_, err := n.Apply(t.Context(), "run-1", fixes, nil)
	require.NoError(t, err)
	before := tree(t, n)
	held, err := n.List(t.Context())
	require.NoError(t, err)
	again := append(append([]fix.Fix{}, fixes[:4]...), fixes[5:]...) // what a command writes can't be known before
	results, err := n.Apply(t.Context(), "run-2", again, nil)
	require.NoError(t, err)
	for _, r := range results.Results {
		assert.Equal(t, repair.Already, r.Status, "%+v", r)
	}
	assert.Equal(t, before, tree(t, n))
	now, err := n.List(t.Context())
	require.NoError(t, err)
	assert.Equal(t, held, now)
}

func TestWhatOthersChangedIsRefused(t *testing.T) {
	n := node(t)
	write(t, n, "etc/a", "one\n", 0o644)
	write(t, n, "etc/b", "one\n", 0o644)
	fixes := []fix.Fix{of("a", edit("/etc/a", "one\n", "two\n")), of("b", edit("/etc/b", "one\n", "two\n"))}
	write(t, n, "etc/a", "somebody's\n", 0o644)
	results, err := n.Apply(t.Context(), "run-1", fixes, nil)
	require.NoError(t, err)
	assert.Equal(t, []repair.Status{repair.Refused, repair.Done}, statuses(results))
	assert.Equal(t, "somebody's\n", read(t, n, "etc/a"))

	write(t, n, "etc/b", "somebody's too\n", 0o644)
	results, err = n.Undo(t.Context(), repair.Filter{})
	require.NoError(t, err)
	require.Equal(t, []repair.Status{repair.Refused}, statuses(results))
	assert.Contains(t, results.Results[0].Message, "/backup")
	assert.Equal(t, "somebody's too\n", read(t, n, "etc/b"))
}

func TestAFixIsDoneWhollyOrNotAtAll(t *testing.T) {
	n := node(t)
	write(t, n, "etc/a", "one\n", 0o644)
	before := tree(t, n)
	results, err := n.Apply(t.Context(), "run-1", []fix.Fix{
		of("both", edit("/etc/a", "one\n", "two\n"), fix.Change{Kind: fix.Command, Do: "echo no such module; false", Undo: "true"}),
		of("checked", fix.Change{Kind: fix.File, Path: "/etc/a", Before: sum("one\n"), Content: "bad\n", Check: `! grep -q bad "$1" || { echo bad configuration; exit 1; }`}),
		of("next", edit("/etc/b", "", "done\n")),
	}, nil)
	require.NoError(t, err)
	assert.Equal(t, []repair.Status{repair.Done, repair.Failed, repair.Undone, repair.Failed, repair.Done}, statuses(results))
	assert.Contains(t, results.Results[1].Message, "no such module")
	assert.Contains(t, results.Results[3].Message, "bad configuration")
	require.NoError(t, os.Remove(filepath.Join(n.Root, "etc/b")))
	assert.Equal(t, before, tree(t, n))
}

// What a command of a fix makes is other programs' too.
func TestCommandsRunWithTheUsualMode(t *testing.T) {
	n := node(t)
	file := filepath.Join(n.Root, "made")
	_, err := n.Apply(t.Context(), "run-1", []fix.Fix{of("a", fix.Change{Kind: fix.Command, Do: "touch " + file, Undo: "rm " + file})}, nil)
	require.NoError(t, err)
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o644), info.Mode().Perm())
}

func TestListWritesNothing(t *testing.T) {
	n := node(t)
	list, err := n.List(t.Context())
	require.NoError(t, err)
	assert.Empty(t, list.Results)
	assert.NoDirExists(t, filepath.Join(n.Root, "var/lib/acpflow"))
}

func TestOnlyTemporarySettingsAreRestored(t *testing.T) {
	n := node(t)
	write(t, n, "etc/sshd", "UseDNS yes\n", 0o600)
	temporary := of("pam", edit("/etc/sshd", "UseDNS no\n", "UsePAM no\nUseDNS no\n"))
	temporary.Temporary = "until the nodes are Ready"
	_, err := n.Apply(t.Context(), "run-1", []fix.Fix{of("dns", edit("/etc/sshd", "UseDNS yes\n", "UseDNS no\n")), temporary}, nil)
	require.NoError(t, err)
	assert.Equal(t, "UsePAM no\nUseDNS no\n", read(t, n, "etc/sshd"))
	results, err := n.Undo(t.Context(), repair.Filter{Temporary: true})
	require.NoError(t, err)
	assert.Equal(t, []repair.Status{repair.Undone}, statuses(results))
	assert.Equal(t, "UseDNS no\n", read(t, n, "etc/sshd"))
}

func TestHostileNamesRunNothing(t *testing.T) {
	n := node(t)
	path := "/etc/a'$(touch " + n.Root + "/oops)\"; b\n c"
	results, err := n.Apply(t.Context(), "run $(id)", []fix.Fix{of("x'y", edit(path, "", "text\n"), fix.Change{Kind: fix.Aside, Path: path})}, nil)
	require.NoError(t, err)
	assert.Equal(t, []repair.Status{repair.Done, repair.Done}, statuses(results), "%+v", results)
	assert.Equal(t, strings.TrimSpace(path), results.Results[0].What)
	results, err = n.Undo(t.Context(), repair.Filter{})
	require.NoError(t, err)
	assert.Equal(t, []repair.Status{repair.Undone, repair.Undone}, statuses(results), "%+v", results)
	assert.NoFileExists(t, filepath.Join(n.Root, "oops"))
}
