package server

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/test/lab/installer/bundle"
	"github.com/acpflow/acpflow/test/lab/installer/cluster"
	"github.com/acpflow/acpflow/test/lab/installer/config"
)

// newRun is a run of two phases, of which the second is the given one.
func newRun(t *testing.T, orders string, second func(context.Context) error) (*run, []cluster.Phase, string) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "faults.json")
	require.NoError(t, os.WriteFile(path, []byte(orders), 0o600))
	record := filepath.Join(dir, "record.json")
	r := &run{dataDir: dir, faults: path, status: unknown, pause: 200 * time.Millisecond, record: func(change func(*Record)) {
		rec := readRecord(record)
		change(&rec)
		require.NoError(t, writeRecord(record, rec))
	}}
	done := func(context.Context) error { return nil }
	if second == nil {
		second = done
	}
	return r, []cluster.Phase{{Name: "first", Run: done}, {Name: "second", Run: second}}, record
}

// words are the states that were seen, in order, until one is last.
func words(ctx context.Context, r *run, last string) (out []string) {
	for ctx.Err() == nil {
		_, word, _ := r.progress()
		if len(out) == 0 || out[len(out)-1] != word {
			out = append(out, word)
		}
		if word == last {
			break
		}
		time.Sleep(time.Millisecond)
	}
	return out
}

func TestAFailedPhaseIsTriedAgain(t *testing.T) {
	tries := 0
	r, phases, record := newRun(t, "{}", func(context.Context) error {
		time.Sleep(time.Second) // every state lasts long enough to be seen
		if tries++; tries == 1 {
			return errors.New("no route to host")
		}
		return nil
	})
	r.pause = time.Second
	seen := make(chan []string)
	go func() { seen <- words(t.Context(), r, success) }()
	require.NoError(t, r.execute(t.Context(), phases))
	got := <-seen
	require.Subset(t, got, []string{doing, failed, retrying, success})
	step, status, log := r.progress()
	require.Equal(t, 2, step)
	require.Equal(t, success, status)
	require.Contains(t, log, "[Failed] step 2/2: second: no route to host")
	rec := readRecord(record)
	require.Len(t, rec.Phases, 3)
	require.True(t, rec.Phases[1].Failed)
	require.False(t, rec.SuccessAt.IsZero())
}

func TestOrderedFailuresOfAPhase(t *testing.T) {
	r, phases, record := newRun(t, `{"failPhase": {"phase": 1, "times": 2}}`, nil)
	require.NoError(t, r.execute(t.Context(), phases))
	require.Len(t, readRecord(record).Phases, 4)
}

func TestAStalledPhaseEndsWhenTheOrderIsLifted(t *testing.T) {
	r, phases, _ := newRun(t, `{"stallPhase": 2}`, nil)
	done := make(chan error)
	go func() { done <- r.execute(t.Context(), phases) }()
	require.Eventually(t, func() bool { step, _, _ := r.progress(); return step == 2 }, time.Minute, 10*time.Millisecond)
	select {
	case <-done:
		t.Fatal("the phase was ordered to stall")
	case <-time.After(time.Second):
	}
	step, status, _ := r.progress()
	require.Equal(t, 2, step)
	require.Equal(t, doing, status)
	require.NoError(t, os.WriteFile(r.faults, []byte("{}"), 0o600))
	require.NoError(t, <-done)
}

func TestASlowPhase(t *testing.T) {
	r, phases, _ := newRun(t, `{"slowPhase": {"phase": 1, "seconds": 1}}`, nil)
	begun := time.Now()
	require.NoError(t, r.execute(t.Context(), phases))
	require.GreaterOrEqual(t, time.Since(begun), time.Second)
}

func TestGoneAfterSuccessShowsNoSuccess(t *testing.T) {
	r, phases, record := newRun(t, `{"goneAfterSuccess": true}`, nil)
	require.NoError(t, r.execute(t.Context(), phases))
	_, status, _ := r.progress()
	require.Equal(t, doing, status)
	require.False(t, readRecord(record).SuccessAt.IsZero())
}

func TestHowLongTheInstallerServesOn(t *testing.T) {
	for name, c := range map[string]struct {
		orders   string
		finished bool
		within   time.Duration
	}{
		"grace":               {`{"graceSeconds": 1}`, true, time.Minute},
		"gone at once":        {`{"goneAfterSuccess": true, "graceSeconds": 60}`, true, time.Minute},
		"never removed":       {`{"graceSeconds": 0, "neverRemoved": true}`, false, 2 * time.Second},
		"silent from the off": {`{"graceSeconds": 0, "setupSilent": true}`, false, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			faults := filepath.Join(dir, "faults.json")
			require.NoError(t, os.WriteFile(faults, []byte(c.orders), 0o600))
			ctx, cancel := context.WithTimeout(t.Context(), c.within)
			defer cancel()
			s, err := New(ctx, Options{Bundle: bundle.New(nil), DataDir: dir, Faults: faults, Record: filepath.Join(dir, "r.json"),
				Execute: func(context.Context, *config.Config) error { return nil }})
			require.NoError(t, err)
			s.start(ctx, &config.Config{})
			finished, err := s.Serve(ctx, "127.0.0.1:0")
			require.NoError(t, err)
			require.Equal(t, c.finished, finished)
		})
	}
}
