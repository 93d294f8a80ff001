package server

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"github.com/acpflow/acpflow/test/lab/installer/faults"
)

// progress is the answer as the installer's ancestor gave it: with the whole
// log, the administrator's password and the kubeconfig. A client has no use
// for these and must not keep them.
type progress struct {
	Step       int      `json:"step"`
	Status     string   `json:"status"`
	Data       string   `json:"data"`
	URL        string   `json:"url"`
	Username   string   `json:"username"`
	Password   string   `json:"password"`
	CACert     string   `json:"caCert"`
	Hosts      []string `json:"hosts"`
	Servers    []string `json:"servers"`
	Kubeconfig string   `json:"kubeconfig"`
}

func (s *Server) getProgress(w http.ResponseWriter, order faults.Faults) {
	c := s.current()
	if c != nil && s.spoil(w, order) {
		return
	}
	p := progress{Hosts: []string{}, Servers: []string{}}
	p.Step, p.Status, p.Data = s.run.progress()
	if c != nil {
		p.URL = fmt.Sprintf("https://%s:%d", c.Console.GlobalHost, c.Console.HTTPSPort)
		p.Username, p.Password = c.Basic.Username, base64.StdEncoding.EncodeToString(c.Basic.Password)
		p.Hosts = append(p.Hosts, c.Console.GlobalHost)
		for _, m := range c.Cluster.Features.Machines {
			p.Servers = append(p.Servers, m.IP)
		}
		if data, err := os.ReadFile(filepath.Join(s.options.DataDir, "alauda.kubeconfig")); err == nil {
			p.Kubeconfig = base64.StdEncoding.EncodeToString(data)
		}
	}
	if order.SuccessInLog && p.Status != success && c != nil {
		p.Status = "Running"
		p.Data += "chart base-operator: Success\n\"status\": \"Success\"\n"
	}
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	_ = enc.Encode(p)
}

// spoil answers wrongly if that is ordered.
func (s *Server) spoil(w http.ResponseWriter, order faults.Faults) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if order.ProgressErrors < 0 || s.served.progressErrors < order.ProgressErrors {
		s.served.progressErrors++
		refuse(w, http.StatusInternalServerError, "InternalError", "the bootstrap API server does not answer")
		return true
	}
	if order.ProgressGarbage < 0 || s.served.progressGarbage < order.ProgressGarbage {
		s.served.progressGarbage++
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintln(w, "<html><body>Success</body></html>")
		return true
	}
	return false
}
