package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"time"

	uiserver "github.com/temporalio/ui-server/v2/server"
	uiconfig "github.com/temporalio/ui-server/v2/server/config"
	uioptions "github.com/temporalio/ui-server/v2/server/server_options"
	"go.temporal.io/server/common/testing/freeport"
)

// ui is the web UI; url is its root as a browser on this machine opens it.
type ui struct {
	url    string
	server *uiserver.Server
}

// startUI returns once the UI answers. The UI server ends the process itself
// when it cannot listen.
func startUI(ctx context.Context, s settings, frontend string) (*ui, error) {
	if s.UIPort == 0 {
		s.UIPort = freeport.MustGetFreePort()
	}
	server := uiserver.NewServer(uioptions.WithConfigProvider(&uiconfig.Config{
		TemporalGRPCAddress: frontend,
		Host:                s.host,
		Port:                s.UIPort,
		EnableUI:            true,
		DefaultNamespace:    s.Namespace,
		// A site may have no way out: the page asks nobody but this server.
		DisableNewsFetch: true,
		HideLogs:         true,
		// Plain HTTP on an address other than localhost needs it for the forms.
		CORS: uiconfig.CORS{CookieInsecure: true},
	}))
	u := &ui{url: "http://" + hostPort(dialHost(s.host), s.UIPort), server: server}
	go func() { _ = server.Start() }()
	if err := u.waitReady(ctx); err != nil {
		return nil, err
	}
	return u, nil
}

func (u *ui) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.url+"/healthz", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("status %s", answer.Status)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the UI does not answer at %s: %w", u.url, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop closes the UI.
func (u *ui) Stop() { u.server.Stop() }

// announce tells people on stdout, and programs in the ready file, where the
// server is. The returned function takes the ready file away again.
func announce(s settings, address, url string) (withdraw func(), err error) {
	fmt.Printf("Temporal %s\nUI       %s\nDatabase %s\n", address, url, s.DB)
	if s.ReadyFile == "" {
		return func() {}, nil
	}
	data, err := json.Marshal(map[string]any{
		"address": address, "ui": url, "namespace": s.Namespace, "pid": os.Getpid(),
	})
	if err != nil {
		return nil, err
	}
	if err := writeFile(s.ReadyFile, append(data, '\n')); err != nil {
		return nil, fmt.Errorf("write the ready file: %w", err)
	}
	return func() { _ = os.Remove(s.ReadyFile) }, nil
}
