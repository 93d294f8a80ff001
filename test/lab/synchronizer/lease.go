package synchronizer

import (
	"context"
	"net/http"
	"time"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

const (
	leasesPath  = "/apis/coordination.k8s.io/v1/namespaces/" + Namespace + "/leases"
	leaseTime   = 10 * time.Second
	leaseRenew  = 2 * time.Second
	microFormat = "2006-01-02T15:04:05.000000Z07:00"
)

type lease struct {
	APIVersion string         `json:"apiVersion"`
	Kind       string         `json:"kind"`
	Metadata   map[string]any `json:"metadata"`
	Spec       struct {
		Holder      string `json:"holderIdentity"`
		Seconds     int    `json:"leaseDurationSeconds"`
		Acquired    string `json:"acquireTime,omitempty"`
		Renewed     string `json:"renewTime,omitempty"`
		Transitions int    `json:"leaseTransitions"`
	} `json:"spec"`
}

// lead runs do whenever this Pod holds the Lease. A Pod that goes gives it
// back at once.
func (w *worker) lead(ctx context.Context, do func(context.Context)) {
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseRenew)
		defer cancel()
		_, _ = w.renew(last, true)
	}()
	var stop context.CancelFunc
	var done chan struct{}
	held := time.Time{}
	for ctx.Err() == nil {
		holds, err := w.renew(ctx, false)
		switch {
		case holds:
			held = time.Now()
			if stop == nil {
				var term context.Context
				term, stop = context.WithCancel(ctx)
				done = make(chan struct{})
				w.log.say("Acquired leader lease")
				go func() {
					defer close(done)
					do(term)
				}()
			}
		case stop != nil && (err == nil || time.Since(held) > leaseTime):
			w.log.say("Lost leader lease")
			stop()
			<-done
			stop = nil
		}
		_ = sleep(ctx, leaseRenew)
	}
	if stop != nil {
		stop()
		<-done
	}
}

// renew takes or keeps the Lease, or gives it back, and tells whether this Pod
// holds it now.
func (w *worker) renew(ctx context.Context, giveBack bool) (bool, error) {
	api, name := w.options.API, w.pod.Metadata.Name
	stamp := time.Now().UTC().Format(microFormat)
	var l lease
	err := api.Get(ctx, leasesPath+"/"+Lease, &l)
	missing := kubeapi.IsCode(err, http.StatusNotFound)
	if err != nil && !missing {
		return false, err
	}
	mine := l.Spec.Holder == name
	switch {
	case giveBack && !mine:
		return false, nil
	case giveBack:
		l.Spec.Holder, l.Spec.Seconds = "", 1
	case mine:
	case l.Spec.Holder != "" && !l.over():
		return false, nil
	default:
		l.Spec.Holder, l.Spec.Acquired = name, stamp
		l.Spec.Seconds = int(leaseTime / time.Second)
		l.Spec.Transitions++
	}
	l.Spec.Renewed = stamp
	l.APIVersion, l.Kind = "coordination.k8s.io/v1", "Lease"
	if missing {
		l.Metadata = map[string]any{"name": Lease, "namespace": Namespace, "ownerReferences": w.pod.owner()}
		err = api.Do(ctx, http.MethodPost, leasesPath, "", l, nil)
	} else {
		err = api.Do(ctx, http.MethodPut, leasesPath+"/"+Lease, "", l, nil)
	}
	if kubeapi.IsCode(err, http.StatusConflict) {
		return mine, nil // somebody wrote at the same time: the next turn tells
	}
	return err == nil && !giveBack, err
}

func (l lease) over() bool {
	renewed, err := time.Parse(microFormat, l.Spec.Renewed)
	return err != nil || time.Since(renewed) > time.Duration(l.Spec.Seconds)*time.Second
}
