package fix

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/workflows"
)

// broken is a node with more than twenty things wrong, one a line; only what a
// container can break.
const broken = `
unit() { printf '[Unit]\nDescription=%s of a test\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n' "$1" >/etc/systemd/system/$1.service; }
printf '::1 localhost\n10.9.8.7 localhost db  # moved\n127.0.1.1 solo-1 Bad-Name\n' >/etc/hosts  # 1 CHK-12, and a name that sudo finds
{ echo '# made by hand'; echo 'nameserver 172.16.0.1'; echo 'options timeout:1 attempts:1'      # 2 CHK-13
  printf 'search'; for i in $(seq 40); do printf ' d%s.example.com' "$i"; done                  # 3 DNS-01
  printf ' %s.example.com' "$(printf 'a%.0s' $(seq 260))"                                       # 4 DNS-02
  for i in $(seq 30); do printf ' %s%s.example.com' "$(printf 'b%.0s' $(seq 60))" "$i"; done    # 5 DNS-03
  echo; } >/etc/resolv.conf
chmod 0640 /etc/resolv.conf
sed -i 's/^UseDNS.*/UseDNS yes/; s/^UsePAM.*/UsePAM yes/' /etc/ssh/sshd_config                  # 6, 7 CHK-09
systemctl reload ssh
printf '[Manager]\nDefaultTasksMax=512\n' >/etc/systemd/system.conf.d/lab.conf                  # 8 CHK-10
systemctl daemon-reexec
unit kubelet; systemctl enable kubelet 2>/dev/null                                              # 9 CHK-22; one that ran would be a platform
mount -o remount,noexec /tmp                                                                    # 10 CHK-23
printf 'tmpfs /tmp tmpfs rw,noexec,nosuid 0 0\n' >>/etc/fstab                                   # 11 the same at the next boot
mkdir -p /var/lib/docker/overlay2 /var/lib/containerd /var/log/pods/x /var/lib/kubelet/pki      # 12-15 CHK-25
echo image >/var/lib/docker/overlay2/layer; echo key >/var/lib/kubelet/pki/kubelet.key; chmod 600 /var/lib/kubelet/pki/kubelet.key
printf '/swapfile none swap sw 0 0\n' >>/etc/fstab                                              # 16 CHK-07
echo Bad-Name >/etc/hostname; hostname Bad-Name                                                # 17 CHK-11
unit firewalld; systemctl enable --now firewalld 2>/dev/null                                    # 18 CHK-06
unit iptables; systemctl start iptables                                                         # 19 CHK-06
unit ip6tables; systemctl enable ip6tables 2>/dev/null                                          # 20 CHK-06
mkdir -p /etc/ufw; printf '# ufw\nENABLED=yes\nLOGLEVEL=low\n' >/etc/ufw/ufw.conf               # 21 CHK-06
mkdir -p /etc/selinux; printf 'SELINUX=enforcing\nSELINUXTYPE=targeted\n' >/etc/selinux/config  # 22 CHK-06
printf '#!/bin/sh\n' | tee /usr/local/bin/docker /usr/local/bin/kubeadm >/dev/null              # 23, 24 RM-00
chmod 755 /usr/local/bin/docker /usr/local/bin/kubeadm
`

// mended are the rules that must be broken before and must not be after.
var mended = []string{
	"CHK-07", "CHK-09", "CHK-10", "CHK-11", "CHK-12", "CHK-13", "CHK-22", "CHK-23", "CHK-25", "DNS-01", "DNS-02", "DNS-03", "RM-00",
}

// One run mends all that can be mended in a container, the second one changes
// nothing, and the undo brings every file back byte for byte.
func TestRepairThereAndBack(t *testing.T) {
	r := newRig(t)
	doc := r.document(t, "CHK-06", "CHK-07")
	r.script(t, broken)
	before := r.tree(t)

	dry := r.until(t, r.start(t, workflows.FixName, workflows.Request{DryRun: true}), func(p *workflows.Progress) bool { return p.Outcome == workflows.Succeeded })
	assert.Equal(t, before, r.tree(t), "a dry run changes nothing")
	assert.NotContains(t, r.script(t, "ls /var/lib"), "acpflow")
	assert.Equal(t, workflows.WouldRun, dry.Steps[1].State)
	plan := dry.Steps[0].Evidence
	assert.Subset(t, planned(plan), append([]string{"CHK-06"}, mended...), "%s", plan.Summary)
	assert.Contains(t, plan.Facts["solo-1 localhost"], "+127.0.0.1 localhost")
	assert.Contains(t, plan.Facts["solo-1 sshd-usepam"], "holds until the nodes are Ready")

	first := r.succeeds(t, r.start(t, workflows.FixName, workflows.Request{}))
	t.Log(steps(first))
	for _, f := range first.Steps[len(first.Steps)-1].Evidence.Findings {
		assert.NotContains(t, mended, f.Rule, "%+v", f)
	}
	assert.Contains(t, r.script(t, "cat /etc/resolv.conf"), "nameserver "+r.resolver+"\noptions timeout:1 attempts:1\nsearch d1.example.com")
	assert.Equal(t, "640", strings.TrimSpace(r.script(t, "stat -c %a /etc/resolv.conf")))
	assert.Equal(t, "solo-1", strings.TrimSpace(r.script(t, "uname -n")))
	assert.Contains(t, r.script(t, "sshd -T"), "usepam no")
	// AppArmor itself belongs to the machine the lab runs on.
	assert.NotContains(t, "\n"+r.script(t, "systemctl is-active firewalld iptables || true; systemctl is-enabled firewalld ip6tables || true"), "\nactive")
	assert.Contains(t, r.script(t, "cat /etc/ufw/ufw.conf /etc/selinux/config"), "# ufw\nENABLED=no\nLOGLEVEL=low\nSELINUX=disabled\n")
	assert.Equal(t, "700", strings.TrimSpace(r.script(t, "stat -c %a /var/lib/acpflow/repair")))

	quiet := r.mtimes(t)
	second := r.succeeds(t, r.start(t, workflows.FixName, workflows.Request{}))
	assert.Contains(t, second.Steps[0].Evidence.Summary, "0 fixes planned", steps(second))
	assert.Equal(t, quiet, r.mtimes(t), "the second run writes nothing")

	pool := ssh.NewPool()
	defer pool.Close()
	repairs := &activities.Repairs{Hosts: &activities.Hosts{Pool: pool}}
	in := activities.RepairInput{Scope: activities.Scope{Site: *doc, Cluster: doc.Clusters[0].Name}}
	evidence, err := repairs.RestoreTemporary(t.Context(), in)
	require.NoError(t, err)
	assert.Contains(t, evidence.Summary, "1 changes on 1 nodes")
	settings := r.script(t, "sshd -T")
	assert.Contains(t, settings, "usepam yes")
	assert.Contains(t, settings, "usedns no")

	r.succeeds(t, r.start(t, workflows.UndoFixName, workflows.Request{}))
	assert.Equal(t, before, r.tree(t), "the undo brings everything back")
}

// planned lists the rules a plan mends.
func planned(e *activities.Evidence) []string {
	var out []string
	for _, fact := range e.Facts {
		title, _, _ := strings.Cut(fact, "\n")
		_, rules, _ := strings.Cut(title, " (")
		rules, _, _ = strings.Cut(rules, ")")
		out = append(out, strings.Split(rules, ", ")...)
	}
	return out
}

// A fix that cuts SSH off is taken back by the node itself, and the run says so.
func TestAFixThatCutsSSHIsRolledBack(t *testing.T) {
	r := newRig(t)
	r.document(t)
	// From the moment UseDNS is mended, this node lets nobody in any more.
	r.script(t, `mkdir -p /etc/ssh/sshd_config.d /etc/systemd/system/ssh.service.d
sed -i '1i Include /etc/ssh/sshd_config.d/*.conf' /etc/ssh/sshd_config
sed -i 's/^UseDNS.*/UseDNS yes/' /etc/ssh/sshd_config
cat >/usr/local/sbin/reload-ssh <<'END'
#!/bin/sh
rm -f /etc/ssh/sshd_config.d/cut.conf
if grep -q '^UseDNS no' /etc/ssh/sshd_config; then echo 'DenyUsers root ops' >/etc/ssh/sshd_config.d/cut.conf; fi
kill -HUP "$1"
END
chmod 755 /usr/local/sbin/reload-ssh
printf '[Service]\nExecReload=\nExecReload=/usr/local/sbin/reload-ssh $MAINPID\n' >/etc/systemd/system/ssh.service.d/cut.conf
systemctl daemon-reload; systemctl reload ssh`)
	before := r.script(t, "sha256sum /etc/ssh/sshd_config; stat -c %f:%u:%g /etc/ssh/sshd_config; ls /etc/ssh/sshd_config.d")

	id := r.start(t, workflows.FixName, workflows.Request{})
	p := r.until(t, id, func(p *workflows.Progress) bool { return p.Gate != nil })
	require.Equal(t, "fix.04-apply", p.Gate.Step, p.Gate.Text())
	assert.Contains(t, p.Gate.Error, "rolled back by the node itself")
	assert.Equal(t, before, r.script(t, "sha256sum /etc/ssh/sshd_config; stat -c %f:%u:%g /etc/ssh/sshd_config; ls /etc/ssh/sshd_config.d"))
	r.decide(t, id, "fix.04-apply", workflows.Abort)
	r.until(t, id, func(p *workflows.Progress) bool { return p.Outcome == workflows.Aborted })
}

// Packages go by exact name after an approval that tells what goes with them,
// and a node that needs it is rebooted once.
func TestPackagesAndReboot(t *testing.T) {
	r := newRig(t)
	r.document(t, "CHK-01")
	r.script(t, `
deb() { # NAME DEPENDS
	mkdir -p "/tmp/$1/DEBIAN" && printf 'Package: %s\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <n@example.com>\nDescription: test\n%s' "$1" "${2:+Depends: $2
}" >"/tmp/$1/DEBIAN/control" && dpkg-deb -b "/tmp/$1" "/tmp/$1.deb" >/dev/null && dpkg -i "/tmp/$1.deb" >/dev/null; }
deb podman; deb cockpit-podman podman; deb python3-docker
cp /bin/sleep /usr/bin/conmon; setsid /usr/bin/conmon 1000 </dev/null >/dev/null 2>&1 &
mkdir -p /etc/default /boot/grub
printf 'GRUB_CMDLINE_LINUX="quiet"\n' >/etc/default/grub
printf 'linux /vmlinuz quiet\n' >/boot/grub/grub.cfg
printf '#!/bin/sh\n. /etc/default/grub\necho "linux /vmlinuz $GRUB_CMDLINE_LINUX" >/boot/grub/grub.cfg\n' >/usr/sbin/update-grub
chmod 755 /usr/sbin/update-grub`)
	grub := "cat /etc/default/grub /boot/grub/grub.cfg; stat -c %f:%u:%g:%Y /etc/default/grub /boot/grub/grub.cfg"
	before, boot := r.script(t, grub), r.script(t, "cat /proc/sys/kernel/random/boot_id")

	id := r.start(t, workflows.FixName, workflows.Request{})
	p := r.until(t, id, func(p *workflows.Progress) bool { return p.Gate != nil })
	require.Equal(t, "fix.05-remove-packages", p.Gate.Step, p.Gate.Text())
	for _, part := range []string{"dpkg podman 1.0", "go too: cockpit-podman", "conmon (pid"} {
		assert.Contains(t, p.Gate.Question, part)
	}
	assert.NotContains(t, p.Gate.Question, "python3-docker")
	r.powerButton(t)
	r.approveInForm(t, id, p.Gate)
	p = r.until(t, id, func(p *workflows.Progress) bool { return p.Gate != nil && p.Gate.Step != "fix.05-remove-packages" })
	require.Equal(t, "fix.07-reboot", p.Gate.Step, p.Gate.Text())
	assert.Contains(t, p.Gate.Question, "solo-1: Boot with transparent_hugepage=never (CHK-01)")
	assert.Equal(t, boot, r.script(t, "cat /proc/sys/kernel/random/boot_id"), "nobody has approved it")
	r.decide(t, id, "fix.07-reboot", workflows.Approve)

	// The parameter is in the boot menu, but the lab's kernel is not the node's own.
	p = r.until(t, id, func(p *workflows.Progress) bool {
		return p.Gate != nil && p.Gate.Step != "fix.07-reboot"
	})
	require.Equal(t, "fix.08-check", p.Gate.Step, p.Gate.Text())
	assert.Contains(t, p.Steps[6].Evidence.Summary, "rebooted: solo-1")
	assert.NotEqual(t, boot, r.script(t, "cat /proc/sys/kernel/random/boot_id"))
	assert.Contains(t, r.script(t, "cat /boot/grub/grub.cfg"), "transparent_hugepage=never")
	assert.Equal(t, "python3-docker\n", r.script(t, "dpkg-query -W -f '${db:Status-Abbrev} ${Package}\\n' | sed -n 's/^ii  *//p' | grep -E 'podman|docker'"))
	r.decide(t, id, "fix.08-check", workflows.Skip)
	r.until(t, id, func(p *workflows.Progress) bool { return p.Ended != nil })

	r.until(t, r.start(t, workflows.UndoFixName, workflows.Request{}), func(p *workflows.Progress) bool { return p.Ended != nil })
	assert.Equal(t, before, r.script(t, grub))
}
