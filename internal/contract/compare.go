package contract

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/internal/secret"
)

// Difference is one broken term.
type Difference struct {
	Field  string `json:"field"` // path in the installer's document
	Source string `json:"source"`
	Want   string `json:"want"` // never a secret
	Have   string `json:"have"`
}

// String is "console.globalHost (DR-22): a.example.com, wanted is b.example.com".
func (d Difference) String() string {
	return fmt.Sprintf("%s (%s): %s, wanted is %s", d.Field, d.Source, d.Have, d.Want)
}

// alike are the parameters that both sides must share: those that the document
// names, and those by which the standby would be another platform.
var alike = []struct{ field, source string }{
	{"console.globalHost", "DR-14, DR-22"},
	{"console.httpPort", "DR-17"},
	{"console.httpsPort", "DR-17"},
	{"registry.externalAddress", "DR-22"},
	{"registry.domain", "DR-16, DR-22"},
	{"registry.username", "DR-16, DR-22"},
	{"basic.username", "DR-22"},
	{"cluster.version", "PAR-01"},
	{"cluster.annotations.cpaas.io/container-runtime", "PAR-01"},
	{"cluster.annotations.cpaas.io/network-type", "GEN-07"},
	{"cluster.features.ipv6DualStack", "PAR-02"},
	{"cluster.serviceCIDR", "PAR-14"},
	{"deployMode", "PAR-20"},
}

// mask is what a parameter reads whose value is a secret.
const mask = secret.Mask

// Compare tells which terms of the other side break the contract (DR-22). The
// VIP, the nodes and what depends on them differ rightly.
func (c Contract) Compare(t Terms) []Difference {
	var out []Difference
	differ := func(field, source, want, have string) {
		if want != have {
			out = append(out, Difference{Field: field, Source: source, Want: orNothing(want), Have: orNothing(have)})
		}
	}
	for _, p := range alike {
		differ(p.field, p.source, c.Parameters[p.field], t.parameters[p.field])
	}
	differ("product", "DR-22", list(c.Parameters, "product"), list(t.parameters, "product"))
	differ("console.cert, leaf SHA-256", "DR-15, DR-22", c.Certificate, t.leaf)
	if c.Certificate == t.leaf {
		differ("console.cert, chain SHA-256", "DR-15, DR-22", c.Chain, t.chain)
	}
	differ("console.cert, key SHA-256", "DR-15, DR-22", c.CertificateKey, t.key)
	for _, p := range []struct {
		field, hash string
		password    secret.Value
	}{{"basic.password", c.AdminPassword, t.admin}, {"registry.password", c.RegistryPassword, t.registry}} {
		if !matches(p.hash, p.password) {
			out = append(out, Difference{Field: p.field, Source: "DR-22", Want: "the recorded password", Have: "another one"})
		}
	}
	return out
}

// Compared is the number of terms that Compare looks at.
func (c Contract) Compared() int { return len(alike) + 6 }

// Rest lists the other parameters that differ, for the record: addresses, nodes
// and ranges of each side, "field: theirs → ours".
func (c Contract) Rest(t Terms) []string {
	known := func(field string) bool {
		return strings.HasPrefix(field, "product.") || slices.ContainsFunc(alike, func(p struct{ field, source string }) bool { return p.field == field })
	}
	fields := map[string]bool{}
	for f := range c.Parameters {
		fields[f] = true
	}
	for f := range t.parameters {
		fields[f] = true
	}
	var out []string
	for f := range fields {
		if a, b := c.Parameters[f], t.parameters[f]; a != b && !known(f) {
			out = append(out, fmt.Sprintf("%s: %s → %s", f, orNothing(a), orNothing(b)))
		}
	}
	slices.Sort(out)
	return out
}

// Own tells which of the demands on each side of a pair its terms break
// (DR-13…DR-18).
func (t Terms) Own() []Difference {
	var out []Difference
	p := t.parameters
	demand := func(ok bool, field, source, want string) {
		if !ok {
			out = append(out, Difference{Field: field, Source: source, Want: want, Have: orNothing(p[field])})
		}
	}
	vip := p["cluster.features.ha.vip"]
	demand(p["cluster.features.ha.isThirdParty"] == "true", "cluster.features.ha.isThirdParty", "DR-13", "true: a load balancer in front of the VIP, none that the installer builds")
	demand(!isIP(p["console.globalHost"]) && p["console.globalHost"] != "", "console.globalHost", "DR-14", "a domain, which DNS points at either side")
	demand(isIP(vip), "cluster.features.ha.vip", "DR-14", "the VIP, an IP address")
	demand(t.leaf != "" && t.key != "", "console.cert.thirdParty.certificate", "DR-15", "an existing certificate with its key")
	demand(p["console.httpPort"] == "80", "console.httpPort", "DR-17", "80")
	demand(p["console.httpsPort"] == "443", "console.httpsPort", "DR-17", "443")
	demand(slices.Contains(strings.Split(list(p, "console.host"), " "), vip), "console.host", "DR-18", "the VIP "+vip+" among the other addresses")
	if p["registry.externalAddress"] == "" {
		demand(p["registry.username"] != "", "registry.username", "DR-16", "a user name")
		demand(p["registry.password"] == mask, "registry.password", "DR-16", "a password")
		demand(p["registry.domain"] == p["console.globalHost"]+":11443", "registry.domain", "DR-16", "the platform's domain, port 11443")
	}
	return out
}

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// list is a sorted list of a document, joined with blanks.
func list(parameters map[string]string, path string) string {
	var out []string
	for i := range len(parameters) {
		v, ok := parameters[fmt.Sprintf("%s.%d", path, i)]
		if !ok {
			break
		}
		out = append(out, v)
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}
