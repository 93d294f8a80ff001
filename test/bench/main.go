// Command bench measures uploads beside scp, and what an install costs beyond
// installer and nodes, and says whether the goals are met. Everything that is compared runs in the same minutes, in
// random order, between the same sshd and tmpfs: only ratios count.
package main

import (
	"context"
	"encoding/json"
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
	report string // JSON file
	goals  string
	runs   int
	size   int64 // bytes on loopback
	wan    int64 // bytes through the delay proxy
	dir    string
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "client" {
		exit(client(os.Args[2:]))
	}
	var o options
	flag.StringVar(&o.report, "o", "", "also write the report to this JSON `file`")
	flag.StringVar(&o.goals, "goals", "U1,U2,U3,U4,U5,U6,I1", "which goals to measure; I1 needs root for the lab")
	flag.IntVar(&o.runs, "runs", 5, "runs of each case")
	size := flag.Int64("size", 1024, "size of the file on loopback, `MiB`")
	wan := flag.Int64("wan-size", 256, "size of the file through the delay proxy, `MiB`")
	flag.StringVar(&o.dir, "dir", "/dev/shm", "folder for the files, best on tmpfs; needs three times their size")
	flag.Parse()
	o.size, o.wan = *size<<20, *wan<<20
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	met, err := run(ctx, o)
	if err == nil && !met {
		err = fmt.Errorf("a goal is missed")
	}
	stop()
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// run measures what was asked for and reports it.
func run(ctx context.Context, o options) (met bool, err error) {
	w, err := newWorld(o)
	if err != nil {
		return false, err
	}
	defer w.close()
	wanted := strings.Split(o.goals, ",")
	rep := &report{Machine: machine()}
	fmt.Println(rep.Machine)
	for _, c := range w.contests() {
		if !slices.ContainsFunc(c.goals, func(g goal) bool { return slices.Contains(wanted, g.ID) }) {
			continue
		}
		if err := c.run(ctx, rep); err != nil {
			return false, fmt.Errorf("%s: %w", c.name, err)
		}
	}
	if slices.Contains(wanted, "I1") {
		if err := overhead(ctx, min(3, o.runs), rep); err != nil {
			return false, fmt.Errorf("install overhead: %w", err)
		}
	}
	if o.report != "" {
		text, err := json.MarshalIndent(rep, "", "  ")
		if err == nil {
			err = os.WriteFile(o.report, append(text, '\n'), 0o644)
		}
		if err != nil {
			return false, err
		}
	}
	return rep.summary(os.Stdout), nil
}
