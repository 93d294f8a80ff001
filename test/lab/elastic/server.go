// Package elastic is the lab's stand-in for the platform's log store: it knows
// users and index templates, which is what a failover asks it about (DR-40).
package elastic

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// Names that the platform's objects share with this package.
const (
	Namespace  = "cpaas-system"
	Deployment = "cpaas-elasticsearch"
	Program    = "elasticsearch" // value of podnet.ProgramLabel
	Secret     = "elasticsearch-basic-auth"
	Template   = "asm"
)

// FaultPath of a node is a file that orders what Faults describe.
const FaultPath = "/etc/acp-lab/elastic-faults.json"

// Faults are orders to the log store; they are read at every request.
type Faults struct {
	Unauthorized bool `json:"unauthorized,omitempty"` // everybody gets 401, also after a restart
}

const (
	dataDir    = "/var/lib/cpaas-elasticsearch"
	secretPath = "/api/v1/namespaces/" + Namespace + "/secrets/" + Secret
)

// Login is what the Secret holds.
type Login struct {
	Data struct {
		Username []byte `json:"username"`
		Password []byte `json:"password"`
	} `json:"data"`
}

// ReadLogin reads the Secret.
func ReadLogin(ctx context.Context, api *kubeapi.Client) (Login, error) {
	var l Login
	err := api.Get(ctx, secretPath, &l)
	if err == nil && (len(l.Data.Username) == 0 || len(l.Data.Password) == 0) {
		err = errors.New("the Secret " + Secret + " has no username or password")
	}
	return l, err
}

// RunPod is the log store in one Pod until ctx ends. It learns its users when
// it starts: who is changed afterwards is unknown until a restart.
func RunPod(ctx context.Context, api *kubeapi.Client, address string) error {
	login, err := ReadLogin(ctx, api)
	if err != nil {
		return err
	}
	server := &http.Server{Addr: address, Handler: newStore(login, dataDir, FaultPath), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type store struct {
	login       Login
	dir, faults string
	mu          sync.Mutex
}

func newStore(login Login, dir, faults string) http.Handler {
	s := &store{login: login, dir: dir, faults: faults}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, map[string]any{"cluster_name": Deployment, "tagline": "You Know, for Search"})
	})
	mux.HandleFunc("GET /_template/{name}", s.get)
	mux.HandleFunc("PUT /_template/{name}", s.put)
	return s.guard(mux)
}

func (s *store) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		orders, err := readFaults(s.faults)
		if err != nil {
			answer(w, http.StatusInternalServerError, map[string]any{"error": err.Error()})
			return
		}
		user, password, _ := r.BasicAuth()
		known := subtle.ConstantTimeCompare([]byte(user), s.login.Data.Username) == 1 &&
			subtle.ConstantTimeCompare([]byte(password), s.login.Data.Password) == 1
		if !known || orders.Unauthorized {
			w.Header().Set("WWW-Authenticate", `Basic realm="security"`)
			answer(w, http.StatusUnauthorized, map[string]any{"status": http.StatusUnauthorized, "error": map[string]any{
				"type": "security_exception", "reason": "unable to authenticate user for REST request [" + r.URL.Path + "]"}})
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *store) file(r *http.Request) string {
	return filepath.Join(s.dir, filepath.Base(r.PathValue("name"))+".json")
}

func (s *store) get(w http.ResponseWriter, r *http.Request) {
	data, err := os.ReadFile(s.file(r))
	if errors.Is(err, fs.ErrNotExist) {
		answer(w, http.StatusNotFound, map[string]any{})
		return
	}
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]any{"error": err.Error()})
		return
	}
	answer(w, http.StatusOK, map[string]json.RawMessage{r.PathValue("name"): data})
}

func (s *store) put(w http.ResponseWriter, r *http.Request) {
	data, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || !json.Valid(data) {
		answer(w, http.StatusBadRequest, map[string]any{"error": "the body is no JSON"})
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err = os.MkdirAll(s.dir, 0o700)
	if err == nil {
		err = os.WriteFile(s.file(r)+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(s.file(r)+".new", s.file(r))
	}
	if err != nil {
		answer(w, http.StatusInternalServerError, map[string]any{"error": err.Error()})
		return
	}
	answer(w, http.StatusOK, map[string]any{"acknowledged": true})
}

func readFaults(path string) (Faults, error) {
	var f Faults
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	dec := json.NewDecoder(strings.NewReader(string(data)))
	dec.DisallowUnknownFields()
	return f, dec.Decode(&f)
}

func answer(w http.ResponseWriter, code int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(body)
}
