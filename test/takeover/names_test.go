package takeover

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/installer/pki"
	"github.com/acpflow/acpflow/test/lab/labtest"
)

func (r *rig) onNodes() {
	names := &activities.DNS{Hosts: r.hosts}
	look := func(to string, within time.Duration, clusters ...string) (activities.Evidence, error) {
		in := activities.NodeLookupInput{Scope: activities.Scope{Site: r.document()}, To: to, Clusters: clusters, InARow: 3, Within: within}
		return names.LookUpOnNodes(r.within(within+time.Minute), in)
	}
	evidence, err := look("west", time.Minute, "west", "east")
	require.NoError(r, err)
	assert.Equal(r, "3", evidence.Facts["nodes"])
	r.Log(evidence.Summary)

	_, err = look("east", 2*time.Second, "west", "east")
	text := r.refused(err)
	for _, n := range []string{"west-1", "west-2", "east-1"} {
		assert.Contains(r, text, n+": sees "+r.West.Cluster.Endpoint.VIP)
	}

	first := r.East.First
	_, err = first.Script(r.Context(), "echo '"+r.East.Cluster.Endpoint.VIP+" "+r.Site.Platform.Address+"' >>/etc/hosts")
	require.NoError(r, err)
	_, err = look("west", 15*time.Second, "west", "east") // the others are right three times meanwhile
	text = r.refused(err)
	assert.Contains(r, text, "east-1: sees "+r.East.Cluster.Endpoint.VIP, "an entry in /etc/hosts is what programs see")
	assert.NotContains(r, text, "west-1")
	mended := make(chan error, 1)
	go func() {
		time.Sleep(3 * time.Second)
		_, err := first.Script(r.Context(), "sed '/ "+r.Site.Platform.Address+"$/d' /etc/hosts >/tmp/hosts; cat /tmp/hosts >/etc/hosts")
		mended <- err
	}()
	_, err = look("west", time.Minute, "west", "east")
	require.NoError(r, err, "it waits until all are right")
	require.NoError(r, <-mended)

	worker := r.node(r.West.Cluster.Nodes[1].Name)
	require.NoError(r, worker.PowerOff(r.Context()))
	_, err = look("west", 2*time.Second, "west")
	text = r.refused(err)
	assert.Contains(r, text, worker.Name, "a node that can't be asked is not right")
	require.NoError(r, worker.PowerOn(r.Context()))
	_, err = look("", time.Second, "west")
	assert.True(r, fault.Is(err, fault.BadInput))
}

func (r *rig) inPods() {
	names := &activities.DNS{Hosts: r.hosts}
	look := func(to string) activities.PodLookup {
		out, err := names.LookUpInPod(r.within(time.Minute), activities.PodLookupInput{Scope: r.east(), To: to, InARow: 2})
		require.NoError(r, err)
		r.Log(out.Summary)
		return out
	}
	labtest.Await(r, 2*time.Minute, "Pods know the name", func() error {
		if out := look("west"); !out.Right {
			return fault.New(fault.Failed, "look up", "east", "", nil)
		}
		return nil
	})
	wrong := look("east")
	assert.False(r, wrong.Right)
	assert.False(r, wrong.Absent)
	assert.Equal(r, []string{r.West.Cluster.Endpoint.VIP}, wrong.Answers)
	assert.Contains(r, wrong.Why, r.West.Cluster.Endpoint.VIP)

	// A cache that knows the old address is mended by a restart of coredns.
	require.NoError(r, r.Lab.BreakClusterDNS(r.Context(), "east", lab.ClusterDNSFaults{MinTTL: time.Hour}))
	require.NoError(r, r.Lab.PointPlatform(r.Context(), "east"))
	time.Sleep(12 * time.Second) // more than the record's lifetime in every other cache
	stale := look("east")
	assert.False(r, stale.Right)
	assert.Equal(r, []string{r.West.Cluster.Endpoint.VIP}, stale.Answers)
	r.restart(activities.CoreDNS)
	labtest.Await(r, 2*time.Minute, "a restart mends it", func() error {
		if out := look("east"); !out.Right {
			return fault.New(fault.Failed, "look up", out.Why, "", nil)
		}
		return nil
	})
	require.NoError(r, r.Lab.MendClusterDNS(r.Context(), "east"))
	require.NoError(r, r.Lab.PointPlatform(r.Context(), "west"))
	labtest.Await(r, 2*time.Minute, "the name is back", func() error {
		if out := look("west"); !out.Right {
			return fault.New(fault.Failed, "look up", out.Why, "", nil)
		}
		return nil
	})

	scale := func(replicas string) {
		_, err := r.East.API.AppsV1().Deployments("cpaas-system").Patch(r.Context(), "sentry", types.MergePatchType, []byte(`{"spec":{"replicas":`+replicas+`}}`), metav1.PatchOptions{})
		require.NoError(r, err)
	}
	scale("0")
	defer scale("1")
	labtest.Await(r, 2*time.Minute, "sentry is gone", func() error {
		if out := look("west"); !out.Absent {
			return fault.New(fault.Failed, "wait", out.Why, "", nil)
		}
		return nil
	})
	assert.False(r, look("west").Right, "who can't be asked is not right")
}

func (r *rig) page() {
	check := func(to, uid string, edit ...func(*site.Site)) (activities.Evidence, error) {
		page := &activities.Page{Hosts: r.hosts, Patience: 2 * time.Second}
		return page.CheckPage(r.within(time.Minute), activities.PageInput{Scope: activities.Scope{Site: r.document(edit...), Cluster: to}, To: to, UID: uid})
	}
	west, east := r.uid(r.West), r.uid(r.East)
	evidence, err := check("west", west)
	require.NoError(r, err)
	r.Log(evidence.Summary, evidence.Facts)
	assert.Equal(r, "the API behind the name says so", evidence.Facts["proof"])

	_, err = check("east", east)
	assert.Contains(r, r.refused(err), r.West.Cluster.Endpoint.VIP, "the name leads to the other side")
	_, err = check("west", east)
	assert.Contains(r, r.refused(err), east)

	r.Run("a platform without a token to ask with", func(t *testing.T) {
		r := r.with(t)
		secrets := r.West.API.CoreV1().Secrets("cpaas-system")
		old, err := secrets.Get(r.Context(), "k8sadmin", metav1.GetOptions{})
		require.NoError(r, err)
		require.NoError(r, secrets.Delete(r.Context(), "k8sadmin", metav1.DeleteOptions{}))
		evidence, err := check("west", west)
		require.NoError(r, err)
		assert.Equal(r, "the page says so", evidence.Facts["proof"])
		again := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: old.Name, Annotations: map[string]string{corev1.ServiceAccountNameKey: "k8sadmin"}}, Type: old.Type}
		_, err = secrets.Create(r.Context(), again, metav1.CreateOptions{})
		require.NoError(r, err)
		labtest.Await(r, 2*time.Minute, "the platform has a token again", func() error {
			evidence, err := check("west", west)
			if err == nil && evidence.Facts["proof"] != "the API behind the name says so" {
				err = fault.New(fault.Failed, "wait", evidence.Facts["proof"], "", nil)
			}
			return err
		})
	})
	r.Run("another certificate", func(t *testing.T) {
		r := r.with(t)
		ca, err := pki.NewCA("other")
		require.NoError(r, err)
		pair, err := ca.Issue(pki.Request{CommonName: r.Site.Platform.Address, Hosts: []string{r.Site.Platform.Address}, Server: true})
		require.NoError(r, err)
		file := filepath.Join(t.TempDir(), "other.pem")
		require.NoError(r, os.WriteFile(file, pair.Cert, 0o600))
		_, err = check("west", west, func(s *site.Site) { s.Platform.Certificate.Certificate = site.Ref("file:" + file) })
		assert.Contains(r, r.refused(err), "another certificate is served")
	})
	r.Run("the HTTPS port leads to the other side", func(t *testing.T) {
		r := r.with(t)
		balancer := r.node("west-lb")
		const config = "/etc/haproxy/haproxy.cfg"
		before, err := balancer.Exec(r.Context(), "cat", config)
		require.NoError(r, err)
		rewrite := func(text string) {
			require.NoError(r, balancer.WriteFile(r.Context(), config, []byte(text), "0644"))
			_, err := balancer.Exec(r.Context(), "systemctl", "reload", "haproxy")
			require.NoError(r, err)
		}
		turned := strings.ReplaceAll(before, r.West.First.Address+":443 ", r.East.First.Address+":443 ")
		require.NotEqual(r, before, turned, "%s", before)
		rewrite(turned)
		defer rewrite(before)
		labtest.Await(r, 2*time.Minute, "the page is the other side's", func() error {
			_, err := check("west", west)
			if err == nil || !fault.Is(err, fault.Gate) { // HAProxy may be changing over
				return fault.New(fault.Failed, "wait", "", "", err)
			}
			assert.Contains(r, r.refused(err), "leads to another cluster")
			return nil
		})
	})
	labtest.Await(r, 2*time.Minute, "the page is right again", func() error {
		_, err := check("west", west)
		return err
	})
}
