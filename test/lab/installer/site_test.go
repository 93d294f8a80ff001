package main_test

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/installer"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/platform"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/corepackage"
	"github.com/acpflow/acpflow/test/lab/installer/faults"
)

// data is a lab with its site document, for one cluster.
type data struct {
	*testing.T
	lab     *lab.Lab
	site    *site.Site
	cluster *site.Cluster
	first   *lab.Node
}

// folder of the extracted package on the first node (GEN-06).
const folder = "/root/cpaas-install"

func bringUp(t *testing.T, name string, controlPlanes int) *data {
	t.Helper()
	dir := t.TempDir()
	pkg, err := corepackage.Build(t.Context(), corepackage.Options{Path: filepath.Join(dir, "core.tar"), PayloadMB: 16})
	require.NoError(t, err)
	l, err := lab.Up(t.Context(), lab.Options{
		Name: name, Clusters: []lab.ClusterPlan{{Name: "west", ControlPlanes: controlPlanes}},
		Package: &site.Package{Path: pkg.Path, Checksum: "sha256:" + pkg.SHA256, Architecture: string(pkg.Architecture)},
		Log:     os.Stderr,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Down(context.Background())) })
	text, err := os.ReadFile(filepath.Join(l.Dir(), lab.FileSite))
	require.NoError(t, err)
	s, err := site.Parse(lab.FileSite, text)
	require.NoError(t, err)
	d := &data{T: t, lab: l, site: s, cluster: &s.Clusters[0]}
	d.first = d.node(d.cluster.InstallerNode().Name)
	d.extract(pkg.Path)
	return d
}

func (d *data) node(name string) *lab.Node {
	n, err := d.lab.Node(name)
	require.NoError(d, err)
	return n
}

// extract puts a package on the first node, as the document says (EXE-03).
func (d *data) extract(path string) {
	f, err := os.Open(path)
	require.NoError(d, err)
	defer f.Close()
	code, err := d.first.Run(d.Context(), lab.Command{Stdin: f, Stderr: os.Stderr,
		Argv: []string{"sh", "-c", "mkdir -p " + folder + " && tar -xf - -C " + folder}})
	require.NoError(d, err)
	require.Zero(d, code)
}

// run runs a script on the first node and returns its exit code and output.
func (d *data) run(script string) (int, string) {
	var out bytes.Buffer
	code, err := d.first.Run(d.Context(), lab.Command{Argv: []string{"bash", "-c", script}, Stdout: &out, Stderr: &out})
	require.NoError(d, err)
	return code, out.String()
}

func (d *data) must(script string) string {
	code, out := d.run(script)
	require.Zero(d, code, "%s: %s", script, out)
	return out
}

func (d *data) order(json string) {
	require.NoError(d, d.first.WriteFile(d.Context(), faults.Path, []byte(json), "0600"))
}

func (d *data) client() *installer.Client {
	return installer.NewAt(http.DefaultTransport, "http://"+d.cluster.InstallerNode().Address+":8080", d.first.Name)
}

// configuration is what acpflow makes of the lab's site; spoil may change the
// secrets in it.
func (d *data) configuration(spoil func(*installer.Secrets)) installer.Config {
	secrets, err := installer.Resolve(*d.site, d.cluster.Name)
	require.NoError(d, err)
	if spoil != nil {
		spoil(&secrets)
	}
	c, err := installer.Build(*d.site, d.cluster.Name, secrets)
	require.NoError(d, err)
	return c
}

// setUp starts the installer and waits until it answers.
func (d *data) setUp() {
	require.Contains(d, d.must("cd "+folder+"/installer && bash setup.sh"), ":8080")
	require.Eventually(d, func() bool { return d.client().Ready(d.Context()) == nil }, 2*time.Minute, 100*time.Millisecond)
}

// awaitSuccess waits for the end of the install.
func (d *data) awaitSuccess() {
	require.Eventually(d, func() bool {
		p, err := d.client().Progress(d.Context())
		return err == nil && p.Status == installer.Success
	}, 10*time.Minute, 500*time.Millisecond, "the install did not end in Success")
}

func (d *data) api() *kube.Client {
	config, err := d.first.Exec(d.Context(), "cat", "/etc/kubernetes/admin.conf")
	require.NoError(d, err)
	c, err := kube.New(secret.NewValue([]byte(config)), kube.Options{})
	require.NoError(d, err)
	return c
}

// verify holds the new cluster against acpflow's own checks.
func (d *data) verify() {
	api := d.api()
	nodes, err := api.VerifyNodes(d.Context(), *d.cluster)
	require.NoError(d, err)
	for _, f := range nodes.Findings {
		require.False(d, f.Blocking(), "%+v", f)
	}
	require.Equal(d, len(d.cluster.Nodes), nodes.Ready)
	module, err := api.VerifyClusterModule(d.Context())
	require.NoError(d, err)
	require.Equal(d, "Running", module.Phase)
	releases, err := api.VerifyAppReleases(d.Context())
	require.NoError(d, err)
	require.Positive(d, releases.Healthy)
	require.Equal(d, releases.Total, releases.Healthy)
	require.Eventually(d, func() bool {
		pods, err := api.VerifyPods(d.Context())
		return err == nil && pods.Bad == 0 && pods.Ready == pods.Total
	}, 2*time.Minute, time.Second, "Pods are not ready")

	certificate, err := os.ReadFile(filepath.Join(d.lab.Dir(), lab.FileCertificate))
	require.NoError(d, err)
	var page platform.Result
	require.Eventually(d, func() bool { // the balancer checks its servers once a second
		page, err = platform.Fetch(d.Context(), nil, platform.Target{Address: d.site.Platform.Address,
			Connect: d.cluster.Endpoint.VIP, Port: 443, Certificate: certificate}, time.Now())
		return err == nil
	}, 2*time.Minute, time.Second, "the platform does not answer through its balancer")
	for _, f := range page.Findings {
		require.False(d, f.Blocking(), "%+v", f)
	}
	require.Contains(d, page.Title, d.cluster.Endpoint.VIP, "the page must name the cluster")
}
