package site

var sshCases = []ruleCase{
	{rule: "DOC-08", name: "agent only", severity: SeverityError, path: "clusters[0].ssh", says: "installer logs in",
		bad:  func(s *Site) { s.Clusters[0].SSH.PrivateKey, s.Clusters[0].SSH.Agent = "", true },
		good: func(s *Site) { s.Clusters[0].SSH.PrivateKey, s.Clusters[0].SSH.Password = "", "env:SSH_PASSWORD" }},
	{rule: "DOC-08", name: "passphrase without key", severity: SeverityError, path: "clusters[0].ssh.passphrase", says: "privateKey",
		bad: func(s *Site) {
			s.Clusters[0].SSH = SSH{User: "acp", Port: 22, Password: "env:P", Passphrase: "env:Q", KnownHosts: "/k"}
		},
		good: func(s *Site) { s.Clusters[0].SSH.Passphrase = "env:Q" }},
	{rule: "DOC-08", name: "host key nowhere", severity: SeverityError, path: "clusters[0].nodes[1].hostKey", says: "ssh-keyscan",
		bad: func(s *Site) { s.Clusters[0].SSH.KnownHosts = "" },
		good: func(s *Site) {
			s.Clusters[0].SSH.KnownHosts = ""
			for i := range s.Clusters[0].Nodes {
				s.Clusters[0].Nodes[i].HostKey = s.Clusters[0].Nodes[0].HostKey
			}
		}},
	{rule: "DOC-08", name: "fingerprint instead of key", severity: SeverityError, path: "clusters[0].nodes[0].hostKey", says: "authorized_keys",
		bad: func(s *Site) { s.Clusters[0].Nodes[0].HostKey = "SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s" }},
	{rule: "DOC-08", name: "key of another type than it says", severity: SeverityError, path: "clusters[0].nodes[0].hostKey", says: "no SSH public key",
		bad: func(s *Site) {
			s.Clusters[0].Nodes[0].HostKey = "ssh-rsa" + s.Clusters[0].Nodes[0].HostKey[len("ssh-ed25519"):]
		}},
	{rule: "DOC-08", name: "cut key", severity: SeverityError, path: "clusters[0].nodes[0].hostKey", says: "no SSH public key",
		bad:  func(s *Site) { s.Clusters[0].Nodes[0].HostKey = "ssh-ed25519 AAAA" },
		good: func(s *Site) { s.Clusters[0].Nodes[0].HostKey += " root@west-m1" }},
	{rule: "DOC-08", name: "port", severity: SeverityError, path: "clusters[0].ssh.port", says: "65536",
		bad: func(s *Site) { s.Clusters[0].SSH.Port = 65536 }, good: func(s *Site) { s.Clusters[0].SSH.Port = 65535 }},
	{rule: "DOC-08", name: "user with host", severity: SeverityError, path: "clusters[0].ssh.user", says: "login name",
		bad: func(s *Site) { s.Clusters[0].SSH.User = "acp@west-m1" }},
	{rule: "DOC-08", name: "relative known_hosts", severity: SeverityError, path: "clusters[0].ssh.knownHosts", says: "absolute",
		bad: func(s *Site) { s.Clusters[0].SSH.KnownHosts = "~/.ssh/known_hosts" }},
	{rule: "DOC-08", name: "jump host without credential", severity: SeverityError, path: "clusters[0].ssh.jump", says: "jump host",
		bad: func(s *Site) { s.Clusters[0].SSH.Jump = &Jump{Address: "192.0.2.5", User: "acp", Port: 22} },
		good: func(s *Site) {
			s.Clusters[0].SSH.Jump = &Jump{Address: "192.0.2.5", User: "acp", Port: 22, Password: "env:J"}
		}},
	{rule: "DOC-08", name: "jump host with port in its address", severity: SeverityError, path: "clusters[0].ssh.jump.address", says: "field of its own",
		bad: func(s *Site) {
			s.Clusters[0].SSH.Jump = &Jump{Address: "bastion.example.com:2222", User: "acp", Port: 22, Password: "env:J"}
		},
		good: func(s *Site) {
			s.Clusters[0].SSH.Jump = &Jump{Address: "bastion.example.com", User: "acp", Port: 2222, Password: "env:J"}
		}},
}
