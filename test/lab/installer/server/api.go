package server

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/acpflow/acpflow/test/lab/installer/config"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
	"github.com/acpflow/acpflow/test/lab/installer/machine"
)

const bodyLimit = 4 << 20

// ServeHTTP answers the four known paths and nothing else.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	order, err := faults.Read(s.options.Faults)
	if err != nil {
		slog.Error("faults", "error", err)
		refuse(w, http.StatusInternalServerError, "InternalError", "the lab's fault file is broken")
		return
	}
	path := r.URL.Path
	for strings.Contains(path, "//") { // the token's address is written with one
		path = strings.ReplaceAll(path, "//", "/")
	}
	switch r.Method + " " + path {
	case "POST /api/config":
		s.postConfig(w, r, order)
	case "GET /api/progress":
		s.getProgress(w, order)
	case "GET /cpaas-installer/api/token":
		s.getToken(w, order)
	case "GET /api/v1/namespaces/kube-public/configmaps/base-component-version":
		s.getVersions(w, r)
	default:
		refuse(w, http.StatusNotFound, "NotFound", r.Method+" "+path+" is unknown")
	}
}

// refuse answers in the form of the Kubernetes API, which the installer uses.
func refuse(w http.ResponseWriter, code int, reason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure",
		"reason": reason, "message": message, "code": code})
}

func (s *Server) postConfig(w http.ResponseWriter, r *http.Request, order faults.Faults) {
	s.posting.Lock()
	defer s.posting.Unlock()
	if s.current() != nil {
		s.note(func(rec *Record) { rec.Posts.Conflict++ })
		refuse(w, http.StatusConflict, "AlreadyExists", "the cluster configuration already exists")
		return
	}
	if s.served.configErrors < order.ConfigErrors {
		s.served.configErrors++
		s.note(func(rec *Record) { rec.Posts.Errors++ })
		refuse(w, http.StatusInternalServerError, "InternalError", "the bootstrap API server does not answer")
		return
	}
	body, c, err := s.accept(r)
	if err != nil {
		s.note(func(rec *Record) { rec.Posts.Refused++ })
		refuse(w, http.StatusBadRequest, "Invalid", err.Error())
		return
	}
	if err := os.WriteFile(s.configPath(), body, 0o600); err != nil {
		refuse(w, http.StatusInternalServerError, "InternalError", err.Error())
		return
	}
	s.note(func(rec *Record) { rec.Posts.Accepted++; rec.AcceptedAt = time.Now().UTC() })
	s.start(context.WithoutCancel(r.Context()), c)
	if order.ConfigReplyLost {
		hangUp(w)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintln(w, `{"status": "Success"}`)
}

// accept reads and checks a posted configuration.
func (s *Server) accept(r *http.Request) ([]byte, *config.Config, error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, nil, fmt.Errorf("Content-Type is %q, want application/json", r.Header.Get("Content-Type"))
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, bodyLimit+1))
	if err != nil || len(body) > bodyLimit {
		return nil, nil, fmt.Errorf("the body could not be read or is longer than %d bytes", bodyLimit)
	}
	c, err := config.Decode(body)
	if err != nil {
		return nil, nil, err
	}
	if err := c.Validate(s.options.Bundle.Offer); err != nil {
		return nil, nil, err
	}
	return body, c, s.options.Machines(r.Context(), c)
}

// checkMachines logs in everywhere, and demands that the first control plane
// is the machine on which the installer runs (EXE-02).
func checkMachines(ctx context.Context, c *config.Config) error {
	own, err := net.InterfaceAddrs()
	if err != nil {
		return err
	}
	first := c.Masters()[0].IP
	here := false
	for _, a := range own {
		here = here || strings.HasPrefix(a.String(), first+"/")
	}
	if !here {
		return fmt.Errorf("the first control plane is %s, which is not the machine of the installer", first)
	}
	fleet, err := machine.ConnectAll(ctx, c.Cluster.Features.Machines)
	if err != nil {
		return err
	}
	fleet.Close()
	return nil
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		conn.Close()
	}
}

func (s *Server) current() *config.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config
}

func newToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s *Server) getToken(w http.ResponseWriter, order faults.Faults) {
	if order.RawToken {
		fmt.Fprintln(w, s.token)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]string{"token": s.token})
}

// getVersions shows what can be installed, as the bootstrap API server does.
func (s *Server) getVersions(w http.ResponseWriter, r *http.Request) {
	bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok || subtle.ConstantTimeCompare([]byte(bearer), []byte(s.token)) != 1 {
		refuse(w, http.StatusUnauthorized, "Unauthorized", "a bearer token is needed")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap",
		"metadata": map[string]string{"name": "base-component-version", "namespace": "kube-public"},
		"data": map[string]string{
			"kubernetes": strings.Join(s.options.Bundle.Offer.Kubernetes, ","),
			"cri":        strings.Join(s.options.Bundle.Offer.ContainerRuntimes, ","),
		},
	})
}
