package checks

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/acpflow/acpflow/site"
)

// edition holds what the editions of the vendor's document say differently
// about nodes.
type edition struct {
	systems    []system            // supported systems
	leftovers  []string            // what an earlier container runtime leaves behind (CHK-25)
	reserved   []netip.Prefix      // what the container tool takes for its bridges (CHK-19, NET-10)
	tool       string              // the container tool
	calico     bool                // `global` may use Calico (GEN-07)
	command    string              // of the container tool (CLN-01)
	kubernetes string              // minor versions for new clusters (PAR-01); empty = not published
	transient  bool                // UsePAM may be turned on again once the node is Ready (CHK-09)
	binaries   []string            // that conflict, where they lie in /usr/local/bin (RM-00)
	lists      map[string]packages // of packages that conflict, by family (RM-01…05)
	limits     limits
	ports      portTable
	between    betweenLimits // of the network between nodes (NET-07…09)
}

// unlimited is how systemd before 228 writes infinity.
const unlimited = 1<<64 - 1

// largeTasksMax is "a very large number": Linux allows no more processes than
// this (PID_MAX_LIMIT on 64 bits).
const largeTasksMax = 4 << 20

const (
	docker  = "Docker"
	nerdctl = "nerdctl"
)

var (
	leftoversDocker  = []string{"/var/lib/docker", "/var/lib/containerd", "/var/log/pods", "/var/lib/kubelet/pki"}
	leftoversNerdctl = slices.Concat(leftoversDocker, []string{"/var/lib/nerdctl", "/opt/nerdctl"})

	// "172.16-32" in the document: 172.16.0.0 to 172.32.255.255.
	reservedDocker  = []netip.Prefix{netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("172.32.0.0/16")}
	reservedNerdctl = []netip.Prefix{netip.MustParsePrefix("172.17.0.0/16"), netip.MustParsePrefix("172.18.0.0/16")}
)

const (
	seed  = site.DefaultProfile
	acp41 = "acp-4.1"
	acp42 = "acp-4.2"
	acp43 = "acp-4.3"
	acp44 = "acp-4.4-dev"
)

// later are the editions whose machines are planned by the later chapters.
var later = []string{acp41, acp42, acp43, acp44}

var (
	edition41 = edition{
		systems: systems41, leftovers: leftoversDocker, reserved: reservedDocker, tool: docker, command: "docker", calico: true,
		transient: true, binaries: binariesDocker, lists: packageLists, limits: limits41, ports: portsOfPlatform, between: between41,
	}
	edition42 = edition{
		systems: systems42, leftovers: leftoversNerdctl, reserved: reservedNerdctl, tool: nerdctl, command: "nerdctl",
		transient: true, binaries: binariesNerdctl, lists: packageLists, limits: limits41, ports: portsOfPlatform, between: between42,
	}
)

var editions = map[string]edition{
	seed: {
		systems: systemsSeed, leftovers: leftoversDocker, reserved: reservedDocker, tool: docker, command: "docker", calico: true,
		kubernetes: "1.32", binaries: binariesDocker, lists: packageLists, limits: limitsSeed, ports: portsOfPlatform, between: betweenSeed,
	},
	acp41: edition41.with("1.28 to 1.32"), acp42: edition42.with("1.33"), acp43: edition42.with("1.34"), acp44: edition42,
}

// with is the same edition for other Kubernetes versions.
func (e edition) with(kubernetes string) edition { e.kubernetes = kubernetes; return e }

// profileOf is the site's edition, or the default one.
func profileOf(s site.Site) string {
	if s.Profile == "" {
		return site.DefaultProfile
	}
	return s.Profile
}

func editionOf(profile string) (edition, error) {
	e, ok := editions[profile]
	if !ok {
		return edition{}, fmt.Errorf("there is no profile %s", clip(profile))
	}
	return e, nil
}
