package platform

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
	"github.com/acpflow/acpflow/test/lab/podnet"
	"github.com/acpflow/acpflow/test/lab/synchronizer"
	"github.com/acpflow/acpflow/test/lab/synchronizer/faults"
)

// Where the console of a control plane finds its files.
const (
	ConsoleDir        = "/etc/cpaas"
	ConsoleFile       = ConsoleDir + "/console.json"
	ConsoleKubeconfig = ConsoleDir + "/console.conf"
	pkiDir            = "/etc/kubernetes/pki"
	registryPort      = 11443
)

// ConsoleConfig is what one control plane serves to users.
type ConsoleConfig struct {
	HTTPSPort        int    `json:"httpsPort"`
	HTTPPort         int    `json:"httpPort"` // 0 = off
	PlatformAddress  string `json:"platformAddress"`
	ClusterAddress   string `json:"clusterAddress"`
	Registry         bool   `json:"registry"` // the platform's own
	RegistryUser     string `json:"registryUser"`
	RegistryPassword string `json:"registryPassword"`
	Kubeconfig       string `json:"kubeconfig"`
	NodeName         string `json:"nodeName"`
	NodeAddress      string `json:"nodeAddress"`
}

// ReadConsoleConfig reads ConsoleFile.
func ReadConsoleConfig() (ConsoleConfig, error) {
	var c ConsoleConfig
	data, err := os.ReadFile(ConsoleFile)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(data, &c)
}

// RunConsole serves the web console, the registry and, beside them, the
// operator of cluster plugins and the etcd synchronizer's Pods of this node,
// until ctx ends.
func RunConsole(ctx context.Context, c ConsoleConfig) error {
	pair, err := tls.LoadX509KeyPair(ConsoleDir+"/tls.crt", ConsoleDir+"/tls.key")
	if err != nil {
		return err
	}
	kubeconfig, err := kubeapi.Load(c.Kubeconfig)
	if err != nil {
		return err
	}
	api, err := kubeconfig.New("platform-operator")
	if err != nil {
		return err
	}
	gateway, err := newGateway(kubeconfig)
	if err != nil {
		return err
	}
	mirror, end := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer end()
	page := &page{config: c, api: api}
	images := &registry{config: c, api: api}
	site := http.NewServeMux()
	site.Handle("/", page)
	site.Handle(GatewayPath+"/", gateway)
	site.Handle(synchronizer.ClientPath, &etcdClient{registry: images, ca: pkiDir + "/etcd/ca.crt", key: pkiDir + "/etcd/ca.key"})
	secure := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	failed := make(chan error, 3)
	var servers []*http.Server
	listen := func(port int, h http.Handler, conf *tls.Config) {
		server := &http.Server{Addr: net.JoinHostPort("", strconv.Itoa(port)), Handler: h, TLSConfig: conf, ReadHeaderTimeout: 10 * time.Second}
		servers = append(servers, server)
		go func() { failed <- serve(ctx, server) }()
	}
	listen(c.HTTPSPort, site, secure)
	if c.HTTPPort > 0 {
		listen(c.HTTPPort, page, nil)
	}
	if c.Registry {
		listen(registryPort, images, secure)
	}
	wg.Go(func() { operatePlugins(mirror, api) })
	wg.Go(func() { synchronizer.Run(mirror, c.synchronizer(api)) })
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = nil
	}
	for _, s := range servers {
		_ = s.Close()
	}
	return err
}

// serve shares its port with the address of the synchronizer's Service.
func serve(ctx context.Context, server *http.Server) error {
	listener, err := (&net.ListenConfig{Control: podnet.SharePort}).Listen(ctx, "tcp", server.Addr)
	if err != nil {
		return err
	}
	if server.TLSConfig == nil {
		return server.Serve(listener)
	}
	return server.ServeTLS(listener, "", "")
}

func (c ConsoleConfig) synchronizer(api *kubeapi.Client) synchronizer.Options {
	return synchronizer.Options{
		API: api, NodeName: c.NodeName, Address: c.NodeAddress, PKI: pkiDir, ConsoleCertificate: ConsoleDir + "/tls.crt",
		PlatformAddress: c.PlatformAddress, ClusterAddress: c.ClusterAddress, HTTPSPort: c.HTTPSPort,
		RegistryUser: c.RegistryUser, RegistryPassword: c.RegistryPassword,
		LogDir: "/var/log/pods", Faults: faults.Path,
	}
}

// page names the cluster that answers: after a DNS switch a person must see
// which side the browser reached.
type page struct {
	config ConsoleConfig
	api    *kubeapi.Client
}

var pageTemplate = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Container Platform: global at {{.Cluster}}</title></head>
<body>
<h1>Container Platform</h1>
<dl>
<dt>Cluster</dt><dd id="cluster">global at {{.Cluster}}</dd>
<dt>Cluster id</dt><dd id="uid">{{.UID}}</dd>
<dt>Served by</dt><dd>{{.Host}}</dd>
</dl>
</body>
</html>
`))

func (p *page) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	var ns struct {
		Metadata struct {
			UID string `json:"uid"`
		} `json:"metadata"`
	}
	if err := p.api.Get(r.Context(), "/api/v1/namespaces/kube-system", &ns); err != nil {
		slog.Warn("console: read the cluster's id", "error", err)
		http.Error(w, "the platform's API does not answer", http.StatusServiceUnavailable)
		return
	}
	host, _ := os.Hostname()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = pageTemplate.Execute(w, map[string]string{"Cluster": p.config.ClusterAddress, "UID": ns.Metadata.UID, "Host": host})
}

// ConsoleAnswers fetches the page from one machine under the platform's name
// and demands the certificate that it should serve.
func ConsoleAnswers(ctx context.Context, ip, name string, port int, certificate []byte) error {
	block, _ := pem.Decode(certificate)
	if block == nil {
		return errors.New("the console's certificate is no PEM")
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(ip, strconv.Itoa(port)))
		},
		// The chain may lead to any authority; the leaf itself is compared.
		TLSClientConfig: &tls.Config{ServerName: name, InsecureSkipVerify: true, VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			if string(raw[0]) != string(block.Bytes) {
				return errors.New("another certificate is served")
			}
			return nil
		}},
	}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+net.JoinHostPort(name, strconv.Itoa(port))+"/", http.NoBody)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the console answers %d", resp.StatusCode)
	}
	return nil
}
