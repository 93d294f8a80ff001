package e2e

import "github.com/acpflow/acpflow/site"

// damage breaks one rule on a node, as root, and takes it back.
type damage struct {
	rule     string
	what     string
	first    string // makes the node pass before
	do, undo string
	site     func(*site.Site) // the document under which the rule counts
	also     []string         // rules that rightly see the same damage
}

// listen holds a TCP port for as long as its unit runs.
func listen(port string) string {
	return "systemd-run --quiet --collect --unit=lab-taken systemd-socket-activate --listen=" + port + ` sleep 600
for i in $(seq 50); do ss -lnt | grep -q ':` + port + ` ' && exit 0; sleep 0.1; done; exit 1`
}

// debian installs an empty package of the given name.
func debian(name string) string {
	return `d=$(mktemp -d); mkdir -p $d/DEBIAN
printf 'Package: ` + name + `\nVersion: 1\nArchitecture: all\nMaintainer: lab\nDescription: empty\n' >$d/DEBIAN/control
dpkg-deb --build $d /tmp/lab.deb >/dev/null && dpkg --install /tmp/lab.deb >/dev/null && rm -r $d /tmp/lab.deb`
}

// edited changes a file with sed and remembers it.
func edited(file, expression string) string {
	return "cp -a " + file + " /run/kept && sed -i '" + expression + "' " + file
}

func restored(file string) string { return "cat /run/kept >" + file }

// searching gives resolv.conf a search line.
func searching(list string) string {
	return `cp /etc/resolv.conf /run/kept; echo "search ` + list + `" >>/etc/resolv.conf`
}

// calledSystem makes the node say it is another system; its kernel stays.
func calledSystem(release, extra string) string {
	return "cp --remove-destination -a $(readlink -f /etc/os-release) /run/kept && rm /etc/os-release && printf '" + release + "' >/etc/os-release\n" + extra
}

const ownSystem = "ln -sf ../usr/lib/os-release /etc/os-release; rm -f /etc/centos-release /etc/.productinfo"

const (
	centos  = `ID="centos"\nVERSION_ID="7"\n`
	centos7 = "echo 'CentOS Linux release 7.9.2009 (Core)' >/etc/centos-release"
)

// systems are the rules that look at which system a node runs: another name
// for it moves the verdict from one of them to another.
var systems = []string{"OS-01", "OS-02", "OS-03", "OS-04", "OS-05", "OS-06", "OS-07", "OS-08", "OS-10", "OS-11", "OS-12", "OS-13", "CHK-02", "CHK-04", "CHK-24", "RM-05"}

var damages = []damage{
	{rule: "GEN-04", what: "a manifest of an earlier install", do: "mkdir -p /etc/kubernetes/manifests && touch /etc/kubernetes/manifests/etcd.yaml", undo: "rm -r /etc/kubernetes"},
	{rule: "NET-10", what: "an address of the reserved segment", site: func(s *site.Site) { s.Clusters[0].Nodes[0].Address = "172.20.0.9" }, also: []string{"CHK-15"}},
	{rule: "CHK-02", what: "CentOS without nokmem", do: calledSystem(centos, centos7), undo: ownSystem, also: systems},
	{rule: "CHK-09", what: "UseDNS yes", do: edited("/etc/ssh/sshd_config", "s/UseDNS no/UseDNS yes/"), undo: restored("/etc/ssh/sshd_config")},
	{rule: "CHK-10", what: "512 tasks", do: edited("/etc/systemd/system.conf.d/lab.conf", "s/infinity/512/") + " && systemctl daemon-reexec",
		undo: restored("/etc/systemd/system.conf.d/lab.conf") + " && systemctl daemon-reexec"},
	{rule: "CHK-11", what: "a name of 40 letters", do: "hostname >/run/kept && hostname $(printf 'a%.0s' $(seq 40))", undo: "hostname \"$(cat /run/kept)\""},
	{rule: "CHK-12", what: "localhost elsewhere", do: edited("/etc/hosts", "s/^127.0.0.1/127.0.0.9/"), undo: restored("/etc/hosts")},
	{rule: "CHK-13", what: "a name server of the reserved segment", do: "cp /etc/resolv.conf /run/kept && echo 'nameserver 172.16.0.53' >>/etc/resolv.conf", undo: restored("/etc/resolv.conf")},
	{rule: "CHK-15", what: "a link-local address", site: func(s *site.Site) { s.Clusters[0].Nodes[0].Address = "169.254.1.9" }},
	{rule: "CHK-16", what: "no default route", do: "ip route show default >/run/kept && ip route del default", undo: "ip route add $(head -1 /run/kept)"},
	{rule: "CHK-17", what: "a program on 6443", do: listen("6443"), undo: "systemctl stop lab-taken"},
	{rule: "CHK-18", what: "a program on 6641", do: listen("6641"), undo: "systemctl stop lab-taken"},
	{rule: "CHK-19", what: "an address of the reserved segment", do: "ip address add 172.20.0.1/32 dev lo", undo: "ip address del 172.20.0.1/32 dev lo"},
	{rule: "CHK-20", what: "no md5sum", do: "mv /usr/bin/md5sum /usr/bin/md5sum.kept", undo: "mv /usr/bin/md5sum.kept /usr/bin/md5sum"},
	{rule: "CHK-21", what: "no lvm2", site: func(s *site.Site) { s.Clusters[0].LocalStorage = true }},
	{rule: "CHK-22", what: "a kubelet unit", do: "touch /etc/systemd/system/kubelet.service", undo: "rm /etc/systemd/system/kubelet.service"},
	{rule: "CHK-23", what: "noexec", do: "mount -t tmpfs -o noexec lab /tmp", undo: "umount /tmp"},
	{rule: "CHK-24", what: "podman-docker", do: debian("podman-docker"), undo: "dpkg --purge podman-docker >/dev/null"},
	{rule: "CHK-25", what: "an earlier docker", do: "mkdir -p /var/lib/docker/overlay2", undo: "rm -r /var/lib/docker"},
	{rule: "RM-00", what: "a runc outside the packages", do: "touch /usr/local/bin/runc && chmod +x /usr/local/bin/runc", undo: "rm /usr/local/bin/runc"},
	{rule: "RM-05", what: "docker-ce, which the document forgot", do: debian("docker-ce"), undo: "dpkg --purge docker-ce >/dev/null"},
	{rule: "DNS-01", what: "29 search domains", do: searching("$(seq -f 'd%g.example' -s ' ' 29)"), undo: restored("/etc/resolv.conf"), also: []string{"CHK-14", "DNS-02", "DNS-03"}},
	{rule: "DNS-02", what: "a search domain of 260 characters", do: searching("$(printf 'abcdefghi.%.0s' $(seq 26))"), undo: restored("/etc/resolv.conf"), also: []string{"CHK-14", "DNS-01", "DNS-03"}},
	{rule: "DNS-03", what: "2100 characters of search domains", do: searching("$(for i in $(seq 10); do printf 'd%s' $i; printf '.abcdefghi%.0s' $(seq 21); printf ' '; done)"),
		undo: restored("/etc/resolv.conf"), also: []string{"CHK-14", "DNS-01", "DNS-02"}},
	{rule: "EXE-04", what: "a small disk", first: "mkdir -p /root/cpaas-install && mount -t tmpfs -o size=500g lab /root/cpaas-install",
		do: "mount -o remount,size=8m /root/cpaas-install", undo: "umount /root/cpaas-install; rmdir /root/cpaas-install"},
}

// unbreakable are the rules about one node that no container can break, with
// the reason.
var unbreakable = map[string]string{}

func init() {
	for why, rules := range map[string][]string{
		"the machine's hardware is what it is, and a container shares it; judged from recorded facts": {
			"CAP-01", "CAP-04", "CAP-08", "CAP-18", "CAP-20", "HW-02", "HW-03", "HW-04", "ARM-01", "ARM-02", "ARM-03"},
		"the container's system is Debian 12, and no other one can be installed here; judged from recorded facts": {
			"OS-01", "OS-02", "OS-03", "OS-04", "OS-05", "OS-06", "OS-07", "OS-08", "OS-10", "OS-11", "OS-12", "OS-13"},
		"the kernel and its command line are the host's, and fail already":  {"CHK-01", "CHK-03", "CHK-05"},
		"the host's kernel is newer than the condition":                     {"CHK-04"},
		"AppArmor belongs to the host's kernel, and may fail already":       {"CHK-06"},
		"swap belongs to the host, and a container may not switch it on":    {"CHK-07"},
		"it is about the SSH user: see TestBadInputParksWithCauseAndFix":    {"CHK-08"},
		"it warns of any search domain; their bounds are DNS-01, 02 and 03": {"CHK-14"},
	} {
		for _, id := range rules {
			unbreakable[id] = why
		}
	}
}
