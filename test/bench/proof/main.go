// Command proof is the process that is measured beside etcdctl: it compares two
// etcds as the worker does, prints what it found as JSON, keeps the mark, and
// ends. It is a program of its own, so that its memory is that of a proof.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"time"

	"github.com/acpflow/acpflow/internal/etcd"
)

// Result is what is printed.
type Result struct {
	Proof  etcd.Proof `json:"proof"`
	Memory string     `json:"memory"` // the most it held, as the kernel says it: "12345 kB"
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "proof:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	mark := flag.String("mark", "", "where to leave the mark, `file`")
	from := flag.String("since", "", "mark to go on from, `file`")
	addresses := [2]*string{flag.String("primary", "", "host:port"), flag.String("standby", "", "host:port")}
	flag.Parse()
	// What differs is looked at twice, but waiting is not what is measured.
	request := etcd.Request{Patience: time.Millisecond}
	if *from != "" {
		text, err := os.ReadFile(*from)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, &request.Since); err != nil {
			return err
		}
	}
	var sides [2]*etcd.Client
	for i, address := range addresses {
		c, err := etcd.Open(ctx, etcd.Options{Address: *address})
		if err != nil {
			return err
		}
		defer c.Close()
		sides[i] = c
	}
	proof, err := etcd.Prove(ctx, sides[0], sides[1], request)
	if err != nil {
		return err
	}
	text, err := json.Marshal(proof.Mark)
	if err != nil {
		return err
	}
	if err := os.WriteFile(*mark, text, 0o600); err != nil {
		return err
	}
	status, err := os.ReadFile("/proc/self/status") // not rusage: that begins with what the parent had
	if err != nil {
		return err
	}
	peak := regexp.MustCompile(`VmHWM:\s*(\d+ kB)`).FindSubmatch(status)
	if peak == nil {
		return fmt.Errorf("the kernel does not say how much memory this took")
	}
	return json.NewEncoder(os.Stdout).Encode(Result{Proof: proof, Memory: string(peak[1])})
}
