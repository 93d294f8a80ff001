package platform

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/acpflow/acpflow/test/lab/installer/pki"
	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

const (
	certificatesPath = "/apis/cert-manager.io/v1/namespaces/" + Namespace + "/certificates"
	issuersPath      = "/apis/cert-manager.io/v1/namespaces/" + Namespace + "/issuers/"
	secretsPath      = "/api/v1/namespaces/" + Namespace + "/secrets/"
)

// certificate is what the stand-in for cert-manager reads of a Certificate.
type certificate struct {
	Metadata struct {
		Name            string           `json:"name"`
		OwnerReferences []kubeapi.Object `json:"ownerReferences"`
	} `json:"metadata"`
	Spec struct {
		CommonName string   `json:"commonName"`
		DNSNames   []string `json:"dnsNames"`
		SecretName string   `json:"secretName"`
		Usages     []string `json:"usages"`
		IssuerRef  struct {
			Name string `json:"name"`
		} `json:"issuerRef"`
	} `json:"spec"`
}

// issueCertificates makes the Secrets that Certificates of the platform's
// namespace ask for. A Secret that is there is left alone.
func issueCertificates(ctx context.Context, api *kubeapi.Client) error {
	var list struct {
		Items []certificate `json:"items"`
	}
	if err := api.Get(ctx, certificatesPath, &list); err != nil {
		if kubeapi.IsCode(err, http.StatusNotFound) {
			return nil // the kind is not defined yet
		}
		return err
	}
	for _, c := range list.Items {
		if err := c.issue(ctx, api); err != nil {
			return fmt.Errorf("certificate %s: %w", c.Metadata.Name, err)
		}
	}
	return nil
}

func (c certificate) issue(ctx context.Context, api *kubeapi.Client) error {
	err := api.Get(ctx, secretsPath+c.Spec.SecretName, nil)
	if !kubeapi.IsCode(err, http.StatusNotFound) {
		return err
	}
	var issuer struct {
		Spec struct {
			CA struct {
				SecretName string `json:"secretName"`
			} `json:"ca"`
		} `json:"spec"`
	}
	if err := api.Get(ctx, issuersPath+c.Spec.IssuerRef.Name, &issuer); err != nil {
		return err
	}
	var secret struct {
		Data map[string][]byte `json:"data"`
	}
	if err := api.Get(ctx, secretsPath+issuer.Spec.CA.SecretName, &secret); err != nil {
		return err
	}
	ca := pki.Pair{Cert: secret.Data["tls.crt"], Key: secret.Data["tls.key"]}
	r := pki.Request{CommonName: c.Spec.CommonName, Hosts: c.Spec.DNSNames}
	for _, usage := range c.Spec.Usages {
		r.Client = r.Client || usage == "client auth"
		r.Server = r.Server || usage == "server auth"
	}
	pair, err := ca.Issue(r)
	if err != nil {
		return err
	}
	made := with(namespaced("v1", "Secret", c.Spec.SecretName), object{"type": "kubernetes.io/tls", "data": object{
		"ca.crt": encode(string(ca.Cert)), "tls.crt": encode(string(pair.Cert)), "tls.key": encode(string(pair.Key))}})
	made["metadata"].(object)["ownerReferences"] = c.Metadata.OwnerReferences // it goes with what the Certificate goes with
	err = api.Apply(ctx, made)
	return errors.Join(err, api.Do(ctx, http.MethodPatch, certificatesPath+"/"+c.Metadata.Name+"/status", kubeapi.MergePatch,
		object{"status": object{"conditions": []object{{"type": "Ready", "status": "True", "reason": "Ready", "message": "Certificate is up to date and has not expired"}}}}, nil))
}

// etcdClient hands out client certificates of this cluster's etcd to the
// standby, which shows the registry's credentials (DR-22).
type etcdClient struct {
	registry *registry
	ca, key  string // PEM files
}

func (e *etcdClient) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.TLS == nil || e.registry.config.RegistryUser == "" || !e.registry.allowed(r) {
		w.Header().Set("WWW-Authenticate", `Basic realm="platform"`)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	cert, err := os.ReadFile(e.ca)
	key, err2 := os.ReadFile(e.key)
	var pair pki.Pair
	if err = errors.Join(err, err2); err == nil {
		pair, err = pki.Pair{Cert: cert, Key: key}.Issue(pki.Request{CommonName: "etcd-sync", Client: true})
	}
	if err != nil {
		http.Error(w, "no certificate can be issued", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	text := base64.StdEncoding.EncodeToString
	_ = json.NewEncoder(w).Encode(map[string]string{"ca": text(cert), "cert": text(pair.Cert), "key": text(pair.Key)})
}
