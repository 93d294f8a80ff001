// Command bench measures acpflow beside what people use instead: uploads beside
// scp, checks of many machines beside ssh and Ansible, the comparison of two etcds
// beside etcdctl, what an install costs beyond installer and nodes, and a
// switchover beside the document's own procedure. It says whether the goals are
// met. Everything that is compared runs in the same minutes, in random order, on
// the same machine: only ratios count.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// options are the flags.
type options struct {
	report      string // JSON file
	goals       []string
	runs        int
	ansibleRuns int   // of the playbook with a task per check
	keys        int   // of each etcd of E1 and E2
	nodes       int   // real sshd endpoints of P1…P5
	sites       int   // of M1000
	minutes     int   // M1000 measures
	size        int64 // bytes on loopback
	wan         int64 // bytes through the delay proxy
	dir         string
}

// Goals by what has to be set up for them.
var (
	uploadGoals  = []string{"U1", "U2", "U3", "U4", "U5", "U6"}
	installGoals = []string{"I1"}
	etcdGoals    = []string{"E1", "E2"}
	fleetGoals   = []string{"P1", "P2", "P3", "P4", "P5", "P6", "N500"}
)

func main() {
	args := os.Args[1:]
	inside := len(args) > 0 && args[0] == fleetCommand
	if inside {
		args = args[1:]
	}
	if len(args) > 0 && args[0] == "client" {
		exit(client(args[1:]))
	}
	o, err := parse(args)
	if err != nil {
		exit(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if inside {
		err = insideNetwork(ctx, o)
	} else {
		err = run(ctx, o, args)
	}
	stop()
	exit(err)
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	all := slices.Concat(uploadGoals, etcdGoals, installGoals, fleetGoals, []string{monitorGoal}, takeoverGoals)
	flags.StringVar(&o.report, "o", "", "also write the report to this JSON `file`")
	goals := flags.String("goals", strings.Join(all, ","), "which goals to measure; all but the U and E ones need root")
	flags.IntVar(&o.runs, "runs", 5, "runs of each case")
	flags.IntVar(&o.ansibleRuns, "ansible-runs", 1, "runs of Ansible with one task per check, minutes each")
	flags.IntVar(&o.keys, "keys", 1_000_000, "keys of each etcd in E1 and E2")
	flags.IntVar(&o.nodes, "nodes", 30, "machines to check in P1 to P5")
	flags.IntVar(&o.sites, "sites", 1000, "sites that one worker checks every minute in M1000")
	flags.IntVar(&o.minutes, "minutes", 5, "how long M1000 measures")
	size := flags.Int64("size", 1024, "size of the file on loopback, `MiB`")
	wan := flags.Int64("wan-size", 256, "size of the file through the delay proxy, `MiB`")
	flags.StringVar(&o.dir, "dir", "/dev/shm", "folder for the files, best on tmpfs; needs three times their size")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.size, o.wan, o.goals = *size<<20, *wan<<20, strings.Split(*goals, ",")
	for _, g := range o.goals {
		if !slices.Contains(all, g) {
			return o, fmt.Errorf("there is no goal %q. Fix: choose from %s", g, strings.Join(all, ","))
		}
	}
	return o, nil
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// wants reports whether any of the goals is asked for.
func (o options) wants(goals []string) bool {
	return slices.ContainsFunc(goals, func(g string) bool { return slices.Contains(o.goals, g) })
}

// run measures what was asked for and reports it.
func run(ctx context.Context, o options, args []string) error {
	rep := &report{Machine: machine()}
	fmt.Println(rep.Machine)
	if o.wants(uploadGoals) {
		if err := uploads(ctx, o, rep); err != nil {
			return err
		}
	}
	if o.wants(etcdGoals) {
		if err := proofs(ctx, o, rep); err != nil {
			return fmt.Errorf("comparing etcds: %w", err)
		}
	}
	if o.wants(append([]string{monitorGoal}, fleetGoals...)) {
		if err := fleetInNetwork(ctx, args, rep); err != nil {
			return fmt.Errorf("checks of many machines: %w", err)
		}
	}
	if o.wants(installGoals) {
		if err := overhead(ctx, min(3, o.runs), rep); err != nil {
			return fmt.Errorf("install overhead: %w", err)
		}
	}
	if o.wants(takeoverGoals) {
		if err := takeovers(ctx, o, rep); err != nil {
			return fmt.Errorf("takeovers: %w", err)
		}
	}
	if err := rep.write(o.report); err != nil {
		return err
	}
	if !rep.summary(os.Stdout) {
		return errors.New("a goal is missed")
	}
	return nil
}

func uploads(ctx context.Context, o options, rep *report) error {
	w, err := newWorld(o)
	if err != nil {
		return err
	}
	defer w.close()
	return runAll(ctx, w.contests(), o.goals, rep)
}

func proofs(ctx context.Context, o options, rep *report) error {
	e, err := newEtcds(ctx, o)
	if err != nil {
		return err
	}
	defer e.close()
	return runAll(ctx, e.contests(), o.goals, rep)
}

// runAll runs the contests that decide any of the goals.
func runAll(ctx context.Context, contests []contest, goals []string, rep *report) error {
	for _, c := range contests {
		c, any := c.wanted(goals)
		if !any {
			continue
		}
		if err := c.run(ctx, rep); err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
	}
	return nil
}

// write puts the report into a file, if one is named.
func (rep *report) write(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
