package fix

import (
	"strings"

	"github.com/acpflow/acpflow/site"
)

// untilReady is the end of a temporary setting.
const untilReady = "until the nodes are Ready"

// fixUseDNS keeps sshd from asking the DNS for every client (CHK-09).
func fixUseDNS(d *draft) {
	d.sshd("sshd-usedns", "UseDNS", "")
}

// fixUsePAM switches PAM off in sshd (CHK-09). Only the first edition of the
// document wants that for good.
func fixUsePAM(d *draft) {
	if len(d.need("CHK-09")) == 0 {
		return
	}
	if strings.TrimSpace(d.Survey.state("selinux")) == "1" && d.cluster.SSH.PrivateKey == "" && !d.cluster.SSH.Agent {
		d.leave("with SELinux enforcing and a password login, UsePAM no cuts SSH off: give the site a private key first", "CHK-09")
		return
	}
	temporary := untilReady
	if d.Site.Profile == "" || d.Site.Profile == site.DefaultProfile {
		temporary = ""
	}
	d.sshd("sshd-usepam", "UsePAM", temporary)
}

func (d *draft) sshd(id, keyword, temporary string) {
	if len(d.need("CHK-09")) == 0 {
		return
	}
	if _, print, _ := d.content(d.real("/etc/ssh/sshd_config")); print == Absent {
		d.leave("there is no /etc/ssh/sshd_config", "CHK-09")
		return
	}
	service := "sshd"
	if d.Survey.unit("ssh").exists() {
		service = "ssh"
	}
	changes := d.edit("/etc/ssh/sshd_config", func(old string) string { return setSSHD(old, keyword, "no") }, "CHK-09")
	for i := range changes {
		changes[i].Check = `sshd -t -f "$1"`
		changes[i].Then = "systemctl reload-or-restart " + service
	}
	d.add(Fix{
		ID: id, Title: keyword + " no in sshd_config", Rules: []string{"CHK-09"}, Changes: changes, Guard: true, Temporary: temporary,
	})
}

// setSSHD makes a setting win: sshd takes the first value it reads, also from
// included files, and what follows Match is no default any more.
func setSSHD(text, keyword, value string) string {
	setting := keyword + " " + value
	included, matched, found := false, false, false
	out := eachLine(text, func(line string) string {
		w := strings.FieldsFunc(line, func(r rune) bool { return r == ' ' || r == '\t' || r == '=' })
		switch {
		case len(w) == 0 || matched || found:
		case strings.EqualFold(w[0], "Match"):
			matched = true
		case strings.EqualFold(w[0], "Include"):
			included = true
		case strings.EqualFold(w[0], keyword) && !included:
			found = true
			if len(w) < 2 || !strings.EqualFold(strings.Trim(w[1], `"`), value) {
				return setting
			}
		}
		return line
	})
	if found {
		return out
	}
	return setting + "\n" + text
}

// fixTasksMax unbounds the tasks of services (CHK-10).
func fixTasksMax(d *draft) {
	if len(d.need("CHK-10")) == 0 {
		return
	}
	const key, want = "DefaultTasksMax=", "DefaultTasksMax=infinity"
	fix := Fix{ID: "tasksmax", Title: "Let systemd not bound the tasks of services", Rules: []string{"CHK-10"}}
	set := func(text string) (string, bool) {
		found := false
		text = eachLine(text, func(line string) string {
			if strings.HasPrefix(strings.TrimSpace(line), key) {
				found = true
				return want
			}
			return line
		})
		return text, found
	}
	anywhere := false
	for _, path := range d.paths("/etc/systemd/system.conf") {
		fix.Changes = append(fix.Changes, d.edit(path, func(old string) string {
			text, found := set(old)
			anywhere = anywhere || found
			return text
		}, "CHK-10")...)
	}
	if !anywhere {
		fix.Changes = append(fix.Changes, d.edit("/etc/systemd/system.conf", func(old string) string {
			head, rest, ok := strings.Cut(old, "[Manager]\n")
			if !ok {
				return endLine(old) + "[Manager]\n" + want + "\n"
			}
			return head + "[Manager]\n" + want + "\n" + rest
		}, "CHK-10")...)
	}
	if n := len(fix.Changes); n > 0 {
		fix.Changes[n-1].Then = "systemctl daemon-reexec"
	}
	d.add(fix)
}
