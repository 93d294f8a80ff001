// Command devserver is the real Temporal server with its UI in one process, on
// one SQLite file: for the lab, for demos and for a jump host that must work
// without a database. Temporal supports SQLite for development and tests only;
// production runs on PostgreSQL (docker-compose.yml).
//
// It prints its addresses when it is ready, keeps every history across a kill,
// and stops cleanly on SIGTERM or SIGINT.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	settings, err := parseSettings(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(ctx, settings)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "devserver:", err)
		os.Exit(1)
	}
}

// run starts everything, reports readiness and waits for ctx to end.
func run(ctx context.Context, s settings) error {
	db, err := openStore(s)
	if err != nil {
		return err
	}
	defer db.Close()

	server, err := startTemporal(s, db)
	if err != nil {
		return err
	}
	defer server.Stop()

	ui, err := startUI(ctx, s, server.address)
	if err != nil {
		return err
	}
	defer ui.Stop()

	if err := ensureNamespace(ctx, s, server.address); err != nil {
		return err
	}
	withdraw, err := announce(s, server.address, ui.url)
	if err != nil {
		return err
	}
	server.ready()
	<-ctx.Done()
	withdraw()
	return nil
}
