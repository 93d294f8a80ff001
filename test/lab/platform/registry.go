package platform

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// registry answers the part of the registry API that tells what it holds:
// /v2/, the catalogue, and for every image the architectures it exists in.
type registry struct {
	config ConsoleConfig
	api    *kubeapi.Client
}

const indexType = "application/vnd.oci.image.index.v1+json"

// Repositories are the images that every package carries.
var Repositories = []string{"tkestack/kube-apiserver", "tkestack/etcd", "tkestack/coredns", "acp/base-operator", "acp/apollo", "acp/sentry"}

func (r *registry) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if !r.allowed(req) {
		w.Header().Set("WWW-Authenticate", `Basic realm="platform registry"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	repository, tag, isManifest := strings.Cut(strings.TrimPrefix(req.URL.Path, "/v2/"), "/manifests/")
	switch {
	case req.URL.Path == "/v2/":
		answer(w, "application/json", object{})
	case req.URL.Path == "/v2/_catalog":
		answer(w, "application/json", object{"repositories": Repositories})
	case isManifest && tag != "" && strings.HasPrefix(req.URL.Path, "/v2/"):
		r.index(w, req, repository)
	default:
		http.NotFound(w, req)
	}
}

func (r *registry) allowed(req *http.Request) bool {
	if r.config.RegistryUser == "" {
		return true
	}
	user, password, ok := req.BasicAuth()
	return ok && user == r.config.RegistryUser && subtle.ConstantTimeCompare([]byte(password), []byte(r.config.RegistryPassword)) == 1
}

func (r *registry) index(w http.ResponseWriter, req *http.Request, repository string) {
	known := false
	for _, name := range Repositories {
		known = known || name == repository
	}
	architectures, err := RegistryArchitectures(req.Context(), r.api)
	switch {
	case !known:
		http.NotFound(w, req)
		return
	case err != nil:
		http.Error(w, "the registry's index does not answer", http.StatusServiceUnavailable)
		return
	}
	manifests := []object{}
	for _, arch := range architectures {
		manifests = append(manifests, object{"platform": object{"os": "linux", "architecture": arch}})
	}
	answer(w, indexType, object{"schemaVersion": 2, "mediaType": indexType, "manifests": manifests})
}

func answer(w http.ResponseWriter, contentType string, body any) {
	w.Header().Set("Content-Type", contentType)
	_ = json.NewEncoder(w).Encode(body)
}
