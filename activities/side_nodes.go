package activities

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/checks/pair"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/platform"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/syncplugin"
	"github.com/acpflow/acpflow/site"
)

// platformNamespace is where the platform's own workloads live.
const platformNamespace = "cpaas-system"

// readClock prints a node's time first, so that it lies close to the question.
const readClock = "date '+now %s.%N'\n"

// readControlPlane also prints the certificates that must not end unnoticed and,
// last, the key file, whose end is the end of the output.
const readControlPlane = readClock + `for f in apiserver apiserver-etcd-client etcd/server; do
  echo "certificate $f"
  cat "/etc/kubernetes/pki/$f.crt" 2>&1
  echo
done
echo keys
( ` + readKeyFile + `) 2>&1 || true
`

// nodes asks every node once, all side by side, and the load balancer's page.
func (s side) nodes(ctx context.Context) {
	nodes := NodesOf(s.cluster)
	clocks := make([]pair.Clock, len(nodes))
	keys := make([]pair.KeyFile, len(nodes))
	certificates := make([][]pair.Certificate, len(nodes)+2)
	var group errgroup.Group
	group.SetLimit(parallel(nodes) + 2)
	group.Go(func() error { certificates[len(nodes)] = s.page(ctx); return nil })
	group.Go(func() error { certificates[len(nodes)+1] = s.remoteClient(ctx); return nil })
	for i, n := range nodes {
		group.Go(func() error {
			if s.cluster.Nodes[i].Role != site.ControlPlane {
				clocks[i], _ = s.hosts.ask(ctx, n, readClock)
				return nil
			}
			var answer string
			clocks[i], answer = s.hosts.ask(ctx, n, readControlPlane)
			keys[i], certificates[i] = readSide(n.Name, answer, clocks[i].Fault)
			return nil
		})
	}
	_ = group.Wait() // what failed is in the facts
	keys = slices.DeleteFunc(keys, func(k pair.KeyFile) bool { return k.Node == "" })
	s.out.Clocks, s.out.Keys, s.out.Certificates = pair.Of(clocks), pair.Of(keys), pair.Of(slices.Concat(certificates...))
}

// ask runs a script that begins with readClock.
func (h *Hosts) ask(ctx context.Context, n Node, script string) (pair.Clock, string) {
	out := pair.Clock{Node: n.Name}
	conn, err := h.connect(ctx, n)
	var answer ssh.Result
	sent := time.Now()
	if err == nil {
		sent = time.Now()
		answer, err = conn.Run(ctx, ssh.Command{Op: "read clock, certificates and keys", Script: script, Sudo: true})
	}
	received := time.Now()
	if err == nil {
		var there time.Time
		there, err = clockOf(answer.Stdout)
		out.Least, out.Most = there.Sub(received), there.Sub(sent)
	}
	if err != nil {
		return pair.Clock{Node: n.Name, Fault: clip(message(err), 300)}, ""
	}
	return out, answer.Stdout
}

// clockOf reads "now SECONDS.NANOSECONDS" in the first line.
func clockOf(answer string) (time.Time, error) {
	line, _, _ := strings.Cut(answer, "\n")
	text, ok := strings.CutPrefix(line, "now ")
	seconds, good := new(big.Rat).SetString(text)
	if !ok || !good {
		return time.Time{}, errors.New("the node's clock is not understood")
	}
	nanos := new(big.Rat).Mul(seconds, big.NewRat(1e9, 1))
	if !nanos.IsInt() || !nanos.Num().IsInt64() {
		return time.Time{}, errors.New("the node's clock is not understood")
	}
	return time.Unix(0, nanos.Num().Int64()), nil
}

// readSide understands what readControlPlane prints; failed is why there is nothing.
func readSide(node, answer, failed string) (pair.KeyFile, []pair.Certificate) {
	names := []string{"apiserver", "apiserver-etcd-client", "etcd/server"}
	if failed != "" {
		var out []pair.Certificate
		for _, n := range names {
			out = append(out, pair.Certificate{Name: n + " of " + node, Fault: failed})
		}
		return pair.KeyFile{Node: node, Fault: failed}, out
	}
	head, keys, _ := strings.Cut(answer, "\nkeys\n")
	found := map[string]string{}
	for i, part := range strings.Split(head, "\ncertificate ") {
		name, text, _ := strings.Cut(part, "\n")
		if i > 0 { // the first part is the clock
			found[name] = text
		}
	}
	var out []pair.Certificate
	for _, n := range names {
		out = append(out, certificateOf(n+" of "+node, []byte(found[n])))
	}
	return keyFileOf(node, keys), out
}

func keyFileOf(node, answer string) pair.KeyFile {
	file, _, err := parseKeyFile(node, answer)
	if err != nil {
		return pair.KeyFile{Node: node, Fault: clip(message(err), 300)}
	}
	out := pair.KeyFile{Node: node, Absent: !file.Present, Owner: file.Owner, SHA256: file.SHA256}
	if file.Present {
		out.Mode, out.Keys = fmt.Sprintf("%04s", file.Mode), []string{file.Keys.String()}
	}
	return out
}

// certificateOf reads the leaf, which stands first in the PEM text.
func certificateOf(name string, text []byte) pair.Certificate {
	out := pair.Certificate{Name: name}
	block, _ := pem.Decode(text)
	if block == nil {
		out.Fault = "no certificate there: " + clip(strings.TrimSpace(string(text)), 100)
		return out
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		out.Fault = "the certificate is not understood"
		return out
	}
	sum := sha256.Sum256(leaf.Raw)
	out.SHA256, out.NotAfter = hex.EncodeToString(sum[:]), leaf.NotAfter.UTC()
	return out
}

// page is the certificate that users of this side see at its VIP.
func (s side) page(ctx context.Context) []pair.Certificate {
	out := pair.Certificate{Name: pair.PlatformCertificate}
	got, err := platform.Fetch(ctx, (&Cluster{Hosts: s.hosts}).reach(s.cluster), platform.Target{
		Address: s.scope.Site.Platform.Address, Port: s.scope.Site.Platform.HTTPSPort, Connect: s.cluster.Endpoint.VIP}, time.Now())
	if err != nil {
		out.Fault = clip(message(err), 300)
		return []pair.Certificate{out}
	}
	out.SHA256, out.NotAfter = got.Fingerprint, got.NotAfter
	return []pair.Certificate{out}
}

// remoteClient is the Secret with which a synchronizer from 4.3.1 on logs in to
// the other side's etcd (DR-36). Only its certificate is kept.
var remoteClientKey = kube.SecretKey{Namespace: syncplugin.Namespace, Name: syncplugin.RemoteClient, Key: "tls.crt"}

func (s side) remoteClient(ctx context.Context) []pair.Certificate {
	value, err := s.client.SecretValue(ctx, remoteClientKey)
	switch {
	case fault.Is(err, fault.Gate): // there is none
		return nil
	case err != nil:
		return []pair.Certificate{{Name: remoteClientKey.Name, Fault: clip(message(err), 300)}}
	}
	return []pair.Certificate{certificateOf(remoteClientKey.Name, value.Reveal())}
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
