package server

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/acpflow/acpflow/test/lab/installer/cluster"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
)

// retryPause is the pause before a failed phase is tried again; there is no
// last try, as in the real installer.
const retryPause = 10 * time.Second

// run executes the phases of one install and tells how far it is.
type run struct {
	dataDir string
	faults  string // path
	record  func(func(*Record))
	pause   time.Duration // before a failed phase is tried again

	mu     sync.Mutex
	step   int
	status string
	log    strings.Builder
}

// The words of status.
const (
	unknown  = "Unknown"
	doing    = "Doing"
	retrying = "Retrying"
	failed   = "Failed"
	success  = "Success"
)

func (r *run) logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	line := time.Now().UTC().Format(time.RFC3339) + " " + fmt.Sprintf(format, args...) + "\n"
	r.log.WriteString(line)
	if f, err := os.OpenFile(filepath.Join(r.dataDir, "installer.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
		_, _ = f.WriteString(line)
		f.Close()
	}
}

func (r *run) set(step int, status string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.step, r.status = step, status
}

func (r *run) progress() (step int, status, log string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.step, r.status, r.log.String()
}

// execute runs all phases; it returns an error only when ctx ended.
func (r *run) execute(ctx context.Context, phases []cluster.Phase) error {
	for n, phase := range phases {
		r.set(n+1, doing)
		for try := 1; ; try++ {
			r.logf("[%s] step %d/%d: %s", r.word(), n+1, len(phases), phase.Name)
			started := time.Now()
			err := r.phase(ctx, n+1, try, phase)
			r.record(func(rec *Record) {
				rec.Phases = append(rec.Phases, PhaseRecord{phase.Name, time.Since(started).Seconds(), err != nil})
			})
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err == nil {
				r.logf("[Success] step %d/%d: %s", n+1, len(phases), phase.Name)
				break
			}
			r.set(n+1, failed)
			r.logf("[Failed] step %d/%d: %s: %v, retry in %s", n+1, len(phases), phase.Name, err, r.pause)
			if !sleep(ctx, r.pause) {
				return ctx.Err()
			}
			r.set(n+1, retrying)
		}
	}
	r.record(func(rec *Record) { rec.SuccessAt = time.Now().UTC() })
	if order, _ := faults.Read(r.faults); order.GoneAfterSuccess {
		return nil // nobody sees Success
	}
	r.set(len(phases), success)
	r.logf("[Success] the platform is ready")
	return nil
}

func (r *run) word() string {
	_, status, _ := r.progress()
	return status
}

// phase runs one phase under the faults ordered for it.
func (r *run) phase(ctx context.Context, n, try int, phase cluster.Phase) error {
	order, err := faults.Read(r.faults)
	if err != nil {
		return err
	}
	if f := order.FailPhase; f != nil && f.Phase == n && (f.Times < 0 || try <= f.Times) {
		return fmt.Errorf("ordered to fail, %d of %d", try, f.Times)
	}
	if f := order.SlowPhase; f != nil && f.Phase == n && !sleep(ctx, time.Duration(f.Seconds)*time.Second) {
		return ctx.Err()
	}
	for order.StallPhase == n {
		if !sleep(ctx, 500*time.Millisecond) {
			return ctx.Err()
		}
		if order, err = faults.Read(r.faults); err != nil {
			return err
		}
	}
	return phase.Run(ctx)
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
