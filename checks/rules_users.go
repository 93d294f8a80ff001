package checks

import (
	"fmt"
	"strconv"
	"strings"
)

var rulesOfUsers = []Rule{sudo, sshDaemon, tasksMax}

var sudo = Rule{
	ID: "CHK-08", Title: "The SSH user is root or may become root without a password", Source: headUsers, Subject: OneNode, Category: Must,
	Want:  "user id 0 without a password",
	Fix:   "echo 'USER ALL=(ALL) NOPASSWD:ALL' > /etc/sudoers.d/USER, then visudo -c",
	judge: judgeSudo,
}

// The collector itself came to the node as the site's user, and through
// `sudo -n` unless that is root: its own user id is the proof.
func judgeSudo(s subject) verdict {
	uid, err := s.line("uid")
	if err != nil {
		return unknown(err)
	}
	if n, err := strconv.Atoi(uid); err != nil {
		return unknown(fmt.Errorf("uid: not understood: %s", clip(uid)))
	} else if n != 0 {
		return fail("commands run as user id " + uid)
	}
	by, err := s.text("sudo-user")
	if err != nil {
		return unknown(err)
	}
	if by != "" {
		return pass(clip(by) + " through sudo, no password asked")
	}
	return pass("root")
}

var tasksMax = Rule{
	ID: "CHK-10", Title: "systemd does not bound the tasks of a service", Source: headUsers, Subject: OneNode, Category: Must,
	wants: func(e edition) string {
		if e.limits.tasksMax == unlimited {
			return "DefaultTasksMax=infinity"
		}
		return fmt.Sprintf("DefaultTasksMax=infinity, or at least %d", e.limits.tasksMax)
	},
	Fix:   "set DefaultTasksMax=infinity in /etc/systemd/system.conf, then systemctl daemon-reexec",
	judge: judgeTasksMax,
}

func judgeTasksMax(s subject) verdict {
	line, err := s.line("tasks-max")
	if err != nil {
		return unknown(err)
	}
	value, ok := strings.CutPrefix(line, "DefaultTasksMax=")
	if ok && value == "infinity" {
		return pass(value)
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if !ok || err != nil {
		return unknown(fmt.Errorf("tasks-max: not understood: %s", clip(line)))
	}
	if n < s.edition.limits.tasksMax {
		return fail(value)
	}
	return pass(value)
}
