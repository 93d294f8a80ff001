package installer

import (
	"fmt"
	"slices"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

// calicoByProfile says whether setup.sh of a product version still takes
// --network-mode (EXE-08): the choice of the network plugin ended with 4.2.
var calicoByProfile = map[string]bool{
	"acp-4.1-seed": true,
	"acp-4.1":      true,
	"acp-4.2":      false,
	"acp-4.3":      false,
	"acp-4.4-dev":  false,
}

// SetupFlags returns the arguments of setup.sh for one cluster under a rule
// profile: --network-mode for Calico (EXE-08), --ip-family for single-stack
// IPv6 (EXE-09), none otherwise. Errors are fault.BadInput.
func SetupFlags(s site.Site, clusterName, profile string) ([]string, error) {
	c, ok := s.Cluster(clusterName)
	if !ok {
		return nil, unknownCluster(s, clusterName)
	}
	calico, known := calicoByProfile[profile]
	if !known {
		return nil, fault.New(fault.BadInput, "choose the flags of setup.sh", "site "+s.Name,
			fmt.Sprintf("use one of %q", profiles()), fmt.Errorf("the profile %q is unknown", profile))
	}
	flags := []string{}
	if c.Network.CNI == site.Calico {
		if !calico {
			return nil, fault.New(fault.BadInput, "choose the flags of setup.sh", "site "+s.Name+", cluster "+c.Name,
				"set network.cni to kube-ovn, or use the profile and package of 4.1",
				fmt.Errorf("--network-mode calico no longer exists in %s (EXE-08)", profile))
		}
		flags = append(flags, "--network-mode", "calico")
	}
	if c.Network.IPFamily == site.IPv6 {
		flags = append(flags, "--ip-family", "ipv6")
	}
	return flags, nil
}

func profiles() []string {
	var out []string
	for p := range calicoByProfile {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}
