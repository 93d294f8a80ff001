package pki

import "errors"

// Authorities are what all control planes of a cluster share.
type Authorities struct {
	Kubernetes Pair   `json:"kubernetes"`
	Etcd       Pair   `json:"etcd"`
	FrontProxy Pair   `json:"frontProxy"`
	Platform   Pair   `json:"platform"` // signs the web console when its certificate is self-signed
	TokenKey   []byte `json:"tokenKey"`
	TokenPub   []byte `json:"tokenPub"`
}

// NewAuthorities makes a new set.
func NewAuthorities() (Authorities, error) {
	var a Authorities
	var errs [5]error
	a.Kubernetes, errs[0] = NewCA("kubernetes")
	a.Etcd, errs[1] = NewCA("etcd-ca")
	a.FrontProxy, errs[2] = NewCA("front-proxy-ca")
	a.Platform, errs[3] = NewCA("platform-ca")
	a.TokenKey, a.TokenPub, errs[4] = NewSigningKey()
	return a, errors.Join(errs[:]...)
}

// NodeNames is how one control plane is reached.
type NodeNames struct {
	NodeName, Hostname string
	Addresses          []string
	ClusterAddress     string   // VIP or domain of the cluster
	ServiceIPs         []string // of the kubernetes Service
}

// ControlPlane issues the certificates of one control plane. The keys of the
// map are paths below /etc/kubernetes/pki without .crt and .key.
func (a Authorities) ControlPlane(n NodeNames) (map[string]Pair, error) {
	local := append([]string{n.NodeName, n.Hostname, "localhost", "127.0.0.1", n.ClusterAddress}, n.Addresses...)
	api := append([]string{"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local"}, local...)
	api = append(api, n.ServiceIPs...)
	out := map[string]Pair{"ca": a.Kubernetes, "etcd/ca": a.Etcd, "front-proxy-ca": a.FrontProxy}
	for _, w := range []struct {
		path string
		ca   Pair
		Request
	}{
		{"apiserver", a.Kubernetes, Request{CommonName: "kube-apiserver", Hosts: api, Server: true}},
		{"apiserver-kubelet-client", a.Kubernetes, Request{CommonName: "kube-apiserver-kubelet-client", Organization: "system:masters", Client: true}},
		{"apiserver-etcd-client", a.Etcd, Request{CommonName: "kube-apiserver-etcd-client", Client: true}},
		{"front-proxy-client", a.FrontProxy, Request{CommonName: "front-proxy-client", Client: true}},
		{"etcd/server", a.Etcd, Request{CommonName: n.NodeName, Hosts: local, Server: true, Client: true}},
		{"etcd/peer", a.Etcd, Request{CommonName: n.NodeName, Hosts: local, Server: true, Client: true}},
		{"etcd/healthcheck-client", a.Etcd, Request{CommonName: "kube-etcd-healthcheck-client", Client: true}},
	} {
		pair, err := w.ca.Issue(w.Request)
		if err != nil {
			return nil, err
		}
		out[w.path] = pair
	}
	return out, nil
}
