package takeover_test

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/acpflow/acpflow/test/lab"
	"github.com/acpflow/acpflow/test/lab/workload"
)

// lookup asks one server once; "" is a name that does not exist.
func (r *rig) lookup(server string) (string, error) {
	m := new(dns.Msg).SetQuestion(dns.Fqdn(lab.Domain), dns.TypeA)
	answer, _, err := (&dns.Client{Timeout: 4 * time.Second}).ExchangeContext(r.Context(), m, server)
	if err != nil {
		return "", err
	}
	if len(answer.Answer) == 0 {
		return "", nil
	}
	return answer.Answer[0].(*dns.A).A.String(), nil
}

func (r *rig) serverSays(server, want string) func() error {
	return func() error {
		got, err := r.lookup(server)
		if err == nil && got != want {
			err = fmt.Errorf("%q", got)
		}
		return err
	}
}

// breakDNS holds until the case mends it or ends.
func (r *rig) breakDNS(f lab.DNSFault) {
	r.Helper()
	require.NoError(r, r.Lab.BreakDNS(r.Context(), f), f)
	r.Cleanup(func() { require.NoError(r, r.Lab.MendDNS(context.Background())) })
}

func (r *rig) mendDNS() {
	r.Helper()
	require.NoError(r, r.Lab.MendDNS(r.Context()))
	d := r.Lab.Describe().DNS
	r.eventually("mended", r.serverSays(d.Authoritative, r.vip("west")))
	r.eventually("mended", r.serverSays(d.Resolver, r.vip("west")))
	require.NoError(r, r.Lab.PointPlatform(r.Context(), "west"))
}

func (r *rig) nameServers() {
	d := r.Lab.Describe().DNS
	r.breakDNS(lab.DNSDown)
	_, err := r.lookup(d.Authoritative)
	require.ErrorContains(r, err, "refused")
	r.mendDNS()

	r.breakDNS(lab.DNSHangs)
	_, err = r.lookup(d.Authoritative)
	require.ErrorContains(r, err, "timeout")
	r.mendDNS()

	r.breakDNS(lab.DNSSlow)
	start, answered := time.Now(), 0
	for range 8 {
		if got, err := r.lookup(d.Authoritative); err == nil && got == r.vip("west") {
			answered++
		}
	}
	r.Logf("slow: %d of 8 answers in %s", answered, time.Since(start).Round(time.Millisecond))
	require.Greater(r, time.Since(start), 2*time.Second)
	require.Positive(r, answered, "slow is not down")
	r.mendDNS()

	r.breakDNS(lab.DNSRefusesKey)
	require.Error(r, r.Lab.PointPlatform(r.Context(), "east"))
	require.NoError(r, r.serverSays(d.Authoritative, r.vip("west"))())
	r.mendDNS()

	r.breakDNS(lab.DNSResolverDown)
	_, err = r.lookup(d.Resolver)
	require.ErrorContains(r, err, "refused")
	r.mendDNS()
	require.ErrorContains(r, r.Lab.BreakDNS(r.Context(), "upside-down"), "resolver-stale")
}

func (r *rig) staleSecondary() {
	d := r.Lab.Describe().DNS
	require.NoError(r, r.Lab.StartSecondary(r.Context()))
	require.NoError(r, r.serverSays(d.Secondary, r.vip("west"))())
	require.NoError(r, r.Lab.PointPlatform(r.Context(), "east"))
	r.eventually("it gets changes", r.serverSays(d.Secondary, r.vip("east")))
	r.breakDNS(lab.DNSSplit)
	require.NoError(r, r.Lab.PointPlatform(r.Context(), "west"))
	r.eventually("the stale one answers", r.serverSays(d.Secondary, r.vip("east")))
	time.Sleep(5 * time.Second)
	require.NoError(r, r.serverSays(d.Secondary, r.vip("east"))(), "it stays stale")
	require.NoError(r, r.serverSays(d.Authoritative, r.vip("west"))())
	r.mendDNS()
	r.eventually("it catches up", r.serverSays(d.Secondary, r.vip("west")))
}

func (r *rig) resolverKeeps() {
	d := r.Lab.Describe().DNS
	for _, f := range []lab.DNSFault{lab.DNSResolverStale, lab.DNSResolverStuck} {
		r.breakDNS(f)
		require.NoError(r, r.Lab.PointPlatform(r.Context(), "east"))
		time.Sleep(7 * time.Second) // more than the record's lifetime
		require.NoError(r, r.serverSays(d.Resolver, r.vip("west"))(), f)
		require.NoError(r, r.serverSays(d.Authoritative, r.vip("east"))(), f)
		require.NoError(r, r.Lab.PointPlatform(r.Context(), "west"))
		r.mendDNS()
	}
	r.breakDNS(lab.DNSNegative)
	require.NoError(r, r.serverSays(d.Authoritative, r.vip("west"))())
	time.Sleep(7 * time.Second) // more than the zone lets others remember
	require.NoError(r, r.serverSays(d.Resolver, "")())
	r.mendDNS()
}

func (r *rig) balancerReload() {
	n, err := r.Lab.Node("west-lb")
	require.NoError(r, err)
	require.NoError(r, n.Break(r.Context(), lab.ReloadFails))
	_, err = n.Exec(r.Context(), "systemctl", "reload", "haproxy")
	require.Error(r, err)
	_, err = r.West.API.CoreV1().Namespaces().Get(r.Context(), "default", metav1.GetOptions{})
	require.NoError(r, err, "it serves on")
	require.NoError(r, n.Mend(r.Context(), lab.ReloadFails))
	_, err = n.Exec(r.Context(), "systemctl", "reload", "haproxy")
	require.NoError(r, err)
}

func (r *rig) podsNeverReady() {
	const selector = "service_name=cluster-transformer"
	pods := r.East.API.CoreV1().Pods(platformNamespace)
	phase := func() corev1.PodPhase {
		list, err := pods.List(r.Context(), metav1.ListOptions{LabelSelector: selector})
		require.NoError(r, err)
		if len(list.Items) != 1 {
			return ""
		}
		return list.Items[0].Status.Phase
	}
	require.NoError(r, r.Lab.BreakPods(r.Context(), "east", "cluster-transformer"))
	r.Cleanup(func() { require.NoError(r, r.Lab.MendPods(context.Background(), "east")) })
	require.Equal(r, corev1.PodRunning, phase(), "a Pod that is ready stays so")
	r.eventually("the kwok without orders has ended", func() error { // its successor's stages are written after that
		_, err := r.East.First.Exec(r.Context(), "grep", "-q", "cluster-transformer", "/var/lib/kubelet/kwok-stages.yaml")
		return err
	})
	require.NoError(r, pods.DeleteCollection(r.Context(), metav1.DeleteOptions{}, metav1.ListOptions{LabelSelector: selector}))
	r.eventually("its successor waits", func() error {
		if p := phase(); p != corev1.PodPending {
			return fmt.Errorf("%q", p)
		}
		return nil
	})
	r.restart(r.East, platformNamespace, "service_name=warlock") // others are not touched
	require.Equal(r, corev1.PodPending, phase())
	require.NoError(r, r.Lab.MendPods(r.Context(), "east"))
	r.eventually("it becomes ready", func() error {
		if p := phase(); p != corev1.PodRunning {
			return fmt.Errorf("%q", p)
		}
		return nil
	})
}

func (r *rig) machines() {
	machines := r.East.Dynamic.Resource(workload.Machines)
	require.NoError(r, workload.Seed(r.Context(), r.East.API, r.East.Dynamic, 1))
	require.NoError(r, r.Lab.SetMachinePhase(r.Context(), "east", "work-0001-1", "Failed"))
	m, err := machines.Get(r.Context(), "work-0001-1", metav1.GetOptions{})
	require.NoError(r, err)
	require.Equal(r, "Failed", m.Object["status"].(map[string]any)["phase"])
	require.NoError(r, r.Lab.SetMachinePhase(r.Context(), "east", "work-0001-1", "Running"))

	// The plugin is not installed here: the order is carried out at once.
	require.NoError(r, r.Lab.BreakSync(r.Context(), "east", lab.SyncFaults{GarbageMachines: []string{"work-0001-2"}}))
	r.Cleanup(func() { require.NoError(r, r.Lab.MendSync(context.Background(), "east")) })
	r.eventually("it is deleted", func() error {
		_, err := machines.Get(r.Context(), "work-0001-2", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return fmt.Errorf("it is there: %w", err)
	})
	_, err = machines.Get(r.Context(), "work-0001-1", metav1.GetOptions{})
	require.NoError(r, err, "and no other")
}

func (r *rig) apiServerRestarts() {
	id := func() string {
		out, err := r.East.First.Exec(r.Context(), "crictl", "ps", "--name", "kube-apiserver", "--quiet")
		require.NoError(r, err)
		return strings.TrimSpace(out)
	}
	old := id()
	require.NoError(r, r.East.First.RestartAPIServer(r.Context()))
	r.eventually("another one serves", func() error {
		if now := id(); now == "" || now == old {
			return fmt.Errorf("%q", now)
		}
		_, err := r.East.API.CoreV1().Namespaces().Get(r.Context(), "default", metav1.GetOptions{})
		return err
	})
}
