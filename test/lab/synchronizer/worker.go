package synchronizer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/acpflow/acpflow/test/lab/synchronizer/faults"
)

// retry is how long a worker that failed waits.
const retry = 3 * time.Second

// worker is the container of one Pod.
type worker struct {
	options  *Options
	pod      pod
	way      Way
	settings settings
	log      *podLog

	mu     sync.Mutex
	pair   *pair // while connected
	broken error // what the last session ended with, nil while it mirrors
	answer string
	ready  *bool // as the API has it
}

func newWorker(o *Options, p pod) (*worker, error) {
	way, err := WayOf(p.Metadata.Annotations[VersionAnnotation])
	if err != nil {
		return nil, err
	}
	s, err := readSettings(p.Metadata.Annotations[ConfigAnnotation])
	if err != nil {
		return nil, err
	}
	return &worker{options: o, pod: p, way: way, settings: s, log: newPodLog(o.LogDir, p),
		broken: errors.New("the first full sync is not done")}, nil
}

// run mirrors until ctx ends, that is, until the Pod goes.
func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.log.publish(ctx, w.options.API, w.pod)
		if err == nil {
			break
		}
		_ = sleep(ctx, time.Second)
	}
	w.log.say("etcd synchronizer %s starts on %s", w.pod.Metadata.Annotations[VersionAnnotation], w.options.NodeName)
	if !w.way.Lease {
		w.keepMirroring(ctx)
		return
	}
	w.lead(ctx, w.keepMirroring)
}

func (w *worker) keepMirroring(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.session(ctx)
		if ctx.Err() != nil {
			return
		}
		w.set(nil, err)
		w.log.say("error: %v", err)
		w.tellReady(ctx, false)
		_ = sleep(ctx, retry)
	}
}

// session connects and mirrors until something breaks or a side is lost.
func (w *worker) session(ctx context.Context) error {
	p, err := w.connect(ctx)
	if err != nil {
		return err
	}
	defer func() {
		_ = p.primary.Close()
		_ = p.standby.Close()
	}()
	life, lose := context.WithCancelCause(ctx)
	defer lose(nil)
	go p.watchdog(life, lose)
	if err := w.mirror(life, p); context.Cause(life) == nil || ctx.Err() != nil {
		return err
	}
	return context.Cause(life)
}

// mirror copies everything and follows until something breaks.
func (w *worker) mirror(ctx context.Context, p *pair) error {
	w.log.say("Full sync begins")
	syncer, err := p.full(ctx)
	if err != nil {
		return err
	}
	w.set(p, nil)
	w.tellReady(ctx, true)
	w.log.say("Start Sync update")
	go w.compareAll(ctx)
	return p.follow(ctx, syncer)
}

func (w *worker) connect(ctx context.Context) (*pair, error) {
	endpoints, c, err := w.options.primary(ctx, w.way, w.settings)
	if err != nil {
		return nil, err
	}
	primary, err := openEtcd(ctx, endpoints, c)
	if err != nil {
		return nil, fmt.Errorf("primary: %w", err)
	}
	endpoints, c, err = w.options.local(w.settings)
	if err != nil {
		_ = primary.Close()
		return nil, err
	}
	standby, err := openEtcd(ctx, endpoints, c)
	if err != nil {
		_ = primary.Close()
		return nil, fmt.Errorf("standby: %w", err)
	}
	p := &pair{primary: primary, standby: standby, log: w.log.say,
		orders: func() (faults.Faults, error) { return faults.Read(w.options.Faults) }}
	if err := p.apart(ctx); err != nil {
		_ = primary.Close()
		_ = standby.Close()
		return nil, err
	}
	return p, nil
}

// apart refuses to copy an etcd onto itself.
func (p *pair) apart(ctx context.Context) error {
	from, err := clusterID(ctx, p.primary)
	if err != nil {
		return fmt.Errorf("primary: %w", err)
	}
	to, err := clusterID(ctx, p.standby)
	if err != nil {
		return fmt.Errorf("standby: %w", err)
	}
	if from == to {
		return fmt.Errorf("the primary's etcd is this cluster's own (%x)", to)
	}
	return nil
}

// watchdog ends a session whose sides don't answer any more: the etcd client
// would wait for them for ever and say nothing.
func (p *pair) watchdog(ctx context.Context, lose context.CancelCauseFunc) {
	for sleep(ctx, retry) == nil {
		for _, side := range []struct {
			name   string
			client *clientv3.Client
		}{{"primary", p.primary}, {"standby", p.standby}} {
			if _, err := clusterID(ctx, side.client); err != nil {
				lose(fmt.Errorf("the %s does not answer any more: %w", side.name, err))
				return
			}
		}
	}
}

func (w *worker) set(p *pair, broken error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pair, w.broken = p, broken
}

// tellReady shows in the API whether the Pod is well. What can't be told now
// is told at the next change.
func (w *worker) tellReady(ctx context.Context, ready bool) {
	if w.ready != nil && *w.ready == ready {
		return
	}
	if w.pod.setReady(ctx, w.options.API, ready) == nil {
		w.ready = &ready
	}
}

// compareAll compares from time to time, for the log.
func (w *worker) compareAll(ctx context.Context) {
	for {
		if sleep(ctx, w.settings.every()) != nil {
			return
		}
		text, err := w.check(ctx)
		if ctx.Err() != nil {
			return
		}
		switch {
		case err != nil:
			w.log.say("data check: %v", err)
		case w.settings.Detailed:
			w.log.say("data check: %s", text)
		}
	}
}

// check is the answer of GET /check.
func (w *worker) check(ctx context.Context) (string, error) {
	orders, err := faults.Read(w.options.Faults)
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	p, broken, last := w.pair, w.broken, w.answer
	w.mu.Unlock()
	switch {
	case orders.CheckText != "":
		return orders.CheckText, nil
	case orders.Stopped && last != "":
		return last, nil
	case p == nil:
		return "", broken
	}
	d, err := p.compare(ctx)
	if err != nil {
		return "", err
	}
	w.mu.Lock()
	w.answer = d.String()
	w.mu.Unlock()
	return d.String(), nil
}
