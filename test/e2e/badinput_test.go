package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/harness"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/corepackage"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
	"github.com/acpflow/acpflow/workflows"
)

// Each bad input ends in a parked step that names cause, place and fix, and
// after the abort nothing of the run is left on the node.
func TestBadInputParksWithCauseAndFix(t *testing.T) {
	world.pristine(t)
	solo := world.node(t, "solo-1")
	other := func(t *testing.T, s *site.Site, value string) site.Ref {
		file := filepath.Join(t.TempDir(), "other-password")
		require.NoError(t, os.WriteFile(file, []byte(value), 0o600))
		return site.Ref("file:" + file)
	}
	cases := []struct {
		name  string
		edit  func(*testing.T, *site.Site)
		fault lab.Fault
		step  string
		want  []string
	}{
		{name: "hostdown", fault: lab.PoweredOff, step: "prepare.01-check-nodes", want: []string{solo.Address, "Fix:"}},
		{name: "hostkey", fault: lab.HostKeyChanged, step: "prepare.01-check-nodes", want: []string{"host key", "Fix:"}},
		{name: "wrongpassword", step: "prepare.01-check-nodes", want: []string{"password", "Fix:"}, edit: func(t *testing.T, s *site.Site) {
			ssh := &s.Clusters[0].SSH
			ssh.PrivateKey, ssh.Passphrase, ssh.Password = "", "", other(t, s, "not-the-password")
		}},
		{name: "sudopassword", fault: lab.SudoPassword, step: "prepare.01-check-nodes", want: []string{"sudo", "Fix:"}},
		{name: "diskfull", fault: lab.DiskFull, step: "execute.01-space-before", want: []string{"/root/cpaas-install", "needed", "Fix:"}},
		{name: "corrupt", step: "prepare.02-inspect-package", want: []string{"sha256", "Fix:"}, edit: func(t *testing.T, s *site.Site) {
			s.Package.Path = corruptCopy(t, s.Package.Path)
		}},
		{name: "wrongarch", step: "prepare.02-inspect-package", want: []string{"arm64", "x86_64", "Fix:"}, edit: func(t *testing.T, s *site.Site) {
			s.Package = packageFor(t, corepackage.ARM64, 8)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			name := world.site(t, c.name, "solo", func(s *site.Site) {
				if c.edit != nil {
					c.edit(t, s)
				}
			})
			if c.fault != "" {
				require.NoError(t, solo.Break(t.Context(), c.fault))
				t.Cleanup(func() { require.NoError(t, solo.Mend(context.WithoutCancel(t.Context()), c.fault)) })
			}
			id := world.install(t, name)
			gate := world.Gate(t, id, c.step)
			for _, want := range c.want {
				assert.Contains(t, gate.Error, want)
			}
			world.Decide(t, id, "abort", "the test has seen enough")
			err := world.Failure(t, id)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			assert.Equal(t, workflows.ErrAborted, app.Type())
		})
	}
	nothingLeft(t, "solo-1")
}

// A small disk under another package folder parks before anything is sent. A
// disk that fills up midway is tested with the upload itself.
func TestSmallDiskParksBeforeAnythingIsSent(t *testing.T) {
	world.pristine(t)
	node := world.node(t, "solo-1")
	name := world.site(t, "fillsup", "solo", func(s *site.Site) { s.Package.Directory = "/mnt/packages" })
	_, err := node.Script(t.Context(), "mkdir -p /mnt/packages; mount -t tmpfs -o size=64m small /mnt/packages")
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := node.Script(context.WithoutCancel(t.Context()), "umount -l /mnt/packages")
		require.NoError(t, err)
	})
	id := world.install(t, name)
	gate := world.Gate(t, id, "execute.01-space-before")
	assert.Contains(t, gate.Error, "Fix:")
	world.Decide(t, id, "abort", "seen")
	require.Error(t, world.Failure(t, id))
}

func TestFailingSetupParksAndRetryGoesOn(t *testing.T) {
	world.pristine(t)
	world.orders(t, "solo-1", faults.Faults{SetupFails: &faults.SetupFails{ExitCode: 3, Message: "port 8080 is in use by pid 4711"}})
	id := world.install(t, world.site(t, "setupfails", "solo", nil))
	gate := world.Gate(t, id, "execute.05-setup")
	assert.Contains(t, gate.Error, "port 8080 is in use by pid 4711")
	assert.Contains(t, gate.Error, "Fix:")
	world.orders(t, "solo-1", faults.Faults{})
	world.Decide(t, id, "retry", "the port is free now")
	p := world.Succeeds(t, id)
	assert.Len(t, p.Decisions, 1)
}

func TestUnknownSiteNamesTheKnownOnes(t *testing.T) {
	known := world.site(t, "wellknown", "solo", nil)
	_, errs, code, err := harness.CLI(t.Context(), world.Server, "install", "--site", "nowhere", "--wait")
	require.NoError(t, err)
	assert.Equal(t, 2, code)
	assert.Contains(t, errs, "nowhere")
	assert.Contains(t, errs, known)
}

// What a person can mistype into the UI's start form fails at once, with the
// field and an example, and does nothing.
func TestMalformedWorkflowInput(t *testing.T) {
	for name, input := range map[string]any{
		"text":    "lab",
		"number":  7,
		"list":    []string{"lab"},
		"null":    nil,
		"unknown": map[string]string{"site": "lab", "clustre": "west"},
		"path":    map[string]string{"site": "../../etc/shadow"},
	} {
		t.Run(name, func(t *testing.T) {
			run, err := world.Temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "malformed/" + name, TaskQueue: workflows.TaskQueue}, workflows.InstallName, input)
			require.NoError(t, err)
			err = run.Get(t.Context(), nil)
			var app *temporal.ApplicationError
			require.ErrorAs(t, err, &app)
			assert.Equal(t, workflows.ErrInvalidInput, app.Type())
			assert.Contains(t, app.Error(), `{"site":"moscow"`)
		})
	}
}

func corruptCopy(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data[len(data)/2] ^= 1
	bad := filepath.Join(t.TempDir(), filepath.Base(path))
	require.NoError(t, os.WriteFile(bad, data, 0o600))
	return bad
}

func packageFor(t *testing.T, architecture corepackage.Architecture, payloadMB int) site.Package {
	t.Helper()
	path := filepath.Join(t.TempDir(), "core-"+string(architecture)+".tar")
	built, err := corepackage.Build(t.Context(), corepackage.Options{Path: path, Architecture: architecture, PayloadMB: payloadMB})
	require.NoError(t, err)
	return site.Package{Path: path, Checksum: "sha256:" + built.SHA256, Architecture: string(architecture), Directory: site.DefaultDirectory}
}

// nothingLeft demands that the node carries no trace of the aborted runs.
func nothingLeft(t *testing.T, node string) {
	t.Helper()
	out, err := world.node(t, node).Script(t.Context(), `ls -A /root/cpaas-install 2>/dev/null || true`)
	require.NoError(t, err)
	assert.Empty(t, out)
}
