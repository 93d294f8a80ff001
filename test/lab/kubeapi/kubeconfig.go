package kubeapi

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/goccy/go-yaml"
)

// Kubeconfig is a kubeconfig with one cluster and one client certificate.
type Kubeconfig struct {
	Cluster, User   string
	Server          string // https://host:port
	CA              []byte // PEM
	ClientCert, Key []byte // PEM
}

type file struct {
	APIVersion     string         `json:"apiVersion"`
	Kind           string         `json:"kind"`
	CurrentContext string         `json:"current-context"`
	Clusters       []namedCluster `json:"clusters"`
	Contexts       []namedContext `json:"contexts"`
	Users          []namedUser    `json:"users"`
	Preferences    struct{}       `json:"preferences"`
}

type namedCluster struct {
	Name    string `json:"name"`
	Cluster struct {
		Server string `json:"server"`
		CA     string `json:"certificate-authority-data"`
	} `json:"cluster"`
}

type namedContext struct {
	Name    string `json:"name"`
	Context struct {
		Cluster string `json:"cluster"`
		User    string `json:"user"`
	} `json:"context"`
}

type namedUser struct {
	Name string `json:"name"`
	User struct {
		Certificate string `json:"client-certificate-data"`
		Key         string `json:"client-key-data"`
	} `json:"user"`
}

// Marshal renders the file.
func (k Kubeconfig) Marshal() ([]byte, error) {
	context := k.User + "@" + k.Cluster
	f := file{APIVersion: "v1", Kind: "Config", CurrentContext: context,
		Clusters: make([]namedCluster, 1), Contexts: make([]namedContext, 1), Users: make([]namedUser, 1)}
	f.Clusters[0].Name, f.Clusters[0].Cluster.Server, f.Clusters[0].Cluster.CA = k.Cluster, k.Server, encode(k.CA)
	f.Contexts[0].Name, f.Contexts[0].Context.Cluster, f.Contexts[0].Context.User = context, k.Cluster, k.User
	f.Users[0].Name, f.Users[0].User.Certificate, f.Users[0].User.Key = k.User, encode(k.ClientCert), encode(k.Key)
	return yaml.Marshal(f)
}

// Load reads a file written by Marshal.
func Load(path string) (Kubeconfig, error) {
	var k Kubeconfig
	data, err := os.ReadFile(path)
	if err != nil {
		return k, err
	}
	var f file
	if err := yaml.Unmarshal(data, &f); err != nil {
		return k, fmt.Errorf("%s: not a kubeconfig", path) // the parser would quote the key
	}
	if len(f.Clusters) != 1 || len(f.Users) != 1 {
		return k, fmt.Errorf("%s: want one cluster and one user", path)
	}
	k = Kubeconfig{Cluster: f.Clusters[0].Name, User: f.Users[0].Name, Server: f.Clusters[0].Cluster.Server}
	return k, errors.Join(decode(f.Clusters[0].Cluster.CA, &k.CA), decode(f.Users[0].User.Certificate, &k.ClientCert), decode(f.Users[0].User.Key, &k.Key))
}

// New returns a client. The manager owns the fields of applied objects.
func (k Kubeconfig) New(manager string) (*Client, error) {
	pair, err := tls.X509KeyPair(k.ClientCert, k.Key)
	if err != nil {
		return nil, errors.New("kubeconfig: the client certificate and key don't match")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(k.CA) {
		return nil, errors.New("kubeconfig: no certificate authority")
	}
	transport := &http.Transport{
		TLSClientConfig:   &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}
	return &Client{http: &http.Client{Transport: transport}, server: k.Server, manager: manager, paths: map[string]resource{}}, nil
}

// NewWithToken returns a client that shows a bearer token to a server whose
// authority nobody told it.
func NewWithToken(server, token string) *Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, DisableKeepAlives: true}
	return &Client{http: &http.Client{Transport: bearer{transport, token}}, server: server, paths: map[string]resource{}}
}

type bearer struct {
	next  http.RoundTripper
	token string
}

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+b.token)
	return b.next.RoundTrip(r)
}

func encode(pem []byte) string { return base64.StdEncoding.EncodeToString(pem) }

func decode(text string, into *[]byte) (err error) {
	*into, err = base64.StdEncoding.DecodeString(text)
	return err
}
