package checks

func daemon(dns, pam string) said {
	return said{"sshd": "port 22\nusedns " + dns + "\nusepam " + pam + "\n"}
}

// silent is a daemon that does not tell, with a file.
func silent(file string) said { return said{"sshd": "!255", "sshd-config": file} }

var _ = cases("CHK-09", []ruleCase{
	{"both off", nil, nil, Pass, "UseDNS no, UsePAM no"},
	{"DNS", daemon("yes", "no"), nil, Fail, "UseDNS yes"},
	{"PAM", daemon("no", "yes"), nil, Fail, "UsePAM yes"},
	{"both", daemon("yes", "yes"), nil, Fail, "UseDNS yes, UsePAM yes"},
	{"the file does not count", with(daemon("no", "no"), said{"sshd-config": "UsePAM yes\n"}), nil, Pass, ""},
	{"not understood", daemon("no", "perhaps"), nil, Error, "perhaps"},
	{"one not told", said{"sshd": "usedns no\n"}, nil, Error, "UsePAM"},
	{"from the file", silent("UseDNS no\nusepam No\n"), nil, Pass, ""},
	{"from the file, off", silent("UseDNS no\nUsePAM yes\n"), nil, Fail, "UsePAM yes"},
	{"the first line counts", silent("UseDNS no\nUsePAM yes\nUsePAM no\n"), nil, Fail, "UsePAM yes"},
	{"only for some", silent("UseDNS no\nMatch User a\nUsePAM no\n"), nil, Error, "UsePAM"},
	{"not in the file", silent("UseDNS no\n"), nil, Error, "UsePAM"},
	{"in another file", silent("Include /etc/ssh/sshd_config.d/*.conf\nUseDNS no\nUsePAM no\n"), nil, Error, "includes other files"},
	{"nothing told", said{"sshd": "", "sshd-config": "!66"}, nil, Error, "sshd"},
	{"neither known", said{"sshd": "!127", "sshd-config": "!1"}, nil, Error, "sshd"},
})
