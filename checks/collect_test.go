package checks

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// collect runs the collector on this machine as the worker does on a node. Files
// of fake, name to script, stand in front of the machine's own commands.
func collect(t *testing.T, fake map[string]string, env ...string) (out []byte, dir string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	dir, bin := t.TempDir(), t.TempDir()
	for name, script := range fake {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	cmd := exec.CommandContext(ctx, "bash", "--norc", "--noprofile", "-s")
	cmd.Dir, cmd.Stdin = dir, strings.NewReader(Collector())
	cmd.Env = append([]string{"PATH=" + bin + ":/usr/bin:/bin", "TMPDIR=" + dir, "HOME=" + dir}, env...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	assert.Empty(t, stderr.String())
	return out, dir
}

func TestCollector(t *testing.T) {
	out, dir := collect(t, nil, "SUDO_USER=me", "TZ=Asia/Tokyo")
	f, err := ParseFacts(out)
	require.NoError(t, err)

	var names []string
	for name := range f.values {
		names = append(names, name)
	}
	for name := range rhel86() {
		assert.Contains(t, names, name, "the collector and the tests know the same facts")
	}
	assert.Len(t, names, len(rhel86()))

	kernel, err := f.line("kernel")
	require.NoError(t, err)
	running, err := os.ReadFile("/proc/sys/kernel/osrelease")
	require.NoError(t, err)
	assert.Equal(t, strings.TrimSpace(string(running)), kernel)
	host, err := os.Hostname()
	require.NoError(t, err)
	assert.Equal(t, host, f.Shared().Hostname)
	user, err := f.text("sudo-user")
	require.NoError(t, err)
	assert.Equal(t, "me", user)
	assert.NotEqual(t, "+0900", f.Shared().UTCOffset, "the zone is the machine's, not the session's")

	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
	assert.NotContains(t, Collector(), "<<", "bash keeps here-documents in temporary files")
	assert.NotContains(t, Collector(), "\x00")
}

// What a node says stays inside the value it says it in.
func TestCollectorOnHostileNode(t *testing.T) {
	forged := `printf 'x\nuid 0 2\n0\n\nend 1\nacpflow-facts 2\n\033[2J"\0"'; echo noise >&2; (printf 'facts MAo=\n' >&3); exit 0`
	out, _ := collect(t, map[string]string{
		"systemctl": forged,
		"ss":        `head -c 10485760 /dev/zero | tr '\0' x`,
		"ip":        "exit 3",
		"lsblk":     "kill -9 $$",
	})
	f, err := ParseFacts(out)
	require.NoError(t, err)
	text, err := f.text("tasks-max")
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(text, "x\nuid 0 2\n0\n\nend 1\n"))
	for name, want := range map[string]string{"listeners": "longer than 64 KiB", "route4": "status 3", "disks": "killed"} {
		_, err := f.text(name)
		assert.ErrorContains(t, err, want)
	}
	uid, err := f.line("uid")
	require.NoError(t, err)
	assert.Equal(t, strconv.Itoa(os.Getuid()), uid)
}

// A command that hangs costs its own fact, not the node.
func TestCollectorOnHangingNode(t *testing.T) {
	t.Parallel() // it waits
	out, _ := collect(t, map[string]string{"ss": `trap "" TERM; sleep 300 & wait`})
	f, err := ParseFacts(out)
	require.NoError(t, err)
	_, err = f.text("listeners")
	assert.ErrorContains(t, err, "no answer within 10 s")
	_, err = f.line("kernel")
	assert.NoError(t, err)
}

// A connection that breaks while the script travels must not run half of it.
func TestCollectorCutShort(t *testing.T) {
	script := Collector()
	for _, at := range []int{100, len(script) / 2, strings.LastIndex(script, "collect ")} {
		cmd := exec.Command("bash", "-s")
		cmd.Stdin = strings.NewReader(script[:at])
		out, _ := cmd.Output()
		assert.Empty(t, out)
	}
}

func TestCollectorPaths(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "empty"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "disk/lost+found"), 0o755))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "full/.hidden"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o644))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	got := runFunction(t, `cd "$1"; paths none empty disk full file dangling /proc; printf %s "$out"`, dir)
	assert.Equal(t, []string{"none absent", "empty empty", "disk empty", "full full", "file file", "dangling file", "/proc full mount"}, got)
}

// Files are matched by the shell itself where no mount can be dead, as under
// /proc, and by grep elsewhere and when they are long: the answer is the same.
func TestCollectorMatching(t *testing.T) {
	dir := t.TempDir()
	fstab := "#/dev/a none swap sw 0 0\n/dev/b none swap sw 0 0\n\n/dev/* /swap ext4 rw 0 0\n # none swap\n/dev/[a-z]* none swap"
	for name, content := range map[string]string{"fstab": fstab, "long": strings.Repeat("/dev/a / ext4 rw 0 0\n", 4000) + fstab, "empty": ""} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	script := Collector()
	pattern := script[strings.Index(script, "own fstab-swap matching ")+len("own fstab-swap matching "):]
	pattern = pattern[:strings.Index(pattern, " /etc/fstab")]
	two := []string{"/dev/b none swap sw 0 0", "/dev/[a-z]* none swap"}
	for _, at := range []string{dir, "/proc/self/root" + dir} {
		matching := func(pattern string, files ...string) []string {
			line := "cd /dev; matching " + pattern
			for _, f := range files {
				line += " '" + at + "/" + f + "'"
			}
			return runFunction(t, line+`; s=$?; printf '%s\nstatus %s' "$out" $s`)
		}
		assert.Equal(t, append(slices.Clone(two), "status 0"), matching(pattern, "fstab", "other"))
		assert.Equal(t, append(slices.Concat(two, two), "status 0"), matching(pattern, "fstab", "fstab"))
		assert.Equal(t, append(slices.Concat(two, two), "status 0"), matching(pattern, "fstab", "long"))
		assert.Equal(t, []string{"status 0"}, matching("nothing", "fstab"))
		assert.Equal(t, []string{"status 0"}, matching("nothing", "empty"))
		assert.Equal(t, []string{"status 66"}, matching("nothing", "other"))
		assert.Equal(t, []string{"status 2"}, matching("nothing", "."))
	}
}

// What a program prints arrives as it is with its status, up to its bound.
func TestCollectorPrograms(t *testing.T) {
	for line, want := range map[string]string{
		`fact x printf 'a\n\nb \n\n'`:                             "x 0 7\na\n\nb \n\n\n",
		`fact x sh -c 'printf "a\0b"; exit 3'`:                    "x 3 2\nab\n",
		`printf 'a\n\0\0b\0 c' | slurp_parts 4; keep x 0 "$text"`: "x 0 4\na\nb \n",
		`printf 'a\0b\n' | slurp_parts 99; keep x 0 "$text"`:      "x 0 3\nab\n\n",
		`fact x true`:                                   "x 0 0\n\n",
		`fact x no-such-program`:                        "x 127 0\n\n",
		`fact x run sh -c 'kill -9 $$'`:                 "x 137 0\n\n",
		`own x sift -E a sh -c 'echo a; echo b; false'`: "x 1 2\na\n\n",
		`own x yes_or_no capture sh -c 'echo; exit 1'`:  "x 0 1\n\n\n",
		`own x yes_or_no capture sh -c 'echo; exit 2'`:  "x 2 1\n\n\n",
	} {
		assert.Equal(t, want, runRaw(t, line+`; printf %s "$all"`), line)
	}
	out := runRaw(t, `fact x sh -c 'head -c 10485760 /dev/zero | tr "\0" x'; printf %s "$all"`)
	assert.Contains(t, out, " 65537\n"+strings.Repeat("x", 65537)+"\n")
}

// A file's content arrives as it is, but for zero bytes, up to its bound.
func TestCollectorFiles(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	file("plain", "a\n\nb  \n\n")
	file("open", "no end")
	file("empty", "")
	file("binary", "\xff\x1b[2J\x00'\"$(id)\\\n")
	file("large", strings.Repeat("x", 10<<20))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	for name, want := range map[string]string{
		"plain": "plain 0 8\na\n\nb  \n\n\n", "open": "open 0 6\nno end\n", "empty": "empty 0 0\n\n", "none": "none 66 0\n\n",
		"binary": "binary 0 14\n\xff\x1b[2J'\"$(id)\\\n\n", "large": "large 0 65537\n" + strings.Repeat("x", 65537) + "\n", "dangling": "dangling 1 0\n\n",
	} {
		assert.Equal(t, want, runRaw(t, `file "$1" "$2/$1"; printf %s "$all"`, name, dir), name)
	}
	assert.Equal(t, "dir 1 0\n\n", runRaw(t, `file dir "$1"; printf %s "$all"`, dir))
}

// runFunction runs a line with the collector's functions at hand.
func runFunction(t *testing.T, line string, args ...string) []string {
	t.Helper()
	return slices.DeleteFunc(strings.Split(runRaw(t, line, args...), "\n"), func(s string) bool { return s == "" })
}

func runRaw(t *testing.T, line string, args ...string) string {
	t.Helper()
	body, _, found := strings.Cut(Collector(), "\ncollect 3>&1")
	require.True(t, found)
	cmd := exec.Command("bash", append([]string{"-c", body + "\n" + line, "test"}, args...)...)
	out, err := cmd.Output()
	require.NoError(t, err)
	return string(out)
}
