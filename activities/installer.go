package activities

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/installer"
	"github.com/acpflow/acpflow/internal/job"
	"github.com/acpflow/acpflow/internal/ssh"
)

// Installer starts the vendor's installer on its node and speaks to it through
// the node's SSH connection.
type Installer struct{ Hosts *Hosts }

// InstallerInput names the installer node.
type InstallerInput struct {
	Node Node `json:"node"`
}

// client returns an HTTP client of the installer behind the SSH connection.
func (a *Installer) client(ctx context.Context, node Node) (*installer.Client, error) {
	conn, err := a.Hosts.connect(ctx, node)
	if err != nil {
		return nil, err
	}
	return installer.New(installer.Transport(conn.DialContext), node.Name), nil
}

// SetupInput says how setup.sh is called.
type SetupInput struct {
	Node      Node     `json:"node"`
	Directory string   `json:"directory"`
	Flags     []string `json:"flags,omitempty"`
	Job       string   `json:"job"` // one per run: a retry adopts what still runs
}

// SetupCommand is the very command, for the plan.
func SetupCommand(in SetupInput) string {
	return strings.TrimSpace("cd " + shellQuote(path.Join(in.Directory, "installer")) + " && bash setup.sh " + strings.Join(in.Flags, " "))
}

// setupScript holds a lock of the node, so that a setup.sh of an earlier,
// terminated run and ours never work side by side.
const setupScript = `cd %s || exit 1
mkdir -p /var/lib/acpflow
exec 9> /var/lib/acpflow/setup.lock
flock -n 9 || { echo "another setup.sh runs on this node: wait for its end, or end it, then retry" >&2; exit 73; }
bash setup.sh %s 9>&- # what it leaves running must not hold the lock
`

// RunSetup runs setup.sh unless the installer answers already (EXE-06). The script
// outlives the worker; another attempt adopts it.
func (a *Installer) RunSetup(ctx context.Context, in SetupInput) (Evidence, error) {
	client, err := a.client(ctx, in.Node)
	if err != nil {
		return Evidence{}, err
	}
	if client.Ready(ctx) == nil {
		return Evidence{Summary: "the installer answers already", Host: in.Node.Name}, nil
	}
	words := make([]string, len(in.Flags))
	for i, f := range in.Flags {
		words[i] = shellQuote(f)
	}
	script := fmt.Sprintf(setupScript, shellQuote(path.Join(in.Directory, "installer")), strings.Join(words, " "))
	evidence, err := a.Hosts.runJob(ctx, in.Node, "setup.sh", job.Spec{ID: in.Job, Script: script, Sudo: true})
	if fault.Is(err, fault.Command) {
		return evidence, fault.New(fault.Failed, "setup.sh", in.Node.Name, "mend what its output names, then retry", err)
	}
	return evidence, err
}

// readyPoll is how often a starting installer is asked.
const readyPoll = 250 * time.Millisecond

// WaitForInstaller waits until the installer answers HTTP on port 8080 (EXE-06, about
// five minutes by the document). The workflow's timeout bounds it.
func (a *Installer) WaitForInstaller(ctx context.Context, in InstallerInput) (Evidence, error) {
	for start := time.Now(); ; {
		client, err := a.client(ctx, in.Node)
		if err == nil {
			err = client.Ready(ctx)
		}
		if err == nil {
			return Evidence{Summary: fmt.Sprintf("the installer answers after %s", time.Since(start).Round(time.Second)), Host: in.Node.Name}, nil
		}
		if fault.ClassOf(err).Permanent() {
			return Evidence{}, err
		}
		if time.Since(start) > readyLimit {
			return Evidence{}, fault.New(fault.Stalled, "wait for the installer", in.Node.Name+":8080",
				"look at the output of setup.sh and at the container minialauda-control-plane on that node, then retry", err)
		}
		report(ctx, Progress{Text: "port 8080 does not answer yet"})
		if err := pause(ctx, readyPoll); err != nil {
			return Evidence{}, err
		}
	}
}

// readyLimit is twice what the document says the installer needs (EXE-06).
const readyLimit = 10 * time.Minute

// ConfigureInput names the cluster to configure.
type ConfigureInput struct {
	Scope
	Node Node `json:"node"`
}

// ConfigureResult says how the install was started.
type ConfigureResult struct {
	Evidence Evidence `json:"evidence"`
	Adopted  bool     `json:"adopted"` // an earlier attempt had started it
}

// ConfigureInstaller posts the configuration exactly once: a run that goes on already is
// adopted, a lost reply is resolved by reading the progress.
func (a *Installer) ConfigureInstaller(ctx context.Context, in ConfigureInput) (ConfigureResult, error) {
	secrets, err := installer.Resolve(in.Site, in.Cluster)
	if err != nil {
		return ConfigureResult{}, refused(ctx, err)
	}
	config, err := installer.Build(in.Site, in.Cluster, secrets)
	if err != nil {
		return ConfigureResult{}, refused(ctx, err)
	}
	client, err := a.client(ctx, in.Node)
	if err != nil {
		return ConfigureResult{}, err
	}
	adopted, err := client.Start(ctx, config)
	if fault.Is(err, fault.BadInput) {
		return ConfigureResult{}, refused(ctx, err)
	}
	if err != nil {
		return ConfigureResult{}, err
	}
	result := ConfigureResult{Adopted: adopted}
	result.Evidence = Evidence{Summary: "configuration posted", Host: in.Node.Name, Facts: map[string]string{"configuration": digest(string(config.Redacted()))}}
	if adopted {
		result.Evidence.Summary = "the installer had its configuration already: adopted"
	}
	return result, nil
}

// refused marks a failure after which nothing was changed. Only the first
// attempt can know that: an earlier one may have posted and died.
func refused(ctx context.Context, err error) error {
	if activity.GetInfo(ctx).Attempt > 1 {
		return err
	}
	return fault.New(fault.Refused, "post the configuration", "", "", err)
}

// pause waits or ends with the context.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// ContainerInput names the installer's container and its runtime.
type ContainerInput struct {
	Node    Node   `json:"node"`
	Runtime string `json:"runtime"`       // docker up to 4.1, nerdctl from 4.2
	Job     string `json:"job,omitempty"` // the setup.sh of this run, to be ended first
}

// ContainerResult says whether the installer is still there.
type ContainerResult struct {
	Gone      bool `json:"gone"`
	NoRuntime bool `json:"noRuntime,omitempty"` // the node has no such command: the container can't be seen
}

const (
	containerName = "minialauda-control-plane"
	noSuchCommand = "acpflow:no-such-command" // no container can have this name
)

// RemoveCommand is the very command of CLN-01, for the plan.
func RemoveCommand(in ContainerInput) string { return in.Runtime + " rm -f " + containerName }

// FindInstaller looks whether the installer's container exists, running or not.
func (a *Installer) FindInstaller(ctx context.Context, in ContainerInput) (ContainerResult, error) {
	conn, err := a.Hosts.connect(ctx, in.Node)
	if err != nil {
		return ContainerResult{}, err
	}
	script := fmt.Sprintf("PATH=$PATH:/usr/local/bin\ncommand -v %[1]s >/dev/null || { echo %[2]s; exit 0; }\n%[1]s ps -a --format '{{.Names}}'\n", shellQuote(in.Runtime), noSuchCommand)
	out, err := conn.Run(ctx, ssh.Command{Script: script, Sudo: true})
	if err != nil {
		return ContainerResult{}, err
	}
	for name := range strings.FieldsSeq(out.Stdout) {
		if name == noSuchCommand {
			return ContainerResult{NoRuntime: true}, nil
		}
		if name == containerName {
			return ContainerResult{}, nil
		}
	}
	return ContainerResult{Gone: true}, nil
}

// RemoveInstaller ends the run's setup.sh, if one is named, removes the
// installer's container if it exists (CLN-01), and confirms.
func (a *Installer) RemoveInstaller(ctx context.Context, in ContainerInput) (Evidence, error) {
	if err := a.cancelSetup(ctx, in); err != nil {
		return Evidence{}, err
	}
	state, err := a.FindInstaller(ctx, in)
	if err != nil {
		return Evidence{}, err
	}
	if state.NoRuntime {
		return Evidence{Summary: fmt.Sprintf("there is no %s on the node, so no installer container", in.Runtime), Host: in.Node.Name}, nil
	}
	if state.Gone {
		return Evidence{Summary: "there is no installer to remove", Host: in.Node.Name}, nil
	}
	conn, err := a.Hosts.connect(ctx, in.Node)
	if err != nil {
		return Evidence{}, err
	}
	if _, err := conn.Run(ctx, ssh.Command{Script: "PATH=$PATH:/usr/local/bin\n" + RemoveCommand(in), Sudo: true}); err != nil {
		return Evidence{}, err
	}
	if state, err = a.FindInstaller(ctx, in); err != nil {
		return Evidence{}, err
	}
	if !state.Gone {
		return Evidence{}, fault.New(fault.Failed, RemoveCommand(in), in.Node.Name, "remove the container by hand, then retry", errors.New("the container is still there"))
	}
	return Evidence{Summary: "installer removed", Host: in.Node.Name, Command: digest(RemoveCommand(in))}, nil
}

func (a *Installer) cancelSetup(ctx context.Context, in ContainerInput) error {
	if in.Job == "" {
		return nil
	}
	conn, err := a.Hosts.connect(ctx, in.Node)
	if err != nil {
		return err
	}
	return job.Cancel(ctx, conn, job.Spec{ID: in.Job, Sudo: true})
}

// SyncImagesInput says where the hybrid package is extracted.
type SyncImagesInput struct {
	Node      Node   `json:"node"`
	Directory string `json:"directory"`
	Job       string `json:"job"`
}

// SyncImagesCommand is the very command of PKG-10, for the plan.
func SyncImagesCommand(in SyncImagesInput) string {
	return "cd " + shellQuote(path.Join(in.Directory, "installer")) + " && bash upgrade.sh --only-sync-image=true"
}

// SyncImages brings both architectures' images into the registry (PKG-10).
func (a *Installer) SyncImages(ctx context.Context, in SyncImagesInput) (Evidence, error) {
	return a.Hosts.runJob(ctx, in.Node, "upgrade.sh --only-sync-image=true", job.Spec{ID: in.Job, Script: SyncImagesCommand(in) + "\n", Sudo: true})
}
