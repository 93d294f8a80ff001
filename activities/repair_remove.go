package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/job"
	"github.com/acpflow/acpflow/internal/ssh"
)

// PackageRemoval is one package by its exact name.
type PackageRemoval struct {
	Manager string `json:"manager"` // rpm, dpkg or snap
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
	Why     string `json:"why,omitempty"` // when the document's list does not name it
}

// NodeRemoval is what conflicts on one node and what its removal takes along.
type NodeRemoval struct {
	Node     string           `json:"node"`
	Fault    *NodeFault       `json:"fault,omitempty"`
	Packages []PackageRemoval `json:"packages,omitempty"`
	Along    []string         `json:"along,omitempty"`   // packages that need them and would go too
	Blocked  string           `json:"blocked,omitempty"` // why the package manager would not do it
	Runs     []string         `json:"runs,omitempty"`    // containers and programs that would stop
}

// Removable reports whether there is something that may be removed.
func (n NodeRemoval) Removable() bool {
	return n.Fault == nil && n.Blocked == "" && len(n.Packages) > 0
}

// RemovalPlan is what conflicts on all nodes.
type RemovalPlan struct {
	Nodes []NodeRemoval `json:"nodes"`
}

// previewScript says what the package manager would do, and what runs. Its
// arguments are the exact names.
const previewScript = `export LC_ALL=C DEBIAN_FRONTEND=noninteractive
dpkg=(%s) rpm=(%s)
if [ ${#dpkg[@]} -gt 0 ]; then
	out=$(apt-get -s -o Debug::NoLocking=1 purge "${dpkg[@]}" 2>&1) || printf 'blocked %%s\n' "$(tail -n 3 <<<"$out" | tr '\n' ' ')"
	grep -E '^(Purg|Remv) ' <<<"$out" | while read -r _ name _; do printf 'gone %%s\n' "${name%%:*}"; done
fi
if [ ${#rpm[@]} -gt 0 ]; then
	out=$(rpm -e --test "${rpm[@]}" 2>&1) || printf 'blocked %%s\n' "$(tail -n 5 <<<"$out" | tr '\n' ' ')"
fi
for tool in docker nerdctl podman crictl; do
	type -P "$tool" >/dev/null || continue
	case $tool in
	crictl) timeout -k 1 10 crictl ps 2>/dev/null | tail -n +2 | while read -r id image _; do printf 'runs container %%s of %%s\n' "$id" "$image"; done ;;
	*) timeout -k 1 10 "$tool" ps --format 'runs container {{.Names}} of {{.Image}}' 2>/dev/null ;;
	esac
done | head -n 200
for f in /proc/[0-9]*/comm; do
	read -r name <"$f" || continue
	case $name in
	dockerd | containerd* | crio | conmon | kubelet | kube-* | etcd | k3s* | rke2* | k0s | microk8s*)
		pid=${f#/proc/}
		printf 'runs %%s (pid %%s)\n' "$name" "${pid%%/comm}"
		;;
	esac
done
exit 0
`

// PlanRemovals finds packages that conflict with the platform's, by their exact
// names, and what depends and runs on them (DANGER-01, RM-01…RM-05). It changes
// nothing.
func (r *Repairs) PlanRemovals(ctx context.Context, in RepairInput) (RemovalPlan, error) {
	cluster, err := in.cluster()
	if err != nil {
		return RemovalPlan{}, err
	}
	nodes := NodesOf(cluster)
	out := RemovalPlan{Nodes: make([]NodeRemoval, len(nodes))}
	r.onAll(nodes, func(i int, node Node) {
		plan, err := r.removals(ctx, in.Scope, node)
		plan.Node = node.Name
		if err != nil {
			plan.Fault = &NodeFault{Class: fault.ClassOf(err), Message: message(err)}
		}
		out.Nodes[i] = plan
	})
	return out, ctx.Err()
}

func (r *Repairs) removals(ctx context.Context, scope Scope, node Node) (NodeRemoval, error) {
	var out NodeRemoval
	record, err := (&Nodes{Hosts: r.Hosts}).collect(ctx, node)
	if err != nil {
		return out, err
	}
	facts, err := record.Facts()
	if err != nil {
		return out, err
	}
	found, err := checks.ConflictingPackages(checks.Input{Site: scope.Site, Cluster: scope.Cluster, Node: node.Name, Facts: facts, Now: record.Received})
	if err != nil {
		return out, fault.New(fault.Protocol, "find conflicting packages", node.Name, "", err)
	}
	for _, p := range found {
		out.Packages = append(out.Packages, PackageRemoval(p))
	}
	if len(out.Packages) == 0 {
		return out, nil
	}
	conn, err := r.Hosts.connect(ctx, node)
	if err != nil {
		return out, err
	}
	script := fmt.Sprintf(previewScript, quoteAll(out.names("dpkg")), quoteAll(out.names("rpm")))
	answer, err := conn.Run(ctx, ssh.Command{Op: "preview the removal of packages", Script: script, Sudo: true})
	if err != nil {
		return out, err
	}
	out.read(answer.Stdout)
	return out, nil
}

// read takes in what the preview says.
func (n *NodeRemoval) read(text string) {
	names := n.names("dpkg")
	for line := range strings.Lines(tidy(text)) {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch kind {
		case "gone":
			if !slices.Contains(names, rest) && !slices.Contains(n.Along, rest) {
				n.Along = append(n.Along, rest)
			}
		case "blocked":
			n.Blocked = clip(rest, 500)
		case "runs":
			n.Runs = append(n.Runs, clip(rest, 200))
		}
	}
}

// names of the packages of one manager, sorted.
func (n NodeRemoval) names(manager string) []string {
	var out []string
	for _, p := range n.Packages {
		if p.Manager == manager {
			name, _, _ := strings.Cut(p.Name, ":")
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func quoteAll(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = shellQuote(n)
	}
	return strings.Join(out, " ")
}

// RemoveInput is what a person has approved.
type RemoveInput struct {
	Scope
	Run   string        `json:"run"`
	Nodes []NodeRemoval `json:"nodes"`
}

// removeScript removes exactly what was approved: when the package manager
// would take anything else along by now, it removes nothing.
const removeScript = `set -u
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
dpkg=(%[1]s) rpm=(%[2]s) snap=(%[3]s) approved=(%[4]s)
left=()
for name in "${dpkg[@]}"; do
	case $(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null) in "" | not-installed | config-files) ;; *) left+=("$name") ;; esac
done
if [ ${#left[@]} -gt 0 ]; then
	gone=$(apt-get -s -o DPkg::Lock::Timeout=60 purge "${left[@]}" | grep -E '^(Purg|Remv) ' | while read -r _ name _; do echo "${name%%:*}"; done)
	for name in $gone; do
		case " ${dpkg[*]} ${approved[*]} " in
		*" $name "*) ;;
		*) echo "$name would go too, which nobody approved: nothing was removed" >&2; exit 65 ;;
		esac
	done
	apt-get -y -o DPkg::Lock::Timeout=60 purge "${left[@]}" || exit
fi
left=()
for name in "${rpm[@]}"; do if rpm -q "$name" >/dev/null 2>&1; then left+=("$name"); fi; done
if [ ${#left[@]} -gt 0 ]; then rpm -e --test "${left[@]}" && rpm -e "${left[@]}" || exit; fi
for name in "${snap[@]}"; do
	if snap list "$name" >/dev/null 2>&1; then snap remove --purge "$name" || exit; fi
done
echo "removed: ${dpkg[*]} ${rpm[*]} ${snap[*]}"
`

// RemovePackages removes the approved packages by their exact names, never more
// (DANGER-01). It may be repeated: what is gone is gone. There is no undo.
func (r *Repairs) RemovePackages(ctx context.Context, in RemoveInput) (Evidence, error) {
	cluster, err := in.cluster()
	if err != nil {
		return Evidence{}, err
	}
	var nodes []Node
	var plans []NodeRemoval
	for _, n := range NodesOf(cluster) {
		i := slices.IndexFunc(in.Nodes, func(r NodeRemoval) bool { return r.Node == n.Name && r.Removable() })
		if i >= 0 {
			nodes, plans = append(nodes, n), append(plans, in.Nodes[i])
		}
	}
	faults, count := make([]error, len(nodes)), 0
	r.onAll(nodes, func(i int, node Node) {
		p := plans[i]
		script := fmt.Sprintf(removeScript, quoteAll(p.names("dpkg")), quoteAll(p.names("rpm")), quoteAll(p.names("snap")), quoteAll(p.Along))
		_, faults[i] = r.Hosts.runJob(ctx, node, "remove packages from "+node.Name, job.Spec{ID: "remove-" + in.Run, Script: script, Sudo: true})
		if faults[i] != nil {
			faults[i] = fmt.Errorf("%s: %w", node.Name, faults[i])
		}
	})
	for _, p := range plans {
		count += len(p.Packages) + len(p.Along)
	}
	if err := errors.Join(faults...); err != nil {
		return Evidence{}, fault.New(fault.ClassOf(err), "remove packages", "", "look at what the package manager says on the node, then retry or skip", err)
	}
	return Evidence{Summary: fmt.Sprintf("%d packages removed from %d nodes", count, len(nodes))}, ctx.Err()
}
