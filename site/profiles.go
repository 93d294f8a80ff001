package site

import (
	"maps"
	"net/netip"
	"slices"
)

// profile holds what the editions of the vendor's document say differently
// about a site document.
type profile struct {
	kubernetes []string       // minor versions the installer offers (PAR-01); nil = not published
	calico     bool           // `global` may use Calico (GEN-07)
	reserved   []netip.Prefix // node addresses that the container tool takes for itself (NET-10)
	tool       string         // the container tool
}

var (
	// "172.16-32" in the document: 172.16.0.0 to 172.32.255.255.
	reservedDocker  = []netip.Prefix{netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("172.32.0.0/16")}
	reservedNerdctl = []netip.Prefix{netip.MustParsePrefix("172.17.0.0/16"), netip.MustParsePrefix("172.18.0.0/16")}
)

var profiles = map[string]profile{
	"acp-4.1-seed": {[]string{"1.32"}, true, reservedDocker, "Docker"},
	"acp-4.1":      {[]string{"1.28", "1.29", "1.30", "1.31", "1.32"}, true, reservedDocker, "Docker"},
	"acp-4.2":      {[]string{"1.33"}, false, reservedNerdctl, "nerdctl"},
	"acp-4.3":      {[]string{"1.34"}, false, reservedNerdctl, "nerdctl"},
	"acp-4.4-dev":  {nil, false, reservedNerdctl, "nerdctl"},
}

// Profiles lists the rule profiles a document may name.
func Profiles() []string { return slices.Sorted(maps.Keys(profiles)) }
