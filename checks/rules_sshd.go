package checks

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

var sshDaemon = Rule{
	ID: "CHK-09", Title: "The SSH server asks neither DNS nor PAM", Source: headUsers, Subject: OneNode, Category: Must,
	wants: func(e edition) string {
		if e.transient {
			return "UseDNS no, and UsePAM no until the node is Ready; then UsePAM may be restored"
		}
		return "UseDNS no and UsePAM no"
	},
	Fix: "set UseDNS no and UsePAM no in /etc/ssh/sshd_config, sshd -t, then systemctl reload sshd; " +
		"log in by key before: where SELinux enforces, UsePAM no can shut out passwords",
	judge: judgeSSHD,
}

// judgeSSHD asks sshd itself; where it does not tell, its file, as far as that
// is all there is to read.
func judgeSSHD(s subject) verdict {
	text, err := s.text("sshd")
	if err != nil || !strings.Contains(text, " ") {
		return judgeSSHDFile(s, err)
	}
	set := map[string]string{}
	for _, w := range split(text) {
		if len(w) > 1 {
			set[strings.ToLower(w[0])] = w[1]
		}
	}
	return judgeSSHSettings(set)
}

func judgeSSHDFile(s subject, unread error) verdict {
	lines, err := s.words("sshd-config")
	if err != nil {
		if unread == nil {
			unread = errors.New("sshd: it says nothing")
		}
		return unknown(fmt.Errorf("%w; %w", unread, err))
	}
	set := map[string]string{}
	for _, w := range lines {
		key := strings.ToLower(w[0])
		if key == "match" {
			break // what follows is for some users only
		}
		if _, first := set[key]; !first && len(w) > 1 { // the first value counts
			set[key] = w[1]
		}
	}
	if _, included := set["include"]; included {
		return unknown(errors.New("sshd-config: it includes other files, and sshd -T does not tell"))
	}
	return judgeSSHSettings(set)
}

func judgeSSHSettings(set map[string]string) verdict {
	var bad, seen []string
	for _, want := range []string{"UseDNS", "UsePAM"} {
		is, known := set[strings.ToLower(want)]
		switch {
		case !known:
			return unknown(fmt.Errorf("sshd: it says nothing of %s", want))
		case !slices.Contains([]string{"no", "yes"}, strings.ToLower(is)):
			return unknown(fmt.Errorf("sshd: not understood: %s %s", want, clip(is)))
		case !strings.EqualFold(is, "no"):
			bad = append(bad, want+" yes")
		}
		seen = append(seen, want+" no")
	}
	if len(bad) > 0 {
		return fail(strings.Join(bad, ", "))
	}
	return pass(strings.Join(seen, ", "))
}
