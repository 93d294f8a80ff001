package activities

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/site"
)

// lookupPause is the time between two questions of the same machine.
const lookupPause = time.Second

// NodeLookupInput says what the platform's name must lead to, for whom.
type NodeLookupInput struct {
	Scope
	To       string        `json:"to"`       // name of the cluster
	Clusters []string      `json:"clusters"` // whose nodes are asked
	InARow   int           `json:"inARow"`   // right answers of each node, one after another; default 1
	Within   time.Duration `json:"within"`   // nanoseconds, for all of them
}

// LookUpOnNodes waits until the name service of every node of the clusters leads
// the platform's name to the cluster, as their own programs would ask it (getent,
// so /etc/hosts and caches count), so many times in a row (DR-42). After the time
// it is fault.Gate and names each node with what it sees; a node that can't be
// asked is not right.
func (a *DNS) LookUpOnNodes(ctx context.Context, in NodeLookupInput) (Evidence, error) {
	want, err := wantedAddresses(&in.Site, in.To)
	if err != nil {
		return Evidence{}, err
	}
	var nodes []Node
	for _, name := range in.Clusters {
		c, ok := in.Site.Cluster(name)
		if !ok {
			return Evidence{}, fault.New(fault.BadInput, "look up "+in.Site.Platform.Address, "site "+in.Site.Name, "", fmt.Errorf("there is no cluster %q", name))
		}
		nodes = append(nodes, NodesOf(c)...)
	}
	if len(nodes) == 0 {
		return Evidence{}, fault.New(fault.BadInput, "look up "+in.Site.Platform.Address, "site "+in.Site.Name, "name the clusters whose nodes are asked", nil)
	}
	w := nodeWatch{dns: a, name: in.Site.Platform.Address, want: want, inARow: max(in.InARow, 1), end: time.Now().Add(in.Within), wrong: map[string]string{}}
	start := time.Now()
	var group errgroup.Group
	group.SetLimit(parallel(nodes))
	for _, n := range nodes {
		w.wrong[n.Name] = "it was not asked"
	}
	for _, n := range nodes {
		group.Go(func() error { return w.follow(ctx, n) })
	}
	if err := group.Wait(); err != nil {
		return Evidence{}, err
	}
	if text := w.text(); text != "" {
		return Evidence{}, fault.New(fault.Gate, "look up "+w.name+" on the nodes", "cluster "+strings.Join(in.Clusters, ", "),
			"look at /etc/hosts, /etc/resolv.conf and caches (nscd, systemd-resolved) of these nodes, and at the resolvers they ask, then retry", errors.New(text))
	}
	return Evidence{Host: strings.Join(in.Clusters, ", "), Summary: fmt.Sprintf("%s leads to %s (%s) on %d nodes, %d times in a row", w.name, in.To, strings.Join(want, ", "), len(nodes), w.inARow),
		Facts: map[string]string{"nodes": fmt.Sprint(len(nodes)), "seconds": seconds(time.Since(start))}}, nil
}

// wantedAddresses are those of the platform's name while the cluster is primary, the VIP first.
func wantedAddresses(s *site.Site, to string) ([]string, error) {
	c, ok := s.Cluster(to)
	if !ok || to == "" {
		return nil, fault.New(fault.BadInput, "look up "+s.Platform.Address, "site "+s.Name, "", fmt.Errorf("there is no cluster %q", to))
	}
	return ClusterAddresses(s, c), nil
}

// rightAnswer wants the VIP, and nothing but the cluster's addresses: a resolver
// may leave out a family that its machine does not use.
func rightAnswer(answers, want []string) bool {
	known := map[netip.Addr]bool{}
	for _, text := range want {
		if a, err := netip.ParseAddr(text); err == nil {
			known[a] = true
		}
	}
	vip, err := netip.ParseAddr(want[0])
	seen := false
	for _, text := range answers {
		a, err := netip.ParseAddr(text)
		if err != nil || !known[a] {
			return false
		}
		seen = seen || a == vip
	}
	return err == nil && seen
}

// nodeWatch asks nodes until each of them is right.
type nodeWatch struct {
	dns    *DNS
	name   string
	want   []string
	inARow int
	end    time.Time

	mu    sync.Mutex
	wrong map[string]string // node → what it sees
}

func (w *nodeWatch) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, n := range slices.Sorted(maps.Keys(w.wrong)) {
		out = append(out, n+": "+w.wrong[n])
	}
	return strings.Join(out, "; ")
}

func (w *nodeWatch) note(node, sees string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.wrong[node] = sees; sees == "" {
		delete(w.wrong, node)
	}
}

// follow asks one node until it was right often enough or the time is over.
func (w *nodeWatch) follow(ctx context.Context, n Node) error {
	for right := 0; ; {
		answers, err := w.ask(ctx, n)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			right = 0
			w.note(n.Name, clip(message(err), 300))
		case !rightAnswer(answers, w.want):
			right = 0
			w.note(n.Name, "sees "+addressesText(answers))
		default:
			if right++; right >= w.inARow {
				w.note(n.Name, "")
				return nil
			}
			w.note(n.Name, fmt.Sprintf("right %d of %d times in a row", right, w.inARow))
		}
		report(ctx, Progress{Text: w.text()})
		if !time.Now().Before(w.end) {
			return nil // what it saw last is the fault
		}
		if err := pause(ctx, lookupPause); err != nil {
			return err
		}
	}
}

func addressesText(list []string) string {
	if len(list) == 0 {
		return "no address"
	}
	return strings.Join(list, ", ")
}

// ask has the node's own name service answer: exit code 2 says that there is no such name.
func (w *nodeWatch) ask(ctx context.Context, n Node) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, sideRead)
	defer cancel()
	conn, err := w.dns.Hosts.connect(ctx, n)
	if err != nil {
		return nil, err
	}
	out, err := conn.Run(ctx, ssh.Command{Op: "look up " + w.name, Script: "timeout 10 getent ahosts " + shellQuote(w.name)})
	if err != nil && out.ExitCode == 2 && fault.Is(err, fault.Command) {
		return nil, nil
	}
	return getentAddresses(out.Stdout), err
}

func getentAddresses(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 0 && !slices.Contains(out, f[0]) {
			out = append(out, f[0])
		}
	}
	return out
}
