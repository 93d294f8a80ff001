package fix

import "strings"

// service plans to stop a service and keep it off, with the way back to how it was.
func service(name string, u unit) Change {
	undo := []string{}
	if u.starts() {
		undo = append(undo, "systemctl enable "+name)
	}
	if u.runs() {
		undo = append(undo, "systemctl start "+name)
	}
	return Change{
		Kind: Command, Do: "systemctl disable --now " + name, Undo: strings.Join(undo, " && "),
		Seen: "! systemctl -q is-active " + name + " && ! systemctl -q is-enabled " + name,
	}
}

// fixFirewalls stops the services that load packet filters (CHK-06).
func fixFirewalls(d *draft) {
	if len(d.need("CHK-06")) == 0 {
		return
	}
	for _, name := range []string{"firewalld", "iptables", "ip6tables", "nftables"} {
		if u := d.Survey.unit(name); u.runs() || u.starts() {
			d.add(Fix{
				ID: "firewall-" + name, Title: "Stop the firewall service " + name, Rules: []string{"CHK-06"}, Guard: true,
				Changes: []Change{service(name, u)}, Note: "rules that were set by hand and saved nowhere are lost",
			})
		}
	}
	fix := Fix{ID: "firewall-ufw", Title: "Switch ufw off", Rules: []string{"CHK-06"}, Guard: true}
	on := func(text string) bool {
		return strings.Contains(strings.ToLower("\n"+text), "\nenabled=yes")
	}
	if text, _, ok := d.content(d.real("/etc/ufw/ufw.conf")); ok && on(text) {
		if d.Survey.has("tools", "ufw") {
			fix.Changes = append(fix.Changes, Change{Kind: Command, Do: "ufw --force disable", Undo: "ufw --force enable",
				Seen: "! grep -qi '^ENABLED=yes' /etc/ufw/ufw.conf"})
		} else {
			fix.Changes = append(fix.Changes, d.edit("/etc/ufw/ufw.conf", func(old string) string {
				return eachLine(old, func(line string) string {
					if on(line) {
						return "ENABLED=no"
					}
					return line
				})
			}, "CHK-06")...)
		}
	}
	d.add(fix)
}

// fixAppArmor stops AppArmor and unloads its profiles (CHK-06).
func fixAppArmor(d *draft) {
	u := d.Survey.unit("apparmor")
	if len(d.need("CHK-06")) == 0 || !u.runs() && !u.starts() {
		return
	}
	change := service("apparmor", u)
	if d.Survey.has("tools", "aa-teardown") {
		change.Do += " && aa-teardown" // stopping the service keeps the profiles
	}
	d.add(Fix{ID: "apparmor", Title: "Switch AppArmor off", Rules: []string{"CHK-06"}, Changes: []Change{change}})
}

// relabel prepares the way back: a system that ran without SELinux has files
// without labels, which an enforcing boot would not get past.
const relabel = `if grep -qE '^SELINUX=(enforcing|permissive)' /etc/selinux/config && [ ! -e /sys/fs/selinux/enforce ]; then touch /.autorelabel; fi`

// fixSELinux stops enforcing now and switches SELinux off for the next boot (CHK-06).
func fixSELinux(d *draft) {
	if len(d.need("CHK-06")) == 0 {
		return
	}
	fix := Fix{ID: "selinux", Title: "Switch SELinux off", Rules: []string{"CHK-06"}}
	if strings.TrimSpace(d.Survey.state("selinux")) == "1" {
		fix.Changes = append(fix.Changes, Change{Kind: Command, Do: "setenforce 0", Undo: "setenforce 1",
			Seen: `[ "$(cat /sys/fs/selinux/enforce)" = 0 ]`})
		fix.Reboot = true
	}
	edits := d.edit("/etc/selinux/config", func(old string) string {
		return eachLine(old, func(line string) string {
			value, ok := strings.CutPrefix(strings.TrimSpace(line), "SELINUX=")
			if ok && strings.EqualFold(strings.TrimSpace(value), "enforcing") {
				return "SELINUX=disabled"
			}
			return line
		})
	}, "CHK-06")
	for i := range edits {
		edits[i].Then = relabel
	}
	fix.Changes = append(fix.Changes, edits...)
	if fix.Reboot {
		fix.Note = "it no longer enforces at once, and is off after the reboot"
	}
	d.add(fix)
}
