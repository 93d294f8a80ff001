// Package server is the stand-in installer's HTTP interface and the install
// behind it.
package server

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/acpflow/acpflow/test/lab/installer/bundle"
	"github.com/acpflow/acpflow/test/lab/installer/cluster"
	"github.com/acpflow/acpflow/test/lab/installer/config"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
)

// DataDir is where the installer keeps its log and its state (EXE-12).
const DataDir = "/var/cpaas/data"

// Options of a Server.
type Options struct {
	Bundle  bundle.Bundle
	DataDir string // default DataDir
	Faults  string // path of the orders, default faults.Path
	Record  string // default RecordFile
	// Execute replaces the building of the cluster in tests of the interface.
	// nil = build it.
	Execute func(context.Context, *config.Config) error
	// Machines replaces the check of the machines in tests of the interface.
	// nil = log in to each of them.
	Machines func(context.Context, *config.Config) error
}

// Server answers the interface. Make it with New.
type Server struct {
	options Options
	run     *run
	token   string
	done    chan struct{} // closed when the install has succeeded

	posting sync.Mutex // one POST at a time
	mu      sync.Mutex
	config  *config.Config
	served  struct{ progressErrors, progressGarbage, configErrors int }
}

// New returns a server that has taken up an install which an earlier process
// began, if there is one.
func New(ctx context.Context, o Options) (*Server, error) {
	o.DataDir = first(o.DataDir, DataDir)
	o.Faults = first(o.Faults, faults.Path)
	o.Record = first(o.Record, RecordFile)
	if err := os.MkdirAll(o.DataDir, 0o755); err != nil {
		return nil, err
	}
	s := &Server{options: o, token: newToken(), done: make(chan struct{})}
	s.run = &run{dataDir: o.DataDir, faults: o.Faults, status: unknown, record: s.note, pause: retryPause}
	if s.options.Machines == nil {
		s.options.Machines = checkMachines
	}
	body, err := os.ReadFile(s.configPath())
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := config.Decode(body)
	if err != nil {
		return nil, err
	}
	s.start(ctx, c)
	return s, nil
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (s *Server) configPath() string { return filepath.Join(s.options.DataDir, "config.json") }

// note changes the record; a failure to write it must not fail the install.
func (s *Server) note(change func(*Record)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := readRecord(s.options.Record)
	change(&r)
	if err := writeRecord(s.options.Record, r); err != nil {
		slog.Error("write the record", "error", err)
	}
}

// start runs the install of an accepted configuration.
func (s *Server) start(ctx context.Context, c *config.Config) {
	s.mu.Lock()
	s.config = c
	s.mu.Unlock()
	s.run.set(0, doing)
	go func() {
		var err error
		if s.options.Execute != nil {
			err = s.options.Execute(ctx, c)
			s.run.set(1, success)
		} else {
			install := &cluster.Install{Config: c, DataDir: s.options.DataDir,
				Architectures: s.options.Bundle.Architectures, Log: s.run.logf}
			err = s.run.execute(ctx, install.Phases())
			install.Close()
		}
		if err == nil {
			close(s.done)
		}
	}()
}

// Serve answers on address until ctx ends or, after a successful install, the
// installer's grace is over. It returns true in the second case: the caller
// then removes the installer's container.
func (s *Server) Serve(ctx context.Context, address string) (finished bool, err error) {
	if !s.awaitVoice(ctx) {
		return false, nil
	}
	server := &http.Server{Addr: address, Handler: s, ReadHeaderTimeout: 10 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	defer func() { _ = server.Close() }()
	select {
	case err := <-failed:
		return false, err
	case <-ctx.Done():
		return false, nil
	case <-s.done:
	}
	return s.grace(ctx), nil
}

// awaitVoice waits while the installer is ordered to serve nothing.
func (s *Server) awaitVoice(ctx context.Context) bool {
	for {
		order, err := faults.Read(s.options.Faults)
		if err != nil {
			slog.Error("faults", "error", err)
		}
		if !order.SetupSilent {
			return true
		}
		if !sleep(ctx, 500*time.Millisecond) {
			return false
		}
	}
}

// grace waits as long as the installer serves on after its success.
func (s *Server) grace(ctx context.Context) bool {
	begun := time.Now()
	for {
		order, err := faults.Read(s.options.Faults)
		if err != nil {
			slog.Error("faults", "error", err)
		}
		over := time.Since(begun) >= time.Duration(order.Grace())*time.Second
		if order.GoneAfterSuccess || over && !order.NeverRemoved {
			return true
		}
		if !sleep(ctx, 500*time.Millisecond) {
			return false
		}
	}
}
