package activities

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/corepkg"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/upload"
	"github.com/acpflow/acpflow/site"
)

// CorePackage brings the vendor's Core Package onto the installer node.
type CorePackage struct{ Hosts *Hosts }

// InspectInput names the package and the machines (uname -m) that shall run it.
type InspectInput struct {
	Package  site.Package `json:"package"`
	Machines []string     `json:"machines,omitempty"`
	Hybrid   bool         `json:"hybrid,omitempty"` // must carry both architectures (PKG-10)
}

// InspectResult is what later steps need of the package.
type InspectResult struct {
	Evidence       Evidence `json:"evidence"`
	SHA256         string   `json:"sha256"`
	Size           int64    `json:"size"`           // bytes
	ExtractedBytes int64    `json:"extractedBytes"` // bytes

	View checks.PackageView `json:"view"`
}

// InspectPackage reads the package once: checksum (PKG-04), contents, architecture
// against the document and every machine (PKG-03).
func (c *CorePackage) InspectPackage(ctx context.Context, in InspectInput) (InspectResult, error) {
	info, err := corepkg.Inspect(ctx, in.Package.Path, func(done, total int64) {
		report(ctx, Progress{Text: "reading the package", Done: done, Total: total, Unit: "bytes"})
	})
	if err != nil {
		return InspectResult{}, err
	}
	if err := info.Accept(corepkg.Demand{Checksum: in.Package.Checksum, Architecture: in.Package.Architecture, Machines: in.Machines, Hybrid: in.Hybrid}); err != nil {
		return InspectResult{}, err
	}
	return InspectResult{
		Evidence: Evidence{
			Summary: fmt.Sprintf("package verified: %s, %d bytes, sha256 %.12s", info.Architecture, info.Size, info.SHA256),
			Facts:   map[string]string{"sha256": info.SHA256, "size": strconv.FormatInt(info.Size, 10), "architecture": info.Architecture},
		},
		SHA256: info.SHA256, Size: info.Size, ExtractedBytes: info.ExtractedBytes, View: viewOf(info),
	}, nil
}

// ViewPackage reads the package for a verdict on it (PKG-03, PKG-04). What is
// wrong with the package is in the view; an error is trouble that may pass.
func (c *CorePackage) ViewPackage(ctx context.Context, in InspectInput) (checks.PackageView, error) {
	info, err := corepkg.Inspect(ctx, in.Package.Path, func(done, total int64) {
		report(ctx, Progress{Text: "reading the package", Done: done, Total: total, Unit: "bytes"})
	})
	if err == nil {
		err = info.Accept(corepkg.Demand{Checksum: in.Package.Checksum, Architecture: info.Architecture})
	}
	view := viewOf(info)
	if err != nil && ctx.Err() == nil && fault.ClassOf(err).Permanent() {
		view.Error = message(err)
		return view, nil
	}
	return view, err
}

func viewOf(info corepkg.Info) checks.PackageView {
	view := checks.PackageView{SHA256: info.SHA256, Size: info.Size}
	switch info.Architecture {
	case "":
	case corepkg.Hybrid:
		view.Architectures = []string{"amd64", "arm64"}
	default:
		view.Architectures = []string{info.Architecture}
	}
	return view
}

// freeAfterExtraction is what the installer needs beside the package (EXE-04).
const freeAfterExtraction = 100_000_000_000 // bytes

// SpaceInput says what is still to come onto the disk.
type SpaceInput struct {
	Node           Node          `json:"node"`
	Directory      string        `json:"directory"`
	PackageBytes   int64         `json:"packageBytes,omitempty"`   // 0 = uploaded already
	ExtractedBytes int64         `json:"extractedBytes,omitempty"` // 0 = extracted already
	Waivers        []site.Waiver `json:"waivers,omitempty"`
}

// spaceScript asks the file system that the folder is on, or will be on.
const spaceScript = `set -e
dir=%s
while [ ! -d "$dir" ]; do dir=$(dirname "$dir"); done
df -P -B1 "$dir" | awk 'NR==2 {print $4}'
`

// CheckSpace judges the free space of the package folder. Room for what acpflow
// itself writes can't be waived; the installer's 100 GB can (EXE-04).
func (c *CorePackage) CheckSpace(ctx context.Context, in SpaceInput) (Evidence, error) {
	conn, err := c.Hosts.connect(ctx, in.Node)
	if err != nil {
		return Evidence{}, err
	}
	script := fmt.Sprintf(spaceScript, shellQuote(in.Directory))
	out, err := conn.Run(ctx, ssh.Command{Script: script, Sudo: true})
	if err != nil {
		return Evidence{}, err
	}
	var free int64
	if _, err := fmt.Sscan(out.Stdout, &free); err != nil {
		return Evidence{}, fault.New(fault.Protocol, "read free space", in.Node.Name, "", fmt.Errorf("df says %q: %w", clip(out.Stdout, 200), err))
	}
	own := in.PackageBytes + in.ExtractedBytes
	evidence := Evidence{Host: in.Node.Name, Facts: map[string]string{"free": strconv.FormatInt(free, 10), "needed": strconv.FormatInt(own, 10)}}
	if free < own {
		return evidence, tooFull(in, free, own, "the package and its contents")
	}
	if free >= own+freeAfterExtraction {
		evidence.Summary = fmt.Sprintf("%s free in %s", gigabytes(free), in.Directory)
		return evidence, nil
	}
	waiver, ok := site.WaiverFor(in.Waivers, "EXE-04", in.Node.Name, time.Now())
	if !ok {
		return evidence, tooFull(in, free, own+freeAfterExtraction, "the package and the 100 GB of EXE-04")
	}
	evidence.Summary = fmt.Sprintf("%s free in %s, less than EXE-04 demands: waived by %s until %s (%s)", gigabytes(free), in.Directory, waiver.Author, waiver.Expires, waiver.Reason)
	return evidence, nil
}

func tooFull(in SpaceInput, free, need int64, what string) error {
	return fault.New(fault.DiskFull, "check free space", in.Node.Name+":"+in.Directory, "free or add disk space there, then retry",
		fmt.Errorf("%s free, %s needed for %s", gigabytes(free), gigabytes(need), what))
}

func gigabytes(n int64) string { return fmt.Sprintf("%.1f GB", float64(n)/1e9) }

// UploadInput moves a file from the worker to a node.
type UploadInput struct {
	Node   Node   `json:"node"`
	Local  string `json:"local"`
	Remote string `json:"remote"`
	SHA256 string `json:"sha256"`
	Run    string `json:"run"` // workflow run id: its undo removes only what it uploaded itself
}

// UploadPackage sends the file through several channels of one SSH connection,
// resumes what an earlier attempt sent, and proves the SHA-256 on the node.
// A file that is already there is not sent again.
func (c *CorePackage) UploadPackage(ctx context.Context, in UploadInput) (Evidence, error) {
	conn, err := c.Hosts.connect(ctx, in.Node)
	if err != nil {
		return Evidence{}, err
	}
	spec := upload.Spec{Local: in.Local, Remote: in.Remote, SHA256: in.SHA256, Sudo: true, Owner: in.Run}
	result, err := upload.File(ctx, conn, spec, func(p upload.Progress) {
		report(ctx, Progress{Text: "uploading to " + in.Node.Name, Done: p.Done, Total: p.Total, Unit: "bytes"})
	})
	if err != nil {
		return Evidence{}, err
	}
	summary := fmt.Sprintf("%d bytes sent, %d were there already; SHA-256 verified on %s", result.Sent, result.Skipped, in.Node.Name)
	return Evidence{Summary: summary, Host: in.Node.Name, Facts: map[string]string{
		"sha256": in.SHA256, "sent": strconv.FormatInt(result.Sent, 10), "skipped": strconv.FormatInt(result.Skipped, 10),
		"seconds": strconv.FormatFloat(result.Seconds, 'f', 1, 64)}}, nil
}

// RemoveUploadInput names an upload of this run.
type RemoveUploadInput struct {
	Node   Node   `json:"node"`
	Remote string `json:"remote"`
	Run    string `json:"run"`
}

// RemoveUploadedPackage deletes what Upload of the same run has made, partial or whole;
// a file that was there before stays.
func (c *CorePackage) RemoveUploadedPackage(ctx context.Context, in RemoveUploadInput) (Evidence, error) {
	conn, err := c.Hosts.connect(ctx, in.Node)
	if err != nil {
		return Evidence{}, err
	}
	removed, err := upload.Remove(ctx, conn, upload.Spec{Remote: in.Remote, Sudo: true, Owner: in.Run})
	if err != nil {
		return Evidence{}, err
	}
	summary := "upload removed"
	if !removed {
		summary = "nothing of this run to remove"
	}
	return Evidence{Summary: summary, Host: in.Node.Name}, nil
}
