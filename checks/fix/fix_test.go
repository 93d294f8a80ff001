package fix

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
)

// node is what the surveyor finds: files by path, states by name. A file that
// begins with "-> " is a link.
type node struct {
	files  map[string]string
	states map[string]string
}

// healthy has nothing to mend and every file that repairs look at.
func healthy() node {
	return node{
		files: map[string]string{
			"/etc/fstab": "UUID=1 / xfs defaults 0 0\n", "/etc/hosts": "127.0.0.1 localhost\n", "/etc/hostname": "cp-1\n",
			"/etc/resolv.conf": "nameserver 192.0.2.53\n", "/etc/selinux/config": "SELINUX=disabled\n",
			"/etc/default/grub":        "GRUB_TIMEOUT=5\nGRUB_CMDLINE_LINUX=\"crashkernel=auto quiet\"\n",
			"/etc/systemd/system.conf": "[Manager]\n#DefaultTasksMax=80%\n", "/etc/ssh/sshd_config": "Port 22\nUseDNS no\nUsePAM no\n",
			"/boot/grub2/grub.cfg": "linux /vmlinuz quiet\n", "/etc/systemd/system/tmp.mount": "(absent)",
		},
		states: map[string]string{
			"modules": "ip_vs available\nip_vs_rr available\nip_vs_wrr builtin\nip_vs_sh loaded\ngeneve available\nopenvswitch missing\n",
			"units":   "Id=sshd.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n",
			"tools":   "grub2-mkconfig\n", "swaps": "Filename Type Size Used Priority\n", "selinux": "0\n", "cmdline": "ro quiet\n",
			"tmp": "/tmp tmpfs rw,noexec,size=1k\n", "grub-configs": "/boot/grub2/grub.cfg\n", "hostname": "cp-1\n",
			"leftovers": "/var/lib/docker full\n/var/lib/containerd absent\n/var/log/pods full below\n/var/lib/kubelet/pki absent\n/etc/systemd/system/kubelet.service file\n",
		},
	}
}

func (n node) survey(t testing.TB) Survey {
	t.Helper()
	enc := base64.StdEncoding.EncodeToString
	var b strings.Builder
	b.WriteString("a banner\nacpflow-survey 1\n")
	for path, text := range n.files {
		real, print := path, sum(text)
		if target, ok := strings.CutPrefix(text, "-> "); ok {
			real, print, text = target, "link:"+sum(target), n.files[target]
		}
		if text == "(absent)" {
			print, text = Absent, ""
		}
		fmt.Fprintf(&b, "file %s %s %s %s\n", enc([]byte(path)), enc([]byte(real)), print, enc([]byte(text)))
	}
	for name, text := range n.states {
		fmt.Fprintf(&b, "state %s 0 %s\n", name, enc([]byte(text)))
	}
	fmt.Fprintf(&b, "end %d\n", len(n.files)+len(n.states))
	s, err := ParseSurvey(b.String())
	require.NoError(t, err)
	return s
}

// plan builds the plan of cp-1, on which the rules failed.
func plan(t testing.TB, n node, change func(*Input), rules ...string) Plan {
	t.Helper()
	doc := site.Site{Name: "example", Clusters: []site.Cluster{{Name: "west", Nodes: []site.Node{{Name: "cp-1", Role: site.ControlPlane}}}}}
	site.Default(&doc)
	in := Input{Site: doc, Cluster: "west", Node: "cp-1", Survey: n.survey(t)}
	for _, r := range rules {
		in.Findings = append(in.Findings, checks.Finding{Rule: r, Node: "cp-1", Outcome: checks.Fail, Seen: "bad", Fix: "mend it"})
	}
	if !slices.Contains(rules, "GEN-04") {
		in.Findings = append(in.Findings, checks.Finding{Rule: "GEN-04", Node: "cp-1", Outcome: checks.Pass, Seen: "none"})
	}
	if change != nil {
		change(&in)
	}
	p, err := Build(in)
	require.NoError(t, err)
	return p
}

// does renders all changes of a plan, one a line, and the new content of files.
func does(p Plan) string {
	var b strings.Builder
	for _, f := range p.Fixes {
		for _, c := range f.Changes {
			fmt.Fprintf(&b, "%s %s%s", c.Kind, c.Path, c.Do)
			if c.Kind == File || c.Kind == Link {
				fmt.Fprintf(&b, " %q", c.Content)
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

func TestWhatPassedIsNotTouched(t *testing.T) {
	for _, outcome := range []checks.Outcome{checks.Pass, checks.Skipped, checks.Waived, checks.Error} {
		p := plan(t, healthy(), func(in *Input) {
			for _, r := range checks.Rules() {
				in.Findings = append(in.Findings, checks.Finding{Rule: r.ID, Outcome: outcome})
			}
		})
		assert.Empty(t, p.Fixes, outcome)
		assert.Equal(t, outcome == checks.Error, len(p.Left) > 0, outcome)
	}
}

func TestPlans(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []string
		node  func(*node)
		input func(*Input)
		want  string // all changes
		left  string // part of the reason, when a person is needed
	}{
		{name: "modules", rules: []string{"CHK-03"},
			want: "command modprobe ip_vs\ncommand modprobe ip_vs_rr\nfile /etc/modules-load.d/acpflow-ipvs.conf \"ip_vs\\nip_vs_rr\\nip_vs_wrr\\nip_vs_sh\\n\"\n",
			node: func(n *node) { n.files["/etc/modules-load.d/acpflow-ipvs.conf"] = "(absent)" }},
		{name: "a module the kernel lacks", rules: []string{"CHK-05"}, left: "no module openvswitch"},
		{name: "swap", rules: []string{"CHK-07"},
			node: func(n *node) {
				n.states["swaps"] += "/dev/dm-1 partition 1 0 -2\n/swap\\040file file 1 0 7\n"
				n.files["/etc/fstab"] += "/dev/dm-1\tnone\tswap\tsw 0 0\n# /old none swap sw 0 0\n"
			},
			want: "command swapoff -- '/dev/dm-1'\ncommand swapoff -- '/swap file'\n" +
				"file /etc/fstab \"UUID=1 / xfs defaults 0 0\\n# off for Kubernetes (CHK-07): /dev/dm-1\\tnone\\tswap\\tsw 0 0\\n# /old none swap sw 0 0\\n\"\n"},
		{name: "boot", rules: []string{"CHK-01", "CHK-02"},
			want: "file /etc/default/grub \"GRUB_TIMEOUT=5\\nGRUB_CMDLINE_LINUX=\\\"crashkernel=auto quiet transparent_hugepage=never cgroup.memory=nokmem\\\"\\n\"\n" +
				"generate /boot/grub2/grub.cfggrub2-mkconfig -o '/boot/grub2/grub.cfg' && grep -qF -- 'transparent_hugepage=never' '/boot/grub2/grub.cfg' && grep -qF -- 'cgroup.memory=nokmem' '/boot/grub2/grub.cfg'\n"},
		{name: "boot with another value", rules: []string{"CHK-01"},
			node: func(n *node) { n.files["/etc/default/grub"] = "GRUB_CMDLINE_LINUX='transparent_hugepage=always a'" },
			want: "file /etc/default/grub \"GRUB_CMDLINE_LINUX='a transparent_hugepage=never'\"\ngenerate /boot/grub2/grub.cfggrub2-mkconfig -o '/boot/grub2/grub.cfg' && grep -qF -- 'transparent_hugepage=never' '/boot/grub2/grub.cfg'\n"},
		{name: "boot entries", rules: []string{"CHK-01"},
			node: func(n *node) { n.states["grub-configs"] += "entries\n"; n.states["tools"] += "grubby\n" },
			want: "file /etc/default/grub \"GRUB_TIMEOUT=5\\nGRUB_CMDLINE_LINUX=\\\"crashkernel=auto quiet transparent_hugepage=never\\\"\\n\"\n" +
				"command grubby --update-kernel=ALL --args='transparent_hugepage=never'\n"},
		{name: "no grub", rules: []string{"CHK-01"}, node: func(n *node) { n.files["/etc/default/grub"] = "(absent)" }, left: "no grub configuration"},
		{name: "no tool for grub", rules: []string{"CHK-01"}, node: func(n *node) { n.states["tools"] = "" }, left: "no boot menu was found that update-grub"},
		{name: "firewalls", rules: []string{"CHK-06"},
			node: func(n *node) {
				n.states["units"] += "\nId=firewalld.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n\nId=nftables.service\nLoadState=loaded\nActiveState=inactive\nUnitFileState=enabled\n"
				n.files["/etc/ufw/ufw.conf"] = "ENABLED=yes\n"
				n.states["tools"] += "ufw\n"
			},
			want: "command systemctl disable --now firewalld\ncommand systemctl disable --now nftables\ncommand ufw --force disable\n"},
		{name: "apparmor", rules: []string{"CHK-06"},
			node: func(n *node) {
				n.states["units"] += "\nId=apparmor.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"
				n.states["tools"] += "aa-teardown\n"
			},
			want: "command systemctl disable --now apparmor && aa-teardown\n"},
		{name: "selinux", rules: []string{"CHK-06"},
			node: func(n *node) {
				n.states["selinux"] = "1\n"
				n.files["/etc/selinux/config"] = "# SELINUX=\nSELINUX=enforcing\nSELINUXTYPE=targeted\n"
			},
			want: "command setenforce 0\nfile /etc/selinux/config \"# SELINUX=\\nSELINUX=disabled\\nSELINUXTYPE=targeted\\n\"\n"},
		{name: "sshd", rules: []string{"CHK-09"},
			node: func(n *node) { n.files["/etc/ssh/sshd_config"] = "#UseDNS no\nusedns=yes\nMatch User x\nUsePAM yes\n" },
			want: "file /etc/ssh/sshd_config \"#UseDNS no\\nUseDNS no\\nMatch User x\\nUsePAM yes\\n\"\n" +
				"file /etc/ssh/sshd_config \"UsePAM no\\n#UseDNS no\\nUseDNS no\\nMatch User x\\nUsePAM yes\\n\"\n"},
		{name: "sshd that includes files first", rules: []string{"CHK-09"},
			node: func(n *node) { n.files["/etc/ssh/sshd_config"] = "Include x\nUseDNS yes\nUsePAM no\n" },
			want: "file /etc/ssh/sshd_config \"UseDNS no\\nInclude x\\nUseDNS yes\\nUsePAM no\\n\"\nfile /etc/ssh/sshd_config \"UsePAM no\\nUseDNS no\\nInclude x\\nUseDNS yes\\nUsePAM no\\n\"\n"},
		{name: "a password login under SELinux", rules: []string{"CHK-09"},
			node: func(n *node) {
				n.states["selinux"] = "1\n"
				n.files["/etc/ssh/sshd_config"] = "UseDNS no\nUsePAM yes\n"
			},
			left: "give the site a private key first"},
		{name: "tasks", rules: []string{"CHK-10"}, want: "file /etc/systemd/system.conf \"[Manager]\\nDefaultTasksMax=infinity\\n#DefaultTasksMax=80%\\n\"\n"},
		{name: "tasks in a drop-in", rules: []string{"CHK-10"},
			node: func(n *node) { n.files["/etc/systemd/system.conf.d/a.conf"] = "[Manager]\nDefaultTasksMax=512\n" },
			want: "file /etc/systemd/system.conf.d/a.conf \"[Manager]\\nDefaultTasksMax=infinity\\n\"\n"},
		{name: "hostname", rules: []string{"CHK-11"},
			node: func(n *node) { n.files["/etc/hostname"] = "Old_1\n"; n.states["hostname"] = "Old_1\n" },
			want: "file /etc/hostname \"cp-1\\n\"\ncommand hostname 'cp-1' || echo 'cp-1' >/proc/sys/kernel/hostname\n"},
		{name: "another hostname at the next boot", rules: []string{"CHK-11"}, input: func(in *Input) { in.Findings[0].Outcome = checks.Warn },
			node: func(n *node) { n.files["/etc/hostname"] = "db-7\n" },
			want: "file /etc/hostname \"cp-1\\n\"\n"},
		{name: "a hostname that is not the site's", rules: []string{"CHK-11"}, input: func(in *Input) { in.Findings[0].Outcome = checks.Warn },
			node: func(n *node) { n.files["/etc/hostname"] = "cp-1\n"; n.states["hostname"] = "db-7\n" }, left: "decide which one counts"},
		{name: "localhost", rules: []string{"CHK-12"},
			node: func(n *node) {
				n.files["/etc/hosts"] = "::1 localhost\n10.0.0.1 localhost db # x\n10.0.0.2 localhost\n"
			},
			want: "file /etc/hosts \"127.0.0.1 localhost\\n::1 localhost\\n10.0.0.1 db # x\\n# 10.0.0.2 localhost\\n\"\n"},
		{name: "name servers of the site", rules: []string{"CHK-13"},
			input: func(in *Input) { in.Site.Clusters[0].NameServers = []string{"10.0.0.53", "10.0.1.53"} },
			node: func(n *node) {
				n.files["/etc/resolv.conf"] = "# x\nsearch a b\nnameserver 172.16.0.1\noptions timeout:1\nnameserver 172.16.0.2\n"
			},
			want: "file /etc/resolv.conf \"# x\\nsearch a b\\nnameserver 10.0.0.53\\nnameserver 10.0.1.53\\noptions timeout:1\\n\"\n"},
		{name: "the stub of systemd-resolved", rules: []string{"CHK-13"},
			node: func(n *node) {
				n.files["/run/systemd/resolve/stub-resolv.conf"] = "nameserver 127.0.0.53\nsearch a\n"
				n.files["/run/systemd/resolve/resolv.conf"] = "nameserver 172.16.0.1\nnameserver 10.0.0.53\n"
				n.files["/etc/resolv.conf"] = "-> /run/systemd/resolve/stub-resolv.conf"
				n.states["units"] += "\nId=systemd-resolved.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"
			},
			want: "command systemctl disable --now systemd-resolved\nfile /etc/resolv.conf \"nameserver 10.0.0.53\\nsearch a\\n\"\n"},
		{name: "NetworkManager", rules: []string{"CHK-13"}, input: func(in *Input) { in.Site.Clusters[0].NameServers = []string{"10.0.0.53"} },
			node: func(n *node) {
				n.files["/etc/resolv.conf"] = "(absent)"
				n.files["/etc/NetworkManager/conf.d/90-acpflow.conf"] = "(absent)"
				n.states["units"] += "\nId=NetworkManager.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"
			},
			want: "file /etc/NetworkManager/conf.d/90-acpflow.conf \"[main]\\ndns=none\\n\"\nfile /etc/resolv.conf \"nameserver 10.0.0.53\\n\"\n"},
		{name: "no name server known", rules: []string{"CHK-13"}, node: func(n *node) { n.files["/etc/resolv.conf"] = "nameserver 172.16.0.1\n" }, left: "clusters[].nameServers"},
		{name: "too many search domains", rules: []string{"DNS-01"},
			node: func(n *node) {
				n.files["/etc/resolv.conf"] = "domain old\nnameserver 172.16.0.1\nsearch " + strings.Repeat("a ", 3) + strings.Join(numbered(30), " ") + "\n"
			},
			want: "file /etc/resolv.conf \"search a " + strings.Join(numbered(27), " ") + "\\nnameserver 172.16.0.1\\n\"\n"},
		{name: "kubelet unit", rules: []string{"CHK-22"}, want: "aside /etc/systemd/system/kubelet.service\n"},
		{name: "tmp", rules: []string{"CHK-23"},
			node: func(n *node) {
				n.states["tmp"] = "/tmp /dev/x rw,noexec\n"
				n.files["/etc/fstab"] = "/dev/x /tmp ext4 noexec,nodev 0 0\n"
			},
			want: "command mount -o remount,'rw,exec' -- '/dev/x' /tmp\nfile /etc/fstab \"/dev/x /tmp ext4 exec,nodev 0 0\\n\"\n"},
		{name: "tmp on the root", rules: []string{"CHK-23"}, node: func(n *node) { n.states["tmp"] = "/ /dev/x rw,noexec\n" }, left: "no mount of its own"},
		{name: "leftovers", rules: []string{"CHK-25"}, want: "aside /var/lib/docker\n", left: "/var/log/pods is, or holds, a mount point"},
		{name: "leftovers in use", rules: []string{"CHK-25"}, node: func(n *node) { n.states["processes"] = "7 dockerd\n" }, left: "dockerd runs"},
		{name: "time zone", rules: []string{"CHK-28"}, input: func(in *Input) { in.Zone = "Europe/Moscow" },
			node: func(n *node) {
				n.files["/etc/localtime"] = "-> /usr/share/zoneinfo/UTC"
				n.states["units"] += "\nId=chronyd.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"
			},
			want: "link /etc/localtime \"/usr/share/zoneinfo/Europe/Moscow\"\n"},
		{name: "a hostile time zone", rules: []string{"CHK-28"}, input: func(in *Input) { in.Zone = "../../etc/passwd" }, left: "install chrony"},
		{name: "an idle clock service", rules: []string{"CHK-28"},
			node: func(n *node) {
				n.states["units"] += "\nId=chronyd.service\nLoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\n"
			},
			want: "command systemctl enable --now chronyd\n"},
		{name: "hardware", rules: []string{"HW-02"}, left: "no repair for it"},
		{name: "packages", rules: []string{"CHK-24"}, left: "only after a person"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := healthy()
			if c.node != nil {
				c.node(&n)
			}
			p := plan(t, n, c.input, c.rules...)
			assert.Equal(t, c.want, does(p))
			if c.left == "" {
				assert.Empty(t, p.Left)
			} else if assert.Len(t, p.Left, 1) {
				assert.Contains(t, p.Left[0].Reason, c.left)
				assert.Equal(t, "mend it", p.Left[0].Fix)
			}
			for _, f := range p.Fixes {
				assert.NotEmpty(t, f.Rules)
				for _, c := range f.Changes {
					assert.Equal(t, c.Kind == Command, c.Undo != "", "%s: %+v", f.ID, c)
				}
			}
			assert.Equal(t, p, plan(t, n, c.input, c.rules...), "the same facts give the same plan")
		})
	}
}

func numbered(n int) []string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("d%d", i)
	}
	return out
}

// What could lock us out is guarded, and what holds for a time is marked.
func TestGuardsAndTerms(t *testing.T) {
	n := healthy()
	n.files["/etc/ssh/sshd_config"] = "UseDNS yes\nUsePAM yes\n"
	for profile, temporary := range map[string]string{"acp-4.1-seed": "", "acp-4.1": untilReady, "acp-4.3": untilReady} {
		p := plan(t, n, func(in *Input) { in.Site.Profile = profile }, "CHK-09")
		require.Len(t, p.Fixes, 2)
		assert.Empty(t, p.Fixes[0].Temporary)
		assert.Equal(t, temporary, p.Fixes[1].Temporary, profile)
		for _, f := range p.Fixes {
			assert.True(t, f.Guard)
			assert.Contains(t, f.Changes[0].Check, "sshd -t")
			assert.Equal(t, "systemctl reload-or-restart sshd", f.Changes[0].Then)
		}
	}
	boot := plan(t, healthy(), nil, "CHK-01")
	require.Len(t, boot.Fixes, 1)
	assert.True(t, boot.Fixes[0].Reboot)
	assert.Len(t, boot.Fixes[0].Changes, 2)
}

// A setting that is configured, but not in force, needs a reboot alone.
func TestOnlyARebootIsDue(t *testing.T) {
	n := healthy()
	n.files["/etc/default/grub"] = "GRUB_CMDLINE_LINUX=\"transparent_hugepage=never\"\n"
	n.files["/boot/grub2/grub.cfg"] = "linux /vmlinuz transparent_hugepage=never\n"
	p := plan(t, n, nil, "CHK-01")
	require.Len(t, p.Fixes, 1)
	assert.Empty(t, p.Fixes[0].Changes)
	assert.True(t, p.Fixes[0].Reboot)
}

func TestDescribeShowsDiffsWithoutSecrets(t *testing.T) {
	n := healthy()
	n.files["/etc/fstab"] = "//nas/x /x cifs user=a,password=hunter2 0 0\n/swap none swap sw 0 0\n"
	s := n.survey(t)
	text := plan(t, n, nil, "CHK-07").Fixes[0].Describe(s)
	assert.Contains(t, text, "--- /etc/fstab")
	assert.Contains(t, text, "-/swap none swap sw 0 0\n+# off for Kubernetes (CHK-07): /swap")
	assert.NotContains(t, text, "hunter2")
}

func TestASurveyThatIsCutIsAnError(t *testing.T) {
	good := "acpflow-survey 1\nstate tmp 0 \nend 1\n"
	_, err := ParseSurvey(good)
	require.NoError(t, err)
	for _, bad := range []string{"", "noise\n", "acpflow-survey 1\n", strings.Replace(good, "end 1", "end 2", 1), strings.Replace(good, "tmp 0", "tmp x", 1), "acpflow-survey 1\nfile a b\nend 1\n"} {
		_, err := ParseSurvey(bad)
		assert.Error(t, err, "%q", bad)
	}
}

// Whatever a node says, planning neither panics nor writes outside the files
// that repairs are about.
func FuzzBuild(f *testing.F) {
	f.Add("/etc/hosts", "10.0.0.1 localhost\n", "units", "Id=ufw.service\nActiveState=active\n")
	f.Add("/etc/fstab", "a b swap c\x00", "swaps", "x\n/dev/$(id) a b c d\n")
	f.Add("/etc/ssh/sshd_config", "Match\nUsePAM", "leftovers", "/etc/passwd full\n")
	f.Fuzz(func(t *testing.T, path, text, state, value string) {
		n := healthy()
		n.files[path], n.states[strings.Map(word, state)] = text, value
		if _, known := healthy().files[path]; !known && path != "/etc/localtime" {
			return // the surveyor decides which files are read
		}
		var rules []string
		for _, r := range checks.Rules() {
			rules = append(rules, r.ID)
		}
		for _, fix := range plan(t, n, nil, rules...).Fixes {
			for _, c := range fix.Changes {
				if c.Kind != Command && !slices.ContainsFunc([]string{"/etc/", "/boot/", "/var/lib/", "/var/log/pods", "/opt/"}, func(p string) bool { return strings.HasPrefix(c.Path, p) }) {
					t.Errorf("%s touches %q", fix.ID, c.Path)
				}
			}
		}
	})
}

func word(r rune) rune {
	if r > ' ' && r < 0x7f {
		return r
	}
	return '_'
}
