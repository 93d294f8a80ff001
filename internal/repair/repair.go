// Package repair carries out planned changes on a node and takes them back. A
// ledger on the node (/var/lib/acpflow/repair) holds every change with what was
// there before, written before the change acts: killed anywhere, the next run
// finishes or takes back what was half done. Needs bash 4.2, coreutils and
// util-linux there, and root.
package repair

import (
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/acpflow/acpflow/checks/fix"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
)

var (
	//go:embed repair.sh
	repairScript string
	//go:embed guard.sh
	guardScript string
	//go:embed snapshot.sh
	snapshotScript string

	library = repairScript + guardScript + snapshotScript
)

// Status is what became of a change.
type Status string

// The statuses.
const (
	Done    Status = "done"
	Already Status = "already" // it was so before: nothing was done
	Undone  Status = "undone"
	Refused Status = "refused" // somebody else changed the same thing: nothing was touched
	Failed  Status = "failed"
	Begun   Status = "begun" // a killed repair left it half done; the next one ends that
	Left    Status = "left"  // it changed, and is never taken back
	Held    Status = "held"  // it stands in the ledger and can be taken back
)

// Result is what became of one change.
type Result struct {
	Fix     string // id of the fix
	What    string // path or command
	Status  Status
	Message string // why it was refused or failed, redacted; of Held: until when it holds
}

// Bad reports whether the change is not as it was asked for.
func (r Result) Bad() bool { return r.Status == Refused || r.Status == Failed }

// Node is a node to repair. Root prefixes every path on it, for tests.
type Node struct {
	*ssh.Client
	Root string
}

// Survey reads what repairs of the node would change. It writes nothing.
// Errors: those of ssh.Client.Run, and fault.Protocol.
func (n Node) Survey(ctx context.Context) (fix.Survey, error) {
	cmd := ssh.Command{Op: "survey the node", Script: "root=" + ssh.Quote(n.Root) + "\n" + fix.Surveyor(), Sudo: true}
	out, err := n.Run(ctx, cmd)
	if err != nil {
		return fix.Survey{}, err
	}
	s, err := fix.ParseSurvey(out.Stdout)
	if err != nil {
		return fix.Survey{}, fault.New(fault.Protocol, cmd.Op, n.Target(), "", err)
	}
	return s, nil
}

// Guard makes the node take a fix back by itself, unless it is confirmed in time.
type Guard struct {
	Token   string // letters, digits and dashes; one per fix and attempt
	Seconds int
}

// Apply ends what a killed run left half done, then does the fixes in order: of
// each all changes or none, and a failed one does not stop the next. run marks them in the ledger. With a guard, which
// then covers all of them, follow up with Confirm through a new connection.
func (n Node) Apply(ctx context.Context, run string, fixes []fix.Fix, guard *Guard) (Report, error) {
	var b strings.Builder
	b.WriteString("recover\n")
	for _, f := range fixes {
		begin := "fix_begin ''"
		if guard != nil {
			begin = fmt.Sprintf("fix_begin %s %d", ssh.Quote(guard.Token), guard.Seconds)
		}
		fmt.Fprintf(&b, "c_fix=%s c_path= c_do= c_reboot=%s; %s\n", ssh.Quote(f.ID), yes(f.Reboot), begin)
		for _, c := range f.Changes {
			b.WriteString(assign(f, c, run))
			b.WriteString("change\n")
		}
		b.WriteString("fix_end\n")
	}
	return n.perform(ctx, "repair the node", b.String())
}

// assign sets the variables of one change.
func assign(f fix.Fix, c fix.Change, run string) string {
	var b strings.Builder
	for _, v := range [][2]string{
		{"kind", string(c.Kind)}, {"path", c.Path}, {"before", c.Before}, {"after", c.After()}, {"mode", mode(c.Mode)}, {"check", c.Check},
		{"then", c.Then}, {"do", c.Do}, {"undo", c.Undo}, {"seen", c.Seen}, {"fix", f.ID}, {"temporary", f.Temporary},
		{"run", run}, {"reboot", yes(f.Reboot)}, {"target", ""}, {"made", ""}, {"data", base64.StdEncoding.EncodeToString([]byte(c.Content))},
	} {
		fmt.Fprintf(&b, "c_%s=%s\n", v[0], ssh.Quote(v[1]))
	}
	return b.String()
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

func mode(m string) string {
	if m == "" {
		return "0644"
	}
	return m
}

// Confirm tells the node that it can still be reached. It reports false when
// the guard's time was over and the node has taken the fix back.
func (n Node) Confirm(ctx context.Context, token string) (bool, error) {
	out, err := n.perform(ctx, "confirm a repair", "guard_confirm "+ssh.Quote(token)+"\n")
	return out.guard == "confirmed" || out.guard == "unused", err
}

// Filter picks changes of the ledger. The zero value means all of them.
type Filter struct {
	Run       string // only those of one run
	Temporary bool   // only those that hold for a time
}

// Undo takes changes back, the last one first. What somebody else has changed
// since is refused and stays. All changes, of whichever run, are taken back only
// while no init.sh runs on the node: else it is a fault.Conflict.
func (n Node) Undo(ctx context.Context, f Filter) (Report, error) {
	settle := ""
	if f == (Filter{}) {
		settle = "if init_runs; then echo 'init.sh runs on this node' >&2; exit 75; fi\nsettle\n"
	}
	return n.perform(ctx, "take repairs back", fmt.Sprintf("recover\n%sundo_all %s %s\n", settle, ssh.Quote(f.Run), ssh.Quote(yes(f.Temporary))))
}

// List returns what can be taken back, the last change first, and what a killed
// run left half done. It writes nothing on the node.
func (n Node) List(ctx context.Context) (Report, error) {
	return n.run(ctx, "list repairs", "[ ! -d \"$ledger/changes\" ] || list\n")
}

// Report is what the node says after a repair.
type Report struct {
	Results   []Result
	Boot      string // id of the boot it runs
	RebootDue bool   // something counts only after the next one

	guard string
}

// Bad lists what is not as it was asked for.
func (r Report) Bad() []Result {
	var out []Result
	for _, result := range r.Results {
		if result.Bad() {
			out = append(out, result)
		}
	}
	return out
}

// perform is run, alone on the node.
func (n Node) perform(ctx context.Context, op, body string) (Report, error) {
	return n.run(ctx, op, "enter\n"+body)
}

func (n Node) run(ctx context.Context, op, body string) (Report, error) {
	// In a function, so that bash has read everything before any of it runs.
	script := "root=" + ssh.Quote(n.Root) + "\n" + fix.Fingerprint() + library +
		"main() {\nprintf 'acpflow-repair 1\\n' >&3\n" + body + "boot\nprintf 'end %s\\n' \"$count\" >&3\n}\nmain 3>&1 </dev/null >&2\n"
	out, err := n.Run(ctx, ssh.Command{Op: op, Script: script, Sudo: true})
	if out.ExitCode == 75 {
		return Report{}, fault.New(fault.Conflict, op, n.Target(), "wait until it has ended, then retry", err)
	}
	if err != nil {
		return Report{}, err
	}
	result, err := parse(out.Stdout)
	if err != nil {
		return result, fault.New(fault.Protocol, op, n.Target(), "", err)
	}
	return result, nil
}

func parse(text string) (Report, error) {
	var out Report
	begun, count := false, 0
	for line := range strings.Lines(text) {
		w := strings.Split(strings.TrimSuffix(line, "\n"), " ")
		switch {
		case strings.Join(w, " ") == "acpflow-repair 1":
			begun = true
		case !begun:
		case w[0] == "guard" && len(w) == 2:
			out.guard = w[1]
			count++
		case w[0] == "boot" && len(w) == 3:
			out.Boot, out.RebootDue = w[1], w[2] == "due"
			count++
		case w[0] == "change" && len(w) == 5:
			r, err := parseResult(w)
			if err != nil {
				return out, err
			}
			out.Results = append(out.Results, r)
			count++
		case w[0] == "end" && len(w) == 2 && w[1] == strconv.Itoa(count):
			return out, nil
		default:
			return out, fmt.Errorf("the node answers %.80q", line)
		}
	}
	return out, fmt.Errorf("the node's answer ends early, after %d changes", count)
}

func parseResult(w []string) (Result, error) {
	var text [3]string
	for i, at := range []int{1, 2, 4} {
		b, err := base64.StdEncoding.DecodeString(w[at])
		if err != nil {
			return Result{}, fmt.Errorf("the node's answer: %w", err)
		}
		text[i] = strings.TrimSpace(strings.ToValidUTF8(secret.Redact(string(b)), "?"))
	}
	return Result{Fix: text[0], What: text[1], Status: Status(w[3]), Message: text[2]}, nil
}
