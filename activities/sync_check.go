package activities

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/syncplugin"
)

// CheckView is what the synchronizer's own check says.
type CheckView struct {
	syncplugin.CheckResult
	URL  string `json:"url"`
	Node string `json:"node"` // that it was asked through
}

// checkLimit bounds one answer of /check: the plugin compares while it is asked.
const checkLimit = 60 * time.Second

// FetchCheck asks the synchronizer's Service on the standby (DR-33), through the
// first control plane that answers. What it answers is a result also when it is
// not understood; that it could not be asked is an error.
func (a *Sync) FetchCheck(ctx context.Context, in Scope) (CheckView, error) {
	client, err := (&Cluster{Hosts: a.Hosts}).openLately(ctx, in)
	if err != nil {
		return CheckView{}, err
	}
	ip, found, err := client.ServiceIP(ctx, syncplugin.Namespace, syncplugin.Service)
	if err != nil {
		return CheckView{}, err
	}
	if !found {
		return CheckView{}, fault.New(fault.Gate, "ask the synchronizer", "cluster "+in.Cluster,
			"is the plugin installed on this side?", fmt.Errorf("there is no Service %s/%s", syncplugin.Namespace, syncplugin.Service))
	}
	nodes, err := in.controlPlanes()
	if err != nil {
		return CheckView{}, err
	}
	url := CheckURL(ip)
	var errs []error
	for _, n := range nodes {
		conn, err := a.Hosts.connect(ctx, n)
		if err == nil {
			var view CheckView
			if view, err = fetchCheck(ctx, conn, url); err == nil {
				view.Node = n.Name
				return view, nil
			}
		}
		errs = append(errs, fmt.Errorf("%s: %w", n.Name, err))
	}
	return CheckView{}, joined(errs...)
}

// CheckURL is where the check of a Service with this address is.
func CheckURL(ip string) string {
	host := ip
	if addr := net.ParseIP(ip); addr != nil && addr.To4() == nil {
		host = "[" + ip + "]"
	}
	return "http://" + host + "/check"
}

func fetchCheck(ctx context.Context, conn *ssh.Client, url string) (CheckView, error) {
	transport := &http.Transport{DialContext: conn.DialContext, DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: checkLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return askCheck(ctx, client, url)
}

func askCheck(ctx context.Context, client *http.Client, url string) (CheckView, error) {
	failed := func(err error) (CheckView, error) {
		if _, ok := errors.AsType[*fault.Error](err); !ok {
			err = fault.New(fault.Unreachable, "ask the synchronizer", url, "look at the Pods with label "+syncplugin.PodSelector, err)
		}
		return CheckView{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return failed(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return failed(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, syncplugin.MaxCheck+1))
	if err != nil {
		return failed(err)
	}
	out := CheckView{CheckResult: syncplugin.ParseCheck(body), URL: url}
	if resp.StatusCode != http.StatusOK {
		out.CheckResult = syncplugin.NotUnderstood(fmt.Sprintf("HTTP status %d", resp.StatusCode), body)
	}
	return out, nil
}
