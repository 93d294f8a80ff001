package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	temporal "go.temporal.io/sdk/client"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
	"github.com/acpflow/acpflow/test/harness"
)

// fleetNet holds the machines: every address of it answers on the loopback device.
const fleetNet = "10.77.0.0/16"

// Ports of the machines.
const (
	realPort     = 22   // a real sshd with bash
	quickPort    = 2022 // a real sshd that answers with recorded facts
	recordedPort = 2222 // a server in this process that does
)

// fleet is many machines, and acpflow as it is deployed: a worker and Temporal,
// programs of their own.
type fleet struct {
	options
	tmp       string
	sshd      *sshtest.Server
	quick     *sshtest.Server
	ms50      *sshtest.Proxy // a machine with 50 ms round trip
	recorded  *recorded
	devserver *harness.Devserver
	worker    *harness.Worker
	temporal  temporal.Client
	script    string // file with the collector
	facts     int    // how many the collector prints
	runNumber int
}

func newFleet(ctx context.Context, o options) (*fleet, error) {
	tmp, err := os.MkdirTemp("", "acpflow-bench-")
	if err != nil {
		return nil, err
	}
	f := &fleet{options: o, tmp: tmp}
	if err := f.fill(ctx); err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

func (f *fleet) fill(ctx context.Context) error {
	err := os.Chmod(f.tmp, 0o755) // sshd's children enter it
	if err != nil {
		return err
	}
	f.sshd, err = runSSHD(f.tmp, realPort)
	if err != nil {
		return err
	}
	if f.ms50, err = sshtest.NewProxy(f.sshd.Addr, 25*time.Millisecond); err != nil {
		return err
	}
	f.script = filepath.Join(f.tmp, "collect.sh")
	if err := os.WriteFile(f.script, []byte(checks.Collector()), 0o644); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(f.tmp, "known_hosts"), []byte("* "+f.sshd.HostKeys[0]+"\n"), 0o600); err != nil {
		return err
	}
	facts, err := f.here(ctx)
	if err != nil {
		return err
	}
	if f.recorded, err = serveRecorded(f.tmp, facts, fmt.Sprint("0.0.0.0:", recordedPort)); err != nil {
		return err
	}
	if err := f.startQuick(facts); err != nil {
		return err
	}
	return f.start(ctx)
}

// quickAnswer plays the loader of acpflow's SSH client, which takes a length, a
// mark and a script, and fences the script's outputs with the mark.
const quickAnswer = `read -r size mark
head -c "$size" >/dev/null
for fd in 1 2; do printf '\036%s 4711\n' "$mark" >&$fd; done
cat FACTS
for fd in 1 2; do printf '\036%s.0\n' "$mark" >&$fd; done
`

// quickCommand writes quickAnswer into dir and returns sshd's setting that runs
// it instead of every command.
func quickCommand(dir string, facts []byte) (string, error) {
	record, script := filepath.Join(dir, "facts"), filepath.Join(dir, "answer.sh")
	return "ForceCommand exec sh " + script, errors.Join(os.WriteFile(record, facts, 0o644),
		os.WriteFile(script, []byte(strings.ReplaceAll(quickAnswer, "FACTS", record)), 0o644))
}

func (f *fleet) startQuick(facts []byte) error {
	dir := filepath.Join(f.tmp, "quick")
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	line, err := quickCommand(dir, facts)
	if err != nil {
		return err
	}
	f.quick, err = runSSHD(dir, quickPort, line)
	return err
}

// runSSHD runs an sshd on a port of every address.
func runSSHD(dir string, port int, lines ...string) (*sshtest.Server, error) {
	return sshtest.Run(dir, append(lines, fmt.Sprint("ListenAddress 0.0.0.0:", port), "MaxStartups 1000", "MaxSessions 100", "LogLevel ERROR")...)
}

// here runs the collector on this machine and counts the facts.
func (f *fleet) here(ctx context.Context) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "bash", "--norc", "--noprofile", "-s")
	cmd.Stdin = strings.NewReader(checks.Collector())
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("the collector on this machine: %w", err)
	}
	if _, err := checks.ParseFacts(out); err != nil {
		return nil, err
	}
	f.facts, err = strconv.Atoi(string(ends.FindSubmatch(out)[1])) // ParseFacts has seen it
	return out, err
}

// start runs Temporal and the worker.
func (f *fleet) start(ctx context.Context) error {
	sites := filepath.Join(f.tmp, "sites")
	if err := f.writeSites(sites); err != nil {
		return err
	}
	var err error
	if f.devserver, err = harness.StartDevserver(ctx, f.tmp, os.Stdout); err != nil {
		return err
	}
	if f.worker, err = harness.StartWorker(ctx, f.devserver, harness.WorkerOptions{Sites: sites, Dir: f.tmp}); err != nil {
		return err
	}
	f.temporal, err = f.devserver.Client(ctx)
	return err
}

func (f *fleet) close() error {
	var errs []error
	if f.temporal != nil {
		f.temporal.Close()
	}
	if f.worker != nil {
		errs = append(errs, f.worker.Stop())
	}
	if f.devserver != nil {
		errs = append(errs, f.devserver.Stop())
	}
	if f.recorded != nil {
		f.recorded.close()
	}
	if f.ms50 != nil {
		f.ms50.Close()
	}
	for _, sshd := range []*sshtest.Server{f.sshd, f.quick} {
		if sshd != nil {
			sshd.Stop()
		}
	}
	return errors.Join(append(errs, os.RemoveAll(f.tmp))...)
}

// addresses are those of the first n machines.
func addresses(n int) []string {
	a := netip.MustParsePrefix(fleetNet).Addr().Next().Next() // .1 is the cluster's own
	out := make([]string, n)
	for i := range out {
		out[i] = a.String()
		a = a.Next()
	}
	return out
}

// cut ends every connection that somebody kept to the machines, and waits until
// both ends know.
func (f *fleet) cut(ctx context.Context) error {
	f.recorded.cut()
	for _, sshd := range []int{f.sshd.Pid(), f.quick.Pid()} {
		for _, pid := range children(sshd) {
			_ = syscall.Kill(pid, syscall.SIGTERM) // it may be ending already
		}
		for len(children(sshd)) > 0 {
			if err := pause(ctx, 10*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return pause(ctx, 200*time.Millisecond)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// opensshOptions are those of OpenSSH's client: only this key and these hosts,
// no user's settings, and what is given.
func (f *fleet) opensshOptions(more ...string) []string {
	out := []string{"-F", "none", "-q", "-i", filepath.Join(f.tmp, "client"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes",
		"-o", "StrictHostKeyChecking=yes", "-o", "UserKnownHostsFile=" + filepath.Join(f.tmp, "known_hosts")}
	for _, o := range more {
		out = append(out, "-o", o)
	}
	return out
}

const curve25519 = "KexAlgorithms=curve25519-sha256"

// ends are the collector's last words: how many facts it printed.
var ends = regexp.MustCompile(`(?m)^end (\d+)$`)

// complete demands that an output holds all facts of so many machines: both
// sides of a comparison must have done the same.
func (f *fleet) complete(out []byte, machines int) error {
	found := ends.FindAllSubmatch(out, -1)
	good := 0
	for _, end := range found {
		if string(end[1]) == strconv.Itoa(f.facts) {
			good++
		}
	}
	if good == machines && len(found) == machines {
		return nil
	}
	return fmt.Errorf("%d of %d machines gave all %d facts; the output begins: %s", good, machines, f.facts, bytes.TrimSpace(out[:min(len(out), 2000)]))
}
