package activities

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
)

// Elastic prepares the log store of the side that becomes the primary (DR-40).
type Elastic struct{ Hosts *Hosts }

// templateScript is in the unpacked Core Package; the document has it copied to
// root's home and run there.
const (
	templateScript     = "installer/res/packaged-scripts/for-upgrade/ensure-asm-template.sh"
	templateScriptCopy = "/root/ensure-asm-template.sh"
)

// TemplateScriptCommands are what RunTemplateScript runs as root, for a plan.
func TemplateScriptCommands(directory string) []string {
	return []string{"cp " + path.Join(directory, templateScript) + " /root/", "bash " + templateScriptCopy}
}

// TemplateScriptInput names the side that becomes the primary.
type TemplateScriptInput struct {
	Scope
	Run string `json:"run"` // of the workflow, for the record
}

// TemplateScript is how the script ended.
type TemplateScript struct {
	Evidence
	Installed    bool `json:"installed"`    // there is an Elasticsearch, so the script was run
	Unauthorized bool `json:"unauthorized"` // Elasticsearch answered it with 401: restart it and run the script again
}

// RunTemplateScript copies ensure-asm-template.sh out of the unpacked Core Package
// to /root on the installer node, or on another control plane that has it, and runs
// it there as root (DR-40). Without Pods of Elasticsearch there is nothing to do.
// That Elasticsearch answers 401 is a result, not an error: a restart mends it. A
// script that did not reach Elasticsearch is fault.Unreachable: its Pod may be
// starting. One that is nowhere or fails otherwise is fault.Failed. It may be
// repeated; two attempts at once follow one another.
func (a *Elastic) RunTemplateScript(ctx context.Context, in TemplateScriptInput) (TemplateScript, error) {
	view, err := (&Sync{Hosts: a.Hosts}).ListServices(ctx, ServicesInput{Scope: in.Scope, Groups: AfterSync[:1]})
	if err != nil {
		return TemplateScript{}, err
	}
	if len(view.Groups[0].Pods) == 0 {
		return TemplateScript{Evidence: Evidence{Summary: "Elasticsearch is not installed", Host: in.Cluster}}, nil
	}
	nodes, err := in.controlPlanes()
	if err != nil {
		return TemplateScript{}, err
	}
	source := path.Join(in.Site.Package.Directory, templateScript)
	var absent []error
	for _, n := range nodes {
		report(ctx, Progress{Text: "running " + path.Base(templateScript) + " on " + n.Name})
		out, there, err := a.runScript(ctx, n, source)
		if err == nil && there {
			out.Facts["run"] = in.Run
			return out, nil
		}
		if err != nil && (there || !fault.Is(err, fault.Unreachable)) {
			return TemplateScript{}, err
		}
		if err == nil {
			err = fmt.Errorf("%s has no %s", n.Name, source)
		}
		absent = append(absent, err)
	}
	return TemplateScript{}, notThere(in.Cluster, source, absent)
}

// notThere is worth a retry while a node that may have the script is away.
func notThere(cluster, source string, absent []error) error {
	class := fault.Failed
	for _, err := range absent {
		if fault.Is(err, fault.Unreachable) {
			class = fault.Unreachable
		}
	}
	return fault.New(class, "find ensure-asm-template.sh", "cluster "+cluster,
		"copy it out of the Core Package to "+source+" on the first control plane, then retry", errors.Join(absent...))
}

// Ends of runTemplate that are not the script's own.
const (
	scriptAbsent = 90
	scriptLate   = 124 // timeout's
)

// runTemplate works in a login environment as `sudo -i` gives it. Another attempt
// that still runs is waited for: two at once would rewrite each other's copy.
const runTemplate = `set -eu
exec 9</root
flock -w 900 9
[ -s "$src" ] || exit 90
install -o root -g root -m 700 "$src" "$dst.new"
mv -f "$dst.new" "$dst"
cd /root
[ -n "${KUBECONFIG-}" ] || [ -e /root/.kube/config ] || export KUBECONFIG=/etc/kubernetes/admin.conf
export HOME=/root USER=root LOGNAME=root
timeout -k 10 600 bash -l "$dst" </dev/null 2>&1 9<&-
`

func (a *Elastic) runScript(ctx context.Context, n Node, source string) (out TemplateScript, there bool, err error) {
	conn, err := a.Hosts.connect(ctx, n)
	if err != nil {
		return out, false, err
	}
	script := "src=" + shellQuote(source) + " dst=" + templateScriptCopy + "\n" + runTemplate
	result, err := conn.Run(ctx, ssh.Command{Op: "run " + path.Base(templateScript), Script: script, Sudo: true})
	if err != nil && (!fault.Is(err, fault.Command) || result.ExitCode == 0) {
		return out, false, err
	}
	if result.ExitCode == scriptAbsent && result.Stdout == "" {
		return out, false, nil
	}
	out.Evidence = Evidence{Host: n.Name, Command: digest(script), ExitCode: &result.ExitCode, Tail: tail(maskLogins(result.Stdout + result.Stderr)),
		Facts: map[string]string{"script": source}}
	out.Installed = true
	switch out.Unauthorized = unauthorized(result.Stdout, result.ExitCode); {
	case out.Unauthorized:
		out.Summary = "Elasticsearch answers ensure-asm-template.sh with 401: it must be restarted, and the script run again"
	case result.ExitCode != 0:
		cause, class := fmt.Errorf("exit code %d: %s", result.ExitCode, out.Tail), fault.Failed
		if away.MatchString(result.Stdout) {
			class = fault.Unreachable
		}
		if result.ExitCode == scriptLate {
			cause = fmt.Errorf("it did not end within 10 minutes: %s", out.Tail)
		}
		return out, true, fault.New(class, "run ensure-asm-template.sh", n.Name, "look at the Pods of Elasticsearch and at the output, then retry", cause)
	default:
		out.Summary = "ensure-asm-template.sh ran on " + n.Name
	}
	return out, true, nil
}

var (
	// said401 is what tools print of a refused login; a bare 401 may be a number of
	// anything, and counts only when the script failed.
	said401 = regexp.MustCompile(`(?i)http/[\d.]+ 401|\b401 unauthorized\b|\bunauthorized\b|"status"\s*:\s*401|\b(http|code|status|error)[^\n]{0,20}\b401\b|security_exception`)
	// away is what tools print of a server that is not there, or not yet.
	away    = regexp.MustCompile(`(?i)connection refused|failed to connect|could ?n[o']t connect|connection reset by peer|no route to host|\b503\b`)
	bare401 = regexp.MustCompile(`\b401\b`)
	// logins are what a script with `set -x` would print of its credentials.
	logins = regexp.MustCompile(`(?i)((?:^|\s)(?:-u|--user)[ =]?|authorization: ?\w+ |password["']?[=: ]+)\S+|(://)[^\s@/]+@`)
)

func unauthorized(output string, exit int) bool {
	return said401.MatchString(output) || exit != 0 && bare401.MatchString(output)
}

func maskLogins(output string) string {
	return strings.TrimSpace(logins.ReplaceAllString(output, "${1}${2}***"))
}
