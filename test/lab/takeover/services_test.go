package takeover_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

const coreDNS = "k8s-app=kube-dns"

// answers demands that a lookup of the platform's name in a Pod gives one
// address, several times in a row: there are two CoreDNS Pods.
func (r *rig) answers(s *labtest.Side, vip string, times int) error {
	for range times {
		out, err := r.inPod(s, "nslookup", lab.Domain)
		if err != nil || !strings.Contains(out, "Address: "+vip) {
			return fmt.Errorf("%w: %s", err, out)
		}
	}
	return nil
}

func (r *rig) lookupInAPod() {
	r.eventually("both CoreDNS Pods answer", func() error { return r.answers(r.East, r.vip("west"), 6) })
	out, err := r.inPod(r.East, "nslookup", lab.Domain)
	require.NoError(r, err)
	require.Contains(r, out, "10.4.0.10#53", "it asks the Service of the cluster")
	out, err = r.inPod(r.East, "nslookup", "nobody."+lab.Zone)
	require.Contains(r, out, "NXDOMAIN")
	require.Error(r, err)

	r.pointTo("east")
	start := time.Now()
	r.eventually("the cache lets go", func() error { return r.answers(r.East, r.vip("east"), 6) })
	r.Logf("Pods see a moved name after %s", time.Since(start).Round(100*time.Millisecond))
}

// A cache that outlives the record's lifetime is emptied by a restart.
func (r *rig) staleCoreDNS() {
	require.NoError(r, r.Lab.BreakClusterDNS(r.Context(), "east", lab.ClusterDNSFaults{MinTTL: time.Hour}))
	r.Cleanup(func() { require.NoError(r, r.Lab.MendClusterDNS(context.Background(), "east")) })
	r.eventually("CoreDNS is back", func() error { return r.answers(r.East, r.vip("west"), 6) })
	r.pointTo("east")
	time.Sleep(12 * time.Second) // more than the record's lifetime in every other cache
	require.NoError(r, r.answers(r.East, r.vip("west"), 6), "the old answer stays")
	r.restart(r.East, "kube-system", coreDNS)
	r.eventually("a restart mends it", func() error { return r.answers(r.East, r.vip("east"), 6) })
}

// A wrong configuration is not mended by a restart.
func (r *rig) pinnedCoreDNS() {
	require.NoError(r, r.Lab.BreakClusterDNS(r.Context(), "east", lab.ClusterDNSFaults{Pins: map[string]string{lab.Domain: r.vip("west")}}))
	r.pointTo("east")
	r.restart(r.East, "kube-system", coreDNS)
	r.eventually("CoreDNS is back", func() error { return r.answers(r.East, r.vip("west"), 6) })
	time.Sleep(7 * time.Second)
	require.NoError(r, r.answers(r.East, r.vip("west"), 6))
	require.NoError(r, r.Lab.MendClusterDNS(r.Context(), "east"))
	r.eventually("mended", func() error { return r.answers(r.East, r.vip("east"), 6) })
}

func (r *rig) template() (string, error) {
	return r.East.First.Script(r.Context(), "cp /root/cpaas-install/installer/res/packaged-scripts/for-upgrade/ensure-asm-template.sh /root/\n"+
		"bash /root/ensure-asm-template.sh")
}

func (r *rig) logStoreRefuses() {
	const pods = "service_name=cpaas-elasticsearch"
	r.eventually("the log store answers", func() error { _, err := r.template(); return err })
	out, err := r.template()
	require.NoError(r, err)
	require.Contains(r, out, "the index template is in place")

	require.NoError(r, r.Lab.BreakElastic(r.Context(), "east", lab.ElasticUntilRestart))
	_, err = r.template()
	require.ErrorContains(r, err, "401 Unauthorized")
	r.restart(r.East, platformNamespace, pods)
	r.eventually("a restart mends it", func() error { _, err := r.template(); return err })

	require.NoError(r, r.Lab.BreakElastic(r.Context(), "east", lab.ElasticAlways))
	r.restart(r.East, platformNamespace, pods)
	refuses := func() error {
		_, err := r.template()
		require.Error(r, err, "a restart does not mend it")
		return err
	}
	r.eventually("it serves again", func() error {
		if err := refuses(); !strings.Contains(err.Error(), "401 Unauthorized") {
			return err
		}
		return nil
	})
	for range 4 {
		time.Sleep(time.Second)
		require.ErrorContains(r, refuses(), "401 Unauthorized")
	}
	require.NoError(r, r.Lab.MendElastic(r.Context(), "east"))
	r.eventually("mended", func() error { _, err := r.template(); return err })
}

// clusterBehindTheName asks for the UID as a takeover does: under the
// platform's name, at one VIP, with the certificate checked.
func (r *rig) clusterBehindTheName() {
	west, east := r.uid(r.West), r.uid(r.East)
	require.NotEqual(r, west, east)
	for _, c := range []struct {
		at, token string
		code      int
		uid       string
	}{
		{"west", r.token(r.West), http.StatusOK, west},
		{"east", r.token(r.East), http.StatusOK, east},
		{"west", r.token(r.East), http.StatusUnauthorized, ""},
		{"east", "", http.StatusUnauthorized, ""},
	} {
		code, uid := r.behind(c.at, c.token)
		require.Equal(r, c.code, code)
		require.Equal(r, c.uid, uid)
	}
}

func (r *rig) uid(s *labtest.Side) string {
	ns, err := s.API.CoreV1().Namespaces().Get(r.Context(), "kube-system", metav1.GetOptions{})
	require.NoError(r, err)
	return string(ns.UID)
}

func (r *rig) token(s *labtest.Side) string {
	secret, err := s.API.CoreV1().Secrets(platformNamespace).Get(r.Context(), "k8sadmin", metav1.GetOptions{})
	require.NoError(r, err)
	require.NotEmpty(r, secret.Data["token"])
	return string(secret.Data["token"])
}

func (r *rig) behind(cluster, token string) (int, string) {
	roots := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(r.Lab.Dir(), lab.FileCA))
	require.NoError(r, err)
	require.True(r, roots.AppendCertsFromPEM(ca))
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(r.vip(cluster), "443"))
		},
	}}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodGet, "https://"+lab.Domain+"/kubernetes/global/api/v1/namespaces/kube-system", http.NoBody)
	require.NoError(r, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	require.NoError(r, err)
	defer resp.Body.Close()
	var ns struct {
		Metadata struct {
			UID string `json:"uid"`
		} `json:"metadata"`
	}
	if resp.StatusCode == http.StatusOK {
		require.NoError(r, json.NewDecoder(resp.Body).Decode(&ns))
	}
	return resp.StatusCode, ns.Metadata.UID
}
