package platform

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// GatewayPath is where the platform's address offers the API of its own
// cluster.
const GatewayPath = "/kubernetes/global"

// newGateway passes requests on to this cluster's API server as the user whose
// bearer token they carry. It adds no rights: a token of another cluster is
// refused by the API server itself.
func newGateway(k kubeapi.Kubeconfig) (http.Handler, error) {
	server, err := url.Parse(k.Server)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(k.CA) {
		return nil, errors.New("gateway: no certificate authority")
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(server)
			for name := range r.Out.Header {
				if strings.HasPrefix(name, "X-Remote-") || strings.HasPrefix(name, "Impersonate-") {
					r.Out.Header.Del(name)
				}
			}
		},
		Transport:     &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
		FlushInterval: -1, // watches
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			slog.Warn("console: gateway", "error", err)
			http.Error(w, "the platform's API does not answer", http.StatusBadGateway)
		},
	}
	return http.StripPrefix(GatewayPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); !ok || token == "" {
			http.Error(w, "a bearer token is needed", http.StatusUnauthorized)
			return
		}
		proxy.ServeHTTP(w, r)
	})), nil
}
