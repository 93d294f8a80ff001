package fix

import "regexp"

// zoneForm is what a time zone may look like in a path.
var zoneForm = regexp.MustCompile(`^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}$`)

// fixZone gives the node the time zone of the others (CHK-28).
func fixZone(d *draft) {
	if len(d.need("CHK-28")) == 0 || d.Zone == "" || d.Survey.Zone() == d.Zone || !zoneForm.MatchString(d.Zone) {
		return
	}
	was := d.Survey.files["/etc/localtime"]
	if was.print == "dir" || was.print == "special" || was.print == "" {
		d.leave("/etc/localtime is neither a link nor a file", "CHK-28")
		return
	}
	d.add(Fix{ID: "time-zone", Title: "Set the time zone " + d.Zone + ", as on the other nodes", Rules: []string{"CHK-28"},
		Changes: []Change{{Kind: Link, Path: "/etc/localtime", Before: was.print, Content: "/usr/share/zoneinfo/" + d.Zone}}})
}

// fixClock starts a clock service that is installed and idle (CHK-28).
func fixClock(d *draft) {
	if len(d.need("CHK-28")) == 0 {
		return
	}
	services := []string{"chronyd", "chrony", "ntpd", "ntp", "systemd-timesyncd"}
	for _, name := range services {
		if d.Survey.unit(name).runs() {
			return
		}
	}
	for _, name := range services {
		u := d.Survey.unit(name)
		if u.load != "loaded" {
			continue
		}
		undo := "systemctl stop " + name
		if !u.starts() {
			undo = "systemctl disable --now " + name
		}
		d.add(Fix{ID: "clock", Title: "Start the clock service " + name, Rules: []string{"CHK-28"}, Changes: []Change{{
			Kind: Command, Do: "systemctl enable --now " + name, Undo: undo,
			Seen: "systemctl -q is-active " + name + " && systemctl -q is-enabled " + name,
		}}})
		return
	}
	if d.Survey.state("timesync") != "NTPSynchronized=yes\n" {
		d.leave("no clock service is installed: install chrony and give it a time server", "CHK-28")
	}
}
