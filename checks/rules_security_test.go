package checks

import (
	"slices"
	"strings"
)

// services is the good node with some units in another state.
func services(states ...string) said {
	all := []string{"apparmor", "firewalld", "ufw", "iptables", "ip6tables", "nftables", "kubelet"}
	for _, s := range states {
		name, _, _ := strings.Cut(s, " ")
		all[slices.Index(all, name)] = s
	}
	return said{"units": units(all...)}
}

var _ = cases("CHK-06", func() []ruleCase {
	armor := said{"apparmor": "Y\n", "apparmor-profiles": ""}
	return []ruleCase{
		{"off", nil, nil, Pass, "off"},
		{"AppArmor is not in the kernel", said{"apparmor": "N\n"}, nil, Pass, ""},
		{"AppArmor runs", services("apparmor active").with(armor), nil, Fail, "AppArmor"},
		{"AppArmor has profiles", said{"apparmor": "Y\n", "apparmor-profiles": "/usr/sbin/named (enforce)\n/usr/bin/man (enforce)\n"}, nil, Fail, "2 profiles"},
		{"AppArmor has very many profiles", said{"apparmor": "Y\n", "apparmor-profiles": strings.Repeat("x", maxValue+1)}, nil, Fail, "profiles"},
		{"AppArmor without profiles", armor, nil, Pass, ""},
		{"AppArmor at the next boot", services("apparmor enabled").with(armor), nil, Warn, "AppArmor"},
		{"AppArmor's profiles can't be listed", said{"apparmor": "Y\n"}, nil, Fail, "profiles can't be listed"},
		{"AppArmor's profiles can't be read", said{"apparmor": "Y\n", "apparmor-profiles": "!1"}, nil, Error, "apparmor-profiles"},
		{"SELinux enforces", said{"selinux": "1"}, nil, Fail, "SELinux enforces"},
		{"SELinux is permissive", said{"selinux": "0", "selinux-config": "SELINUX=permissive\n"}, nil, Pass, ""},
		{"SELinux at the next boot", said{"selinux": "0", "selinux-config": "SELINUX=enforcing\n"}, nil, Warn, "SELinux"},
		{"SELinux says something else", said{"selinux": "2"}, nil, Error, "selinux"},
		{"firewalld", services("firewalld active"), nil, Fail, "firewalld"},
		{"firewalld at the next boot", services("firewalld enabled"), nil, Warn, "firewalld"},
		{"iptables and nftables", services("iptables active", "nftables active"), nil, Fail, "iptables, nftables"},
		{"ufw", services("ufw active").with(said{"ufw": "ENABLED=yes\n"}), nil, Fail, "ufw"},
		{"ufw's service runs, ufw is off", services("ufw active").with(said{"ufw": "ENABLED=no\n"}), nil, Pass, ""},
		{"ufw is unclear", said{"ufw": ""}, nil, Error, "ufw"},
		{"several at once", services("firewalld active").with(said{"selinux": "1"}), nil, Fail, "SELinux enforces, firewalld"},
		{"systemd does not answer", said{"units": "!124"}, nil, Error, "no answer within 10 s"},
		{"systemd leaves one out", said{"units": units("apparmor", "firewalld")}, nil, Error, "iptables"},
		{"selinux unknown", said{"selinux": "!1"}, nil, Error, "selinux"},
		{"selinux-config unknown", said{"selinux-config": "!2"}, nil, Error, "selinux-config"},
		{"apparmor unknown", said{"apparmor": "!1"}, nil, Error, "apparmor"},
		{"ufw unknown", said{"ufw": "!2"}, nil, Error, "ufw"},
	}
}())
