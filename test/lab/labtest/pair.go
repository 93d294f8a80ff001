package labtest

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/acpflow/acpflow/internal/installer"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/corepackage"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
)

// packageDir is where the Core Package is extracted on an installer node (GEN-06).
const packageDir = "/root/cpaas-install"

// encryptionFile holds the key of the Secrets in etcd (DR-21).
const encryptionFile = "/etc/kubernetes/encryption-provider.conf"

// Pair is a lab with two installed clusters, west and east, each behind a
// balancer and VIP of its own.
type Pair struct {
	Lab        *lab.Lab
	Site       *site.Site
	West, East *Side
}

// Side is one cluster of the pair. Its clients go through its VIP.
type Side struct {
	Cluster site.Cluster
	First   *lab.Node // its first control plane
	Config  *rest.Config
	API     kubernetes.Interface
	Dynamic dynamic.Interface
}

// PairPlans are the clusters of a small pair.
func PairPlans() []lab.ClusterPlan {
	return []lab.ClusterPlan{{Name: "west", ControlPlanes: 1, Balancer: true}, {Name: "east", ControlPlanes: 1, Balancer: true}}
}

// InstallPair brings up a pair, a small one unless plans for west and east say
// otherwise, and installs both clusters with the stand-in
// installer, the second with the encryption key of the first. The platform's
// name leads to west. The plugin etcd-sync is published and not installed.
func InstallPair(t testing.TB, name string, plans ...lab.ClusterPlan) *Pair {
	t.Helper()
	if len(plans) == 0 {
		plans = PairPlans()
	}
	return installPair(t, lab.Options{Name: name, Clusters: plans}, true)
}

// InstallPairWith is InstallPair with workload clusters beside the pair.
func InstallPairWith(t testing.TB, o lab.Options) *Pair {
	t.Helper()
	return installPair(t, o, true)
}

// InstallStrangers is InstallPair of clusters that have encryption keys of their
// own, under the same name: what FAQ-01 is about.
func InstallStrangers(t testing.TB, name string, plans ...lab.ClusterPlan) *Pair {
	t.Helper()
	return installPair(t, lab.Options{Name: name, Clusters: plans}, false)
}

func installPair(t testing.TB, o lab.Options, sameKey bool) *Pair {
	t.Helper()
	pkg, err := corepackage.Build(t.Context(), corepackage.Options{Path: filepath.Join(t.TempDir(), "core.tar"), PayloadMB: 1})
	must(t, err)
	o.Package = &site.Package{Path: pkg.Path, Checksum: "sha256:" + pkg.SHA256, Architecture: string(pkg.Architecture)}
	l := Up(t, o)
	text, err := os.ReadFile(l.Describe().SiteFile)
	must(t, err)
	s, err := site.Parse(lab.FileSite, text)
	must(t, err)
	p := &Pair{Lab: l, Site: s}
	p.West = p.install(t, "west", pkg.Path)
	if sameKey {
		key, err := p.West.First.Exec(t.Context(), "cat", encryptionFile)
		must(t, err)
		for _, n := range l.Nodes() {
			if n.Cluster == "east" && n.Role == lab.ControlPlane {
				must(t, n.WriteFile(t.Context(), encryptionFile, []byte(key), "0600"))
			}
		}
	}
	p.East = p.install(t, "east", pkg.Path)
	return p
}

func (p *Pair) install(t testing.TB, cluster, pkg string) *Side {
	t.Helper()
	start := time.Now()
	c, ok := p.Site.Cluster(cluster)
	if !ok {
		t.Fatalf("the site has no cluster %s", cluster)
	}
	first, err := p.Lab.Node(c.InstallerNode().Name)
	must(t, err)
	must(t, extract(t.Context(), first, pkg))
	// It stays until its Success was seen: a poll that came too late would never see it.
	must(t, first.WriteFile(t.Context(), faults.Path, []byte(`{"neverRemoved": true}`), "0600"))
	_, err = first.Script(t.Context(), "cd "+packageDir+"/installer && bash setup.sh")
	must(t, err)
	client := installer.NewAt(http.DefaultTransport, "http://"+first.Address+":8080", first.Name)
	Await(t, 2*time.Minute, "the installer answers", func() error { return client.Ready(t.Context()) })
	secrets, err := installer.Resolve(*p.Site, cluster)
	must(t, err)
	conf, err := installer.Build(*p.Site, cluster, secrets)
	must(t, err)
	must(t, client.Post(t.Context(), conf))
	Await(t, 10*time.Minute, "the install of "+cluster+" ends", func() error {
		progress, err := client.Progress(t.Context())
		if err == nil && progress.Status != installer.Success {
			err = fmt.Errorf("%s", progress.Status)
		}
		return err
	})
	must(t, first.WriteFile(t.Context(), faults.Path, []byte(`{"graceSeconds": 0}`), "0600"))
	t.Logf("%s installed in %s", cluster, time.Since(start).Round(time.Second))
	return Connect(t, p.Lab, *c)
}

func extract(ctx context.Context, n *lab.Node, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	code, err := n.Run(ctx, lab.Command{Stdin: f, Stderr: os.Stderr, Argv: []string{"sh", "-c", "mkdir -p " + packageDir + " && tar -xf - -C " + packageDir}})
	if err == nil && code != 0 {
		err = fmt.Errorf("tar: exit code %d", code)
	}
	return err
}

// Connect opens the API of an installed cluster through its VIP.
func Connect(t testing.TB, l *lab.Lab, c site.Cluster) *Side {
	t.Helper()
	first, err := l.Node(c.InstallerNode().Name)
	must(t, err)
	text, err := first.Exec(t.Context(), "cat", "/etc/kubernetes/admin.conf")
	must(t, err)
	conf, err := clientcmd.RESTConfigFromKubeConfig([]byte(text))
	must(t, err)
	conf.QPS, conf.Burst = 200, 200
	s := &Side{Cluster: c, First: first, Config: conf}
	s.API, err = kubernetes.NewForConfig(conf)
	must(t, err)
	s.Dynamic, err = dynamic.NewForConfig(conf)
	must(t, err)
	return s
}

// Await tries until it succeeds; at the deadline the last error fails the test.
func Await(t testing.TB, patience time.Duration, what string, try func() error) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(250 * time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		if time.Now().After(deadline) || t.Context().Err() != nil {
			t.Fatalf("%s: not within %s: %v", what, patience, err)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
