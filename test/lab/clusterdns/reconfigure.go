package clusterdns

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/miekg/dns"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/podnet"
)

// Reconfigure writes the Corefile, deletes the Pods and waits until new ones
// answer. With a name to ask for, each has the answer of now in its cache.
func Reconfigure(ctx context.Context, api *kubeapi.Client, f Faults, name string, patience time.Duration) error {
	if err := api.Apply(ctx, Config(f)); err != nil {
		return err
	}
	old, err := podnet.Pods(ctx, api, Program, "")
	if err != nil {
		return err
	}
	gone := map[string]bool{}
	for _, p := range old {
		gone[p.UID] = true
		err := api.Do(ctx, http.MethodDelete, "/api/v1/namespaces/"+p.Namespace+"/pods/"+p.Name, "",
			kubeapi.Object{"preconditions": kubeapi.Object{"uid": p.UID}}, nil)
		if err != nil && !kubeapi.IsCode(err, http.StatusNotFound) && !kubeapi.IsCode(err, http.StatusConflict) {
			return err
		}
	}
	if name == "" {
		name = domain
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := answering(ctx, api, gone, len(old), name)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("CoreDNS does not answer again: %w", err)
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// answering demands that many new Pods, each of which answers.
func answering(ctx context.Context, api *kubeapi.Client, gone map[string]bool, count int, name string) error {
	pods, err := podnet.Pods(ctx, api, Program, "")
	if err != nil {
		return err
	}
	var errs []error
	for _, p := range pods {
		if gone[p.UID] || !p.Ready {
			errs = append(errs, fmt.Errorf("%s is not new and ready", p.Name))
			continue
		}
		client := &dns.Client{Timeout: patience}
		if _, _, err := client.ExchangeContext(ctx, new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA), p.Address()); err != nil {
			errs = append(errs, err)
		}
	}
	if len(pods) != count {
		errs = append(errs, fmt.Errorf("%d of %d Pods", len(pods), count))
	}
	return errors.Join(errs...)
}
