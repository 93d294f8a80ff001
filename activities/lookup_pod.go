package activities

import (
	"context"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/site"
)

// PodLookupInput says what the platform's name must lead to, seen from a Pod of
// the cluster in the scope.
type PodLookupInput struct {
	Scope
	To     string `json:"to"`
	InARow int    `json:"inARow"` // default 1
}

// PodLookup is what a Pod sees. That it is wrong, or could not be asked because
// there is no Pod to ask from, is no error: the workflow restarts coredns and asks
// again, or asks a person.
type PodLookup struct {
	Evidence
	Right   bool     `json:"right"`
	Why     string   `json:"why,omitempty"`     // it is not right
	Answers []string `json:"answers,omitempty"` // the last
	Absent  bool     `json:"absent,omitempty"`  // there is no Pod of sentry to ask from; restarting coredns will not help
}

// sentry is the Deployment from whose Pods the document looks the name up (DR-42).
const sentry = "sentry"

// PodLookupCommand is what LookUpInPod runs, for a plan.
func PodLookupCommand(s *site.Site) string {
	return "kubectl exec -n " + platformNamespace + " deployments/" + sentry + " -- nslookup " + s.Platform.Address
}

// maxLookupPods bounds the Pods of sentry that are asked, maxCoreDNSPods the
// questions of each in one round.
const (
	maxLookupPods  = 3
	maxCoreDNSPods = 10
)

// LookUpInPod runs nslookup for the platform's name in ready Pods of the Deployment
// sentry (DR-42), so many rounds in a row. A round has as many questions as there
// are Pods of coredns.
func (a *DNS) LookUpInPod(ctx context.Context, in PodLookupInput) (PodLookup, error) {
	want, err := wantedAddresses(&in.Site, in.To)
	if err != nil {
		return PodLookup{}, err
	}
	client, err := (&Cluster{Hosts: a.Hosts}).open(ctx, in.Scope)
	if err != nil {
		return PodLookup{}, err
	}
	defer client.Close()
	name := in.Site.Platform.Address
	wrong := func(absent bool, answers []string, why string) PodLookup {
		return PodLookup{Why: why, Answers: answers, Absent: absent, Evidence: Evidence{Host: in.Cluster, Summary: name + " in a Pod of " + in.Cluster + ": " + why}}
	}
	pods, found, err := client.DeploymentPods(ctx, platformNamespace, sentry)
	if err != nil {
		return PodLookup{}, err
	}
	ready := slices.DeleteFunc(pods, func(p kube.Pod) bool { return !p.Ready })
	switch {
	case !found:
		return wrong(true, nil, "there is no Deployment "+platformNamespace+"/"+sentry+" to ask from"), nil
	case len(ready) == 0:
		return wrong(true, nil, "no Pod of the Deployment "+platformNamespace+"/"+sentry+" is ready"), nil
	}
	ready = ready[:min(len(ready), maxLookupPods)]
	servers, err := client.Pods(ctx, CoreDNS.namespace(), CoreDNS.Selector)
	if err != nil {
		return PodLookup{}, err
	}
	// Any of them may answer, and only one may be wrong.
	ready = slices.Repeat(ready, max(1, min(len(servers), maxCoreDNSPods)))
	for round := range max(in.InARow, 1) {
		if round > 0 {
			if err := pause(ctx, lookupPause); err != nil {
				return PodLookup{}, err
			}
		}
		for _, p := range ready {
			answers, why, err := lookUpIn(ctx, client, p, name)
			if err != nil {
				return PodLookup{}, err
			}
			if why == "" && !rightAnswer(answers, want) {
				why = "sees " + addressesText(answers)
			}
			if why != "" {
				return wrong(false, answers, fmt.Sprintf("Pod %s %s", p.Name, why)), nil
			}
		}
		report(ctx, Progress{Text: fmt.Sprintf("right %d times in a row", round+1)})
	}
	asked := len(ready) * max(in.InARow, 1)
	return PodLookup{Right: true, Answers: want, Evidence: Evidence{Host: in.Cluster, Facts: map[string]string{"lookups": fmt.Sprint(asked), "command": PodLookupCommand(&in.Site)},
		Summary: fmt.Sprintf("%s leads to %s (%s) in Pods of %s, %d times in a row", name, in.To, strings.Join(want, ", "), sentry, asked)}}, nil
}

func lookUpIn(ctx context.Context, client *kube.Client, p kube.Pod, name string) (answers []string, why string, err error) {
	ctx, cancel := context.WithTimeout(ctx, sideRead)
	defer cancel()
	out, err := client.Exec(ctx, p, "nslookup", name)
	if err != nil {
		return nil, "", err
	}
	answers = nslookupAddresses(out.Output)
	if out.ExitCode != 0 && len(answers) == 0 { // with one family missing some print an error beside the answer
		return nil, fmt.Sprintf("gets no answer (exit code %d): %s", out.ExitCode, clip(strings.Join(strings.Fields(tail(out.Output)), " "), 300)), nil
	}
	return answers, "", nil
}

// addressLine is how BIND's and busybox's nslookup print an address.
var addressLine = regexp.MustCompile(`^Address(?: \d+)?:\s*([0-9A-Fa-f.:]+)(?:\s|$)`)

// nslookupAddresses are those of the name, which stand behind its line "Name:";
// the one before it is the server's.
func nslookupAddresses(text string) []string {
	var out []string
	named := false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		named = named || strings.HasPrefix(line, "Name:")
		m := addressLine.FindStringSubmatch(line)
		if !named || m == nil {
			continue
		}
		if a, err := netip.ParseAddr(m[1]); err == nil && !slices.Contains(out, a.String()) {
			out = append(out, a.String())
		}
	}
	return out
}
