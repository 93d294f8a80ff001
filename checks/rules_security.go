package checks

import (
	"fmt"
	"strings"
)

var confinement = Rule{
	ID: "CHK-06", Title: "AppArmor, SELinux and the firewall are off", Source: headKernel, Subject: OneNode, Category: Must,
	Want: "AppArmor and SELinux do not confine anything, no firewall service runs or is enabled",
	Fix: "systemctl disable --now apparmor firewalld ufw; " +
		"setenforce 0 and SELINUX=disabled in /etc/selinux/config, then reboot",
	judge: judgeConfinement,
}

// firewalls are the services that load packet filters. ufw is judged by its
// own setting, because its service runs even when it is switched off.
var firewalls = []string{"firewalld", "iptables", "ip6tables", "nftables"}

func judgeConfinement(s subject) verdict {
	var on, later []string
	for _, look := range []func(subject) (now, atBoot string, err error){lookAppArmor, lookSELinux, lookFirewalls, lookUFW} {
		now, boot, err := look(s)
		if err != nil {
			return unknown(err)
		}
		if now != "" {
			on = append(on, now)
		}
		if boot != "" {
			later = append(later, boot)
		}
	}
	switch {
	case len(on) > 0:
		return fail(strings.Join(on, ", "))
	case len(later) > 0:
		return warn("off, but on again at the next boot: " + strings.Join(later, ", "))
	}
	return pass("off")
}

// lookAppArmor: the service loads the profiles, the kernel enforces those that
// are loaded. A kernel with AppArmor but without profiles confines nothing.
func lookAppArmor(s subject) (string, string, error) {
	enabled, _, err := s.file("apparmor")
	if err != nil {
		return "", "", err
	}
	if strings.TrimSpace(enabled) != "Y" {
		return "", "", nil
	}
	units, err := s.units("apparmor")
	if err != nil {
		return "", "", err
	}
	if s.cut("apparmor-profiles") {
		return "AppArmor has profiles loaded", "", nil
	}
	profiles, shown, err := s.file("apparmor-profiles")
	if err != nil {
		return "", "", err
	}
	switch {
	case units["apparmor"].runs():
		return "AppArmor", "", nil
	case strings.TrimSpace(profiles) != "":
		return fmt.Sprintf("AppArmor has %d profiles loaded", len(split(profiles))), "", nil
	case !shown: // securityfs is not mounted, as in a container: not known to be idle
		return "AppArmor is on in the kernel, and its profiles can't be listed", "", nil
	case units["apparmor"].starts():
		return "", "AppArmor", nil
	}
	return "", "", nil
}

func lookSELinux(s subject) (string, string, error) {
	mode, exists, err := s.file("selinux")
	if err != nil {
		return "", "", err
	}
	config, _, err := s.file("selinux-config")
	if err != nil {
		return "", "", err
	}
	boot := ""
	if strings.EqualFold(settings(config)["SELINUX"], "enforcing") {
		boot = "SELinux"
	}
	switch mode = strings.TrimSpace(mode); {
	case !exists, mode == "0":
		return "", boot, nil
	case mode == "1":
		return "SELinux enforces", "", nil
	}
	return "", "", fmt.Errorf("selinux: not understood: %s", clip(mode))
}

func lookFirewalls(s subject) (string, string, error) {
	units, err := s.units(firewalls...)
	if err != nil {
		return "", "", err
	}
	var now, boot []string
	for _, name := range firewalls {
		switch u := units[name]; {
		case u.runs():
			now = append(now, name)
		case u.starts():
			boot = append(boot, name)
		}
	}
	return strings.Join(now, ", "), strings.Join(boot, ", "), nil
}

func lookUFW(s subject) (string, string, error) {
	text, exists, err := s.file("ufw")
	if err != nil || !exists {
		return "", "", err
	}
	switch strings.ToLower(settings(text)["ENABLED"]) {
	case "yes":
		return "ufw", "", nil
	case "no":
		return "", "", nil
	}
	return "", "", fmt.Errorf("ufw: /etc/ufw/ufw.conf says neither ENABLED=yes nor no")
}
