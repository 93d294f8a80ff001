package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/acpflow/acpflow/checks"
)

// ansibleRun checks the machines with Ansible as an experienced person sets it
// up: many forks, pipelining, kept connections, no fact gathering, a fixed
// interpreter, the fast key exchange.
type ansibleRun struct {
	f   *fleet
	dir string
}

func (f *fleet) playbooks() ansibleRun { return ansibleRun{f: f, dir: filepath.Join(f.tmp, "ansible")} }

// task is one task of a playbook.
type task struct {
	Name    string        `yaml:"name"`
	Shell   *shellTask    `yaml:"ansible.builtin.shell,omitempty"`
	Command *commandTask  `yaml:"ansible.builtin.command,omitempty"`
	Slurp   yaml.MapSlice `yaml:"ansible.builtin.slurp,omitempty"`
	Changed bool          `yaml:"changed_when"`
	Failed  bool          `yaml:"failed_when"` // a fact may be absent
}

type shellTask struct {
	Cmd        string `yaml:"cmd"`
	Executable string `yaml:"executable"`
}

type commandTask struct {
	Cmd   string `yaml:"cmd"`
	Stdin string `yaml:"stdin"`
}

type play struct {
	Hosts  string `yaml:"hosts"`
	Gather bool   `yaml:"gather_facts"`
	Tasks  []task `yaml:"tasks"`
}

// factCalls are the collector's lines that read one fact each: how, name, command.
var factCalls = regexp.MustCompile(`(?m)^\t(fact|own|file|first_of|keep) ([a-z0-9-]+) ((?:.*\\\n)*.*)$`)

// tasksOf makes a task of every fact that the collector reads, which is about
// one for each check, and nothing is read twice. Files are slurped, everything
// else is a shell task with the collector's functions at hand. The clock is left
// out: it has no meaning over minutes. Ansible only reads; acpflow judges, too.
func tasksOf(collector string) []task {
	functions, body, _ := strings.Cut(collector, "\ncollect_system() {")
	var out []task
	for _, call := range factCalls.FindAllStringSubmatch(body, -1) {
		how, name, command := call[1], call[2], call[3]
		if strings.HasPrefix(name, "time-start") || strings.HasPrefix(name, "time-end") {
			continue
		}
		t := task{Name: name}
		if how == "file" {
			t.Slurp = yaml.MapSlice{{Key: "src", Value: command}}
		} else {
			script := functions + "\nmachine=$(uname -m) kernel=$(uname -r)\n" + call[0] + "\nprintf %s \"$all\"\n"
			t.Shell = &shellTask{Cmd: raw(script), Executable: "/bin/bash"}
		}
		out = append(out, t)
	}
	return out
}

// raw keeps a script from being read as a template.
func raw(script string) string { return "{% raw %}" + script + "{% endraw %}" }

// write makes inventory, settings and playbooks.
func (a ansibleRun) write() error {
	if err := os.MkdirAll(a.dir, 0o755); err != nil {
		return err
	}
	ssh := slices.Concat(a.f.opensshOptions(curve25519, "ControlMaster=auto", "ControlPersist=60s"))
	settings := fmt.Sprintf(`[defaults]
inventory = %[1]s/inventory
forks = 50
gathering = explicit
retry_files_enabled = False
interpreter_python = /usr/bin/python3
[ssh_connection]
pipelining = True
control_path_dir = %[1]s/cp
ssh_args = %[2]s
`, a.dir, strings.Join(ssh, " "))
	inventory := "[all:vars]\nansible_user=root\nansible_port=" + strconv.Itoa(realPort) + "\n[all]\n" +
		strings.Join(addresses(a.f.nodes), "\n") + "\n"
	var problems []error
	for name, content := range map[string]any{
		"ansible.cfg": settings, "inventory": inventory,
		"checks.yaml": []play{{Hosts: "all", Tasks: tasksOf(checks.Collector())}},
		"script.yaml": []play{{Hosts: "all", Tasks: []task{{Name: "collector", Command: &commandTask{
			Cmd: "bash --norc --noprofile -s", Stdin: "{{ lookup('file', '" + a.f.script + "') }}",
		}}}}},
	} {
		text, isText := content.(string)
		if !isText {
			data, err := yaml.Marshal(content)
			problems = append(problems, err)
			text = string(data)
		}
		problems = append(problems, os.WriteFile(filepath.Join(a.dir, name), []byte(text), 0o600))
	}
	return errors.Join(problems...)
}

// mitogen makes Ansible several times faster: one connection and one Python
// process per machine for all tasks.
var mitogen = []string{"ANSIBLE_STRATEGY=mitogen_linear", "ANSIBLE_STRATEGY_PLUGINS=/usr/lib/python3/dist-packages/ansible_mitogen/plugins/strategy"}

// oneTask runs the same script as acpflow, as one task.
func (a ansibleRun) oneTask(ctx context.Context) (sample, error) {
	s, out, err := a.play(ctx, "script.yaml", "ANSIBLE_STDOUT_CALLBACK=minimal") // prints outputs as they came
	if err != nil {
		return s, err
	}
	return s, a.f.complete(out, a.f.nodes)
}

// taskPerCheck runs a task for everything that the checks look at.
func (a ansibleRun) taskPerCheck(ctx context.Context, env ...string) (sample, error) {
	s, out, err := a.play(ctx, "checks.yaml", env...)
	if err != nil {
		return s, err
	}
	want := len(tasksOf(checks.Collector()))
	done := regexp.MustCompile(`(?m)^\S+ +: ok=`+strconv.Itoa(want)+` .* unreachable=0 +failed=0 `).FindAll(out, -1)
	if len(done) != a.f.nodes {
		return s, fmt.Errorf("%d of %d machines did all %d tasks: %s", len(done), a.f.nodes, want, out[max(0, len(out)-4000):])
	}
	return s, nil
}

// play runs a playbook without any connection open before, and ends the
// connections that Ansible's ssh keeps.
func (a ansibleRun) play(ctx context.Context, book string, env ...string) (sample, []byte, error) {
	if err := a.write(); err != nil {
		return sample{}, nil, err
	}
	m, err := newMeter(a.f.sshd.Pid())
	if err != nil {
		return sample{}, nil, err
	}
	cmd := exec.CommandContext(ctx, "ansible-playbook", book)
	cmd.Dir = a.dir
	cmd.Env = slices.Concat(os.Environ(), []string{"ANSIBLE_CONFIG=" + filepath.Join(a.dir, "ansible.cfg"), "HOME=" + a.dir, "LC_ALL=C.UTF-8"}, env)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	var out strings.Builder
	cmd.Stdout = &out
	err = runCommand(m, cmd)
	masters := a.masters()
	for _, pid := range masters { // they outlive the playbook, but are its clients
		if used, err := ownCPU(pid); err == nil {
			m.client += used
		}
	}
	s, err2 := m.done()
	for _, pid := range masters {
		_ = syscall.Kill(pid, syscall.SIGTERM) // it may have ended
	}
	if err := errors.Join(err, err2, a.f.cut(ctx)); err != nil {
		return s, nil, fmt.Errorf("%w: %s", err, out.String()[max(0, out.Len()-4000):])
	}
	return s, []byte(out.String()), nil
}

// masters are the ssh processes that hold Ansible's connections.
func (a ansibleRun) masters() []int {
	dirs, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is right
	var out []int
	for _, file := range dirs {
		text, err := os.ReadFile(file)
		if err != nil || !strings.HasPrefix(string(text), "ssh: "+filepath.Join(a.dir, "cp")) {
			continue
		}
		if pid, err := strconv.Atoi(strings.Split(file, "/")[2]); err == nil {
			out = append(out, pid)
		}
	}
	return out
}
