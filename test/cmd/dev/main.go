// Command dev runs Temporal, its UI and an acpflow worker on this machine until
// it is interrupted. Histories are kept between runs.
//
//	dev [folder of the site documents, default ./sites of the repository]
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/acpflow/acpflow/test/gobuild"
	"github.com/acpflow/acpflow/test/harness"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "dev:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	root, err := gobuild.Root()
	if err != nil {
		return err
	}
	cache, err := gobuild.CacheDir()
	if err != nil {
		return err
	}
	sites, dir := filepath.Join(root, "sites"), filepath.Join(cache, "dev")
	if len(args) > 0 {
		sites = args[0]
	}
	for _, folder := range []string{sites, dir} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return err
		}
	}
	server, err := harness.StartDevserver(ctx, dir, os.Stderr, "--address", "127.0.0.1:7233", "--ui-port", "8233")
	if err != nil {
		return err
	}
	defer server.Stop() //nolint:errcheck // its log tells, and there is nothing left to do
	worker, err := harness.StartWorker(ctx, server, harness.WorkerOptions{Sites: sites, Dir: dir})
	if err != nil {
		return err
	}
	fmt.Printf("Temporal  %s\nUI        %s\nsites     %s\nlogs      %s, %s\nbin/acpflow finds this Temporal by itself. Ctrl-C ends it.\n",
		server.Address, server.UI, sites, server.LogPath, worker.LogPath)
	<-ctx.Done()
	return worker.Stop()
}
