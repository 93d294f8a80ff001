package workflows

import (
	"fmt"
	"path"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/installer"
)

func (i *install) spaceBefore() Step {
	return i.space("execute.01-space-before", "Enough disk space for the package, its contents and the install", true)
}

func (i *install) spaceAfter() Step {
	return i.space("execute.04-space-after", "Still enough disk space after extraction", false)
}

func (i *install) space(id, title string, before bool) Step {
	return Step{
		StepInfo: StepInfo{ID: id, Title: title, Source: []string{"EXE-04"}, Effect: Read,
			Calls: []string{"ssh " + i.node.Name + " df -P -B1 " + i.site.Package.Directory}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.CorePackage
			var evidence activities.Evidence
			in := activities.SpaceInput{Node: i.node, Directory: i.site.Package.Directory, Waivers: i.site.Waivers}
			if before {
				in.PackageBytes, in.ExtractedBytes = i.archive.Size, i.archive.ExtractedBytes
			}
			err := workflow.ExecuteActivity(nodeWrite(ctx, "Free space on "+i.node.Name), a.CheckSpace, in).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

// remoteArchive is where the package lies on the installer node.
func (i *install) remoteArchive() string {
	return path.Join(i.site.Package.Directory, path.Base(i.site.Package.Path))
}

func (i *install) upload() Step {
	target := i.remoteArchive()
	return Step{
		StepInfo: StepInfo{ID: "execute.02-upload", Title: "Upload the Core Package to " + i.node.Name, Source: []string{"EXE-02", "GEN-06"}, Effect: Write,
			Calls: []string{"upload " + i.site.Package.Path + " to " + i.node.Name + ":" + target + " over SSH, SHA-256 verified there"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.CorePackage
			var evidence activities.Evidence
			in := activities.UploadInput{Node: i.node, Local: i.site.Package.Path, Remote: target, SHA256: i.archive.SHA256, Run: runID(ctx)}
			err := workflow.ExecuteActivity(transfer(ctx, "Upload to "+i.node.Name), a.UploadPackage, in).Get(ctx, &evidence)
			return evidence, err
		},
		Undo: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.CorePackage
			var evidence activities.Evidence
			in := activities.RemoveUploadInput{Node: i.node, Remote: target, Run: runID(ctx)}
			err := workflow.ExecuteActivity(nodeWrite(ctx, "Undo: remove the upload from "+i.node.Name), a.RemoveUploadedPackage, in).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

func (i *install) extract() Step {
	in := activities.ExtractInput{Node: i.node, Archive: i.remoteArchive(), Directory: i.site.Package.Directory}
	return Step{
		StepInfo: StepInfo{ID: "execute.03-extract", Title: "Extract the Core Package", Source: []string{"EXE-03"}, Effect: Write,
			Calls: []string{"tar -xf " + in.Archive + " -C " + in.Directory}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.CorePackage
			var evidence activities.Evidence
			in.SHA256, in.Job, in.Run = i.archive.SHA256, jobID(ctx, "extract"), runID(ctx)
			err := workflow.ExecuteActivity(remoteJob(ctx, "Extract on "+i.node.Name), a.ExtractPackage, in).Get(ctx, &evidence)
			return evidence, err
		},
		Undo: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.CorePackage
			var evidence activities.Evidence
			in.SHA256, in.Job, in.Run = i.archive.SHA256, jobID(ctx, "extract"), runID(ctx)
			err := workflow.ExecuteActivity(nodeWrite(ctx, "Undo: remove the extracted package from "+i.node.Name), a.RemoveExtractedPackage, in).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

func (i *install) setup() Step {
	flags, err := installer.SetupFlags(*i.site, i.cluster.Name, i.site.Profile)
	in := activities.SetupInput{Node: i.node, Directory: i.site.Package.Directory, Flags: flags}
	return Step{
		StepInfo: StepInfo{ID: "execute.05-setup", Title: "Start the installer with setup.sh", Source: []string{"EXE-06", "EXE-08", "EXE-09"}, Effect: Write,
			Calls: []string{activities.SetupCommand(in)}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var evidence activities.Evidence
			if err != nil {
				return evidence, err
			}
			var a *activities.Installer
			in.Job = jobID(ctx, "setup")
			err := workflow.ExecuteActivity(remoteJob(ctx, "setup.sh on "+i.node.Name), a.RunSetup, in).Get(ctx, &evidence)
			return evidence, err
		},
		Undo: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Installer
			var evidence activities.Evidence
			started := i.container()
			started.Job = jobID(ctx, "setup")
			err := workflow.ExecuteActivity(nodeWrite(ctx, "Undo: remove the installer from "+i.node.Name), a.RemoveInstaller, started).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

func (i *install) waitInstaller() Step {
	return Step{
		StepInfo: StepInfo{ID: "execute.06-wait-installer", Title: "Wait until the installer answers on port 8080", Source: []string{"EXE-06", "EXE-07"}, Effect: Read,
			Calls: []string{"GET http://127.0.0.1:8080/api/progress   # through SSH to " + i.node.Name}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Installer
			var evidence activities.Evidence
			err := workflow.ExecuteActivity(untilReady(ctx, "Installer on "+i.node.Name), a.WaitForInstaller, activities.InstallerInput{Node: i.node}).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

func (i *install) configure() Step {
	return Step{
		StepInfo: StepInfo{ID: "execute.07-configure", Title: "Post the configuration to the installer", Source: []string{"EXE-10", "PAR-01", "GEN-08"}, Effect: Write, PointOfNoReturn: true,
			Calls: []string{"POST http://127.0.0.1:8080/api/config   # body: acpflow installer-config --site " + i.site.Name + " --cluster " + i.cluster.Name}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Installer
			in := activities.ConfigureInput{Scope: i.scope(), Node: i.node}
			err := workflow.ExecuteActivity(nodeWrite(ctx, "Post the configuration"), a.ConfigureInstaller, in).Get(ctx, &i.posted)
			return i.posted.Evidence, err
		},
	}
}

func (i *install) watch() Step {
	return Step{
		StepInfo: StepInfo{ID: "execute.08-progress", Title: "Follow the installer until it reports success", Source: []string{"EXE-11", "EXE-12", "EXE-13"}, Effect: Read,
			Calls: []string{"GET http://127.0.0.1:8080/api/progress   # until status is Success"}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Installer
			var evidence activities.Evidence
			in := activities.WatchInput{Scope: i.scope(), Node: i.node, StallAfter: i.site.Policy.Stall()}
			err := workflow.ExecuteActivity(longWatch(ctx, "Installer's progress"), a.WatchInstaller, in).Get(ctx, &evidence)
			i.ended = workflow.Now(ctx)
			return evidence, err
		},
	}
}

// installerGone waits, durably, for the installer to remove itself and removes
// it after thirty minutes (CLN-01).
func (i *install) installerGone() Step {
	in := i.container()
	return Step{
		StepInfo: StepInfo{ID: "verify.07-installer-gone", Title: "The installer has removed itself, or is removed after 30 minutes", Source: []string{"CLN-01"}, Effect: Write, Skippable: true,
			Calls: []string{activities.RemoveCommand(in)}},
		Do: func(ctx workflow.Context) (activities.Evidence, error) {
			var a *activities.Installer
			var evidence activities.Evidence
			var state activities.ContainerResult
			for wait := 2 * time.Second; ; wait = min(2*wait, time.Minute) {
				if err := workflow.ExecuteActivity(nodeWrite(ctx, "Is the installer gone?"), a.FindInstaller, in).Get(ctx, &state); err != nil {
					return evidence, err
				}
				left := i.ended.Add(installerGrace).Sub(workflow.Now(ctx))
				if state.NoRuntime {
					return evidence, noRuntime(in)
				}
				if state.Gone {
					return activities.Evidence{Summary: "the installer has removed itself", Host: i.node.Name}, nil
				}
				if left <= 0 {
					break
				}
				timer := workflow.TimerOptions{Summary: "The installer may need 30 minutes to remove itself"}
				if err := workflow.NewTimerWithOptions(ctx, min(wait, left), timer).Get(ctx, nil); err != nil {
					return evidence, err
				}
			}
			err := workflow.ExecuteActivity(nodeWrite(ctx, "Remove the installer from "+i.node.Name), a.RemoveInstaller, in).Get(ctx, &evidence)
			return evidence, err
		},
	}
}

// noRuntime: after an install the runtime must be there, so its absence says
// nothing about the container.
func noRuntime(in activities.ContainerInput) error {
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf("look for the installer: %s: there is no %s in root's PATH. Fix: see by hand whether %q still runs, then skip this step with what you saw",
		in.Node.Name, in.Runtime, activities.RemoveCommand(in)), string(fault.Failed), nil)
}

func (i *install) container() activities.ContainerInput {
	return activities.ContainerInput{Node: i.node, Runtime: installer.ContainerRuntime(i.site.Profile)}
}

func runID(ctx workflow.Context) string { return workflow.GetInfo(ctx).WorkflowExecution.RunID }

// jobID is the same for every try of a run: a job that still runs is adopted,
// one that failed is started afresh.
func jobID(ctx workflow.Context, what string) string { return what + "-" + runID(ctx) }
