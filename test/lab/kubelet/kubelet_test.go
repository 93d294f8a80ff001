package kubelet

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const pod = `apiVersion: v1
kind: Pod
metadata: {name: etcd, namespace: kube-system}
spec: {containers: [{name: etcd, command: [/bin/etcd, --name=a]}]}
`

func TestManifests(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "etcd.yaml"), []byte(pod), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "etcd.yaml.bak"), []byte("not read"), 0o600))
	pods, err := ReadPods(dir)
	require.NoError(t, err)
	require.Len(t, pods, 1)
	require.Equal(t, []string{"/bin/etcd", "--name=a"}, pods[0].Command)

	require.NoError(t, os.WriteFile(filepath.Join(dir, "etcd.yaml"), []byte(strings.Replace(pod, "name=a", "name=b", 1)), 0o600))
	changed, err := ReadPods(dir)
	require.NoError(t, err)
	require.NotEqual(t, pods[0].Hash, changed[0].Hash)
}

func TestABrokenManifestDoesNotHideTheOthers(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "etcd.yaml"), []byte(pod), 0o600))
	for name, text := range map[string]string{
		"yaml.yaml":    "{",
		"kind.yaml":    strings.Replace(pod, "kind: Pod", "kind: Job", 1),
		"command.yaml": strings.Replace(pod, "[/bin/etcd, --name=a]", "[]", 1),
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	pods, err := ReadPods(dir)
	require.Len(t, pods, 1)
	for _, name := range []string{"yaml.yaml", "kind.yaml", "command.yaml"} {
		require.ErrorContains(t, err, name)
	}
}

// store with one container that is this very process, and one that is gone.
func newStore(t *testing.T) (Store, Container, Container) {
	t.Helper()
	s := Store{Dir: t.TempDir()}
	alive := Container{ID: strings.Repeat("a1", 32), Name: "kube-apiserver", Pod: "kube-apiserver", PID: os.Getpid(),
		Born: born(os.Getpid()), Created: time.Now()}
	cmd := exec.Command("true")
	require.NoError(t, cmd.Run())
	dead := Container{ID: strings.Repeat("b2", 32), Name: "etcd", Pod: "etcd", PID: cmd.Process.Pid, Born: "1", Created: time.Now()}
	require.NoError(t, s.save(alive))
	require.NoError(t, s.save(dead))
	return s, alive, dead
}

func TestAliveKnowsAProcessByItsBirth(t *testing.T) {
	_, alive, dead := newStore(t)
	require.True(t, alive.Alive())
	require.False(t, dead.Alive())
	alive.Born += "0" // the same PID, another process
	require.False(t, alive.Alive())
}

func TestCrictlListsAndRemoves(t *testing.T) {
	s, alive, dead := newStore(t)
	out := func(args ...string) string {
		var b bytes.Buffer
		ps := newPs(s)
		ps.SetOut(&b)
		ps.SetArgs(args)
		require.NoError(t, ps.Execute())
		return b.String()
	}
	require.Equal(t, alive.ID+"\n", out("--name", "kube-apiserver", "--no-trunc", "--quiet"))
	require.Equal(t, alive.ID[:13]+"\n", out("-q"))
	require.Empty(t, out("--name", "etcd", "-q"))
	require.Contains(t, out("--all"), "Exited")

	rm := func(args ...string) error {
		cmd := newRm(s)
		cmd.SetArgs(args)
		cmd.SetOut(&bytes.Buffer{})
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		return cmd.ExecuteContext(t.Context())
	}
	require.ErrorContains(t, rm(alive.ID), "running")
	require.ErrorContains(t, rm("ffff"), "not found")
	require.NoError(t, rm(dead.ID))
	left, err := s.List()
	require.NoError(t, err)
	require.Len(t, left, 1)
}
