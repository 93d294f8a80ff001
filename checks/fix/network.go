package fix

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/checks"
)

// hostnameForm is that of CHK-11.
var hostnameForm = regexp.MustCompile(`^[a-z0-9](?:-*[a-z0-9])*(?:\.[a-z0-9](?:-*[a-z0-9])*)*$`)

// fixHostname gives the node the name it has in the site document (CHK-11).
func fixHostname(d *draft) {
	if len(d.need("CHK-11")) == 0 {
		return
	}
	name := d.node.Name
	if len(name) > 36 || !hostnameForm.MatchString(name) {
		d.leave("its name in the site document is no host name of the document's form either", "CHK-11")
		return
	}
	old := strings.TrimSpace(d.Survey.state("hostname"))
	if f := d.broken["CHK-11"]; f.Outcome == checks.Warn && old != name { // two good names, and the site has a third, or the other
		d.leave("the node's names are "+f.Seen+", and the site document has "+name+": decide which one counts", "CHK-11")
		return
	}
	changes := d.edit("/etc/hostname", func(string) string { return name + "\n" }, "CHK-11")
	if old != name {
		changes = append(changes, Change{
			Kind: Command, Do: rename(name), Undo: rename(old),
			Seen: `[ "$(uname -n)" = ` + quote(name) + ` ]`,
		})
	}
	d.add(Fix{ID: "hostname", Title: "Name the node " + name + ", as the site document does", Rules: []string{"CHK-11"}, Changes: changes})
}

// rename names the running system; hostnamectl would also write files.
func rename(name string) string {
	return "hostname " + quote(name) + " || echo " + quote(name) + " >/proc/sys/kernel/hostname"
}

// fixLocalhost makes localhost 127.0.0.1 and no other IPv4 address (CHK-12).
func fixLocalhost(d *draft) {
	if len(d.need("CHK-12")) == 0 {
		return
	}
	d.add(Fix{ID: "localhost", Title: "localhost is 127.0.0.1 in /etc/hosts", Rules: []string{"CHK-12"},
		Changes: d.edit("/etc/hosts", localhost, "CHK-12")})
}

func localhost(old string) string {
	found := false
	text := eachLine(old, func(line string) string {
		bare, comment, commented := strings.Cut(line, "#")
		w := strings.Fields(bare)
		if len(w) < 2 || !slices.Contains(w[1:], "localhost") {
			return line
		}
		addr, err := netip.ParseAddr(w[0])
		switch {
		case err != nil || addr.Is6():
			return line
		case addr == netip.AddrFrom4([4]byte{127, 0, 0, 1}):
			found = true
			return line
		}
		w = slices.DeleteFunc(w, func(s string) bool { return s == "localhost" })
		if len(w) == 1 {
			w = []string{"#", w[0], "localhost"}
		}
		if commented {
			w = append(w, "#"+comment)
		}
		return strings.Join(w, " ")
	})
	if !found {
		text = "127.0.0.1 localhost\n" + text
	}
	return text
}

// Limits of search domains (DNS-01…DNS-03).
const (
	maxDomains = 28
	maxDomain  = 253
	maxSearch  = 2048
)

// fixResolver writes a resolv.conf with name servers that Pods can reach and a
// search line within the limits (CHK-13, DNS-01…DNS-03). Domains that fit stay:
// only a person knows whether they are needed (CHK-14).
func fixResolver(d *draft) {
	servers := d.need("CHK-13")
	rules := append(servers, d.need("DNS-01", "DNS-02", "DNS-03")...)
	if len(rules) == 0 {
		return
	}
	const path = "/etc/resolv.conf"
	was := d.Survey.files[path]
	if was.print == "" || was.print == "special" || was.print == "dir" || was.long {
		d.leave(path+" is no file that can be edited", rules...)
		return
	}
	addresses := d.nameServers(was.content, len(servers) > 0)
	if len(addresses) == 0 {
		d.leave("no usable name server is known: give the site document clusters[].nameServers", rules...)
		return
	}
	text := resolvConf(was.content, addresses)
	fix := Fix{ID: "resolver", Title: "A resolv.conf with the name servers " + strings.Join(addresses, ", "), Rules: rules, Guard: true}
	if u := d.Survey.unit("systemd-resolved"); (u.runs() || u.starts()) && strings.Contains(was.real, "/systemd/resolve/") {
		fix.Changes = append(fix.Changes, service("systemd-resolved", u))
	}
	if d.Survey.unit("NetworkManager").runs() { // it would write the file again
		edits := d.edit("/etc/NetworkManager/conf.d/90-acpflow.conf", func(string) string { return "[main]\ndns=none\n" }, rules...)
		for i := range edits {
			edits[i].Then = "systemctl reload NetworkManager"
		}
		fix.Changes = append(fix.Changes, edits...)
	}
	if was.print != sum(text) {
		fix.Changes = append(fix.Changes, Change{Kind: File, Path: path, Before: was.print, Content: text, Mode: "0644"})
	}
	d.add(fix)
}

// nameServers are the site's; without any, those the node knows that Pods can
// reach: not a stub of the node itself, none that begins with 172.
func (d *draft) nameServers(text string, wanted bool) []string {
	if wanted && len(d.cluster.NameServers) > 0 {
		return d.cluster.NameServers
	}
	var out []string
	for _, source := range []string{text, d.Survey.files["/run/systemd/resolve/resolv.conf"].content} {
		for line := range strings.Lines(source) {
			w := strings.Fields(line)
			if len(w) < 2 || w[0] != "nameserver" || wanted && (strings.HasPrefix(w[1], "172.") || strings.HasPrefix(w[1], "127.")) {
				continue
			}
			if !slices.Contains(out, w[1]) {
				out = append(out, w[1])
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// resolvConf puts the name servers in place of the old ones and keeps the rest,
// of the search domains in force those that fit.
func resolvConf(old string, servers []string) string {
	var domains, lines []string
	for line := range strings.Lines(old) {
		if w := strings.Fields(line); len(w) > 0 && (w[0] == "search" || w[0] == "domain") {
			domains = w[1:] // the last line counts
		}
	}
	named, searched := false, false
	name := func() {
		for _, s := range servers {
			lines = append(lines, "nameserver "+s)
		}
		named = true
	}
	for line := range strings.Lines(old) {
		line = strings.TrimRight(line, "\n")
		w := strings.Fields(line)
		switch {
		case len(w) > 0 && w[0] == "nameserver":
			if !named {
				name()
			}
		case len(w) > 0 && (w[0] == "search" || w[0] == "domain"):
			if fits := fitting(domains); !searched && len(fits) > 0 {
				lines = append(lines, "search "+strings.Join(fits, " "))
			}
			searched = true
		default:
			lines = append(lines, line)
		}
	}
	if !named {
		name()
	}
	return strings.Join(lines, "\n") + "\n"
}

func fitting(domains []string) []string {
	var out []string
	length := 0
	for _, d := range domains {
		if d == "." || len(d) > maxDomain || slices.Contains(out, d) {
			continue
		}
		if len(out) == maxDomains || length+len(d)+1 > maxSearch {
			break
		}
		out = append(out, d)
		length += len(d) + 1
	}
	return out
}
