# Reads what the rules need to know about a node, as root, and changes nothing:
# no file is written, not even a temporary one. Works with bash 4.2 and the
# coreutils of EL7; needs no jq, python or awk.
#
# Output: a header, one line per fact, and a trailer that counts the facts:
#   acpflow-facts 1
#   fact NAME STATUS BASE64
#   end COUNT
# Values travel as base64, so nothing a node says can look like framing. STATUS
# is the exit status of what produced the value; 66 means "there is no such file".
export LC_ALL=C LANG=C
unset -v TZ
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
count=0

# fact NAME COMMAND...: one line; a value above 64 KiB arrives cut, one byte too long.
fact() {
	local name=$1 out
	shift
	out=$("$@" 3>&- | head -c 65537 | base64 -w 0
		s=("${PIPESTATUS[@]}")
		[ "${s[1]}${s[2]}" = 00 ] || s[0]=125
		printf ' %s' "${s[0]}")
	printf 'fact %s %s %s\n' "$name" "${out##* }" "${out%% *}" >&3
	count=$((count + 1))
}

# run COMMAND...: bounded, because a dead mount or a stuck bus must not hold the node.
run() { timeout -k 1 10 "$@"; }

exists() { [ -e "$1" ] || [ -L "$1" ]; }

# show FILE: its content.
show() {
	exists "$1" || return 66
	run cat -- "$1"
}

timezone() {
	date +%z || return
	readlink -f /etc/localtime || true
}

os_release() {
	if [ -e /etc/os-release ]; then show /etc/os-release; else show /usr/lib/os-release; fi
}

kylin() {
	if exists /etc/.productinfo; then show /etc/.productinfo; else show /etc/kylin-release; fi
}

# modules: NAME and how the kernel has it.
modules() {
	local m state builtin="/lib/modules/$(uname -r)/modules.builtin"
	for m in ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh nf_conntrack_ipv4 nf_conntrack_ipv6 geneve openvswitch; do
		if grep -q "^$m " /proc/modules; then
			state=loaded
		elif [ -d "/sys/module/$m" ] || grep -qE "/${m//_/[-_]}\.ko" "$builtin"; then
			state=builtin
		else
			state=absent
		fi
		printf '%s %s\n' "$m" "$state"
	done
}

units() {
	local u list=()
	for u in apparmor firewalld ufw iptables ip6tables nftables kubelet; do list+=("$u.service"); done
	run systemctl show -p Id -p LoadState -p ActiveState -p UnitFileState "${list[@]}"
}

# grep's status 1, no line, is an answer.
lines() {
	exists "$2" || return 66
	run grep -E -- "$1" "$2"
	local s=$?
	[ $s -eq 1 ] || return $s
}

tools() {
	local t
	for t in ip ss tar swapoff modprobe sysctl md5sum scp sftp; do
		if type -P "$t" >/dev/null; then printf '%s found\n' "$t"; else printf '%s missing\n' "$t"; fi
	done
}

# paths: PATH absent | file | empty | full, and "mount" for a mount point.
paths() {
	local p state
	for p in "$@"; do
		if ! exists "$p"; then
			state=absent
		elif [ ! -d "$p" ]; then
			state=file
		elif state=$(run find "$p/" -mindepth 1 -maxdepth 1 ! -name lost+found -print -quit) && [ -z "$state" ]; then
			state=empty
		else
			state=full
		fi
		if [ -d "$p" ] && mountpoint -q "$p"; then state="$state mount"; fi
		printf '%s %s\n' "$p" "$state"
	done
}

# processes: PID and name of what only a Kubernetes node runs.
processes() {
	local f name pid
	for f in /proc/[0-9]*/comm; do
		read -r name <"$f" || continue
		case $name in
		kubelet | kube-apiserver | kube-controller | kube-scheduler | kube-proxy | etcd | k3s* | rke2* | k0s)
			pid=${f#/proc/}
			printf '%s %s\n' "${pid%/comm}" "$name"
			;;
		esac
	done
}

kubernetes_files() {
	exists /etc/kubernetes || return 66
	run find /etc/kubernetes ! -type d -print
}

# In a function, so that bash has read the whole script before any of it runs.
collect() {
	printf 'acpflow-facts 1\n' >&3
	fact time-start date +%s.%N
	fact machine uname -m
	fact kernel uname -r
	fact hostname uname -n
	fact machine-id show /etc/machine-id
	fact timezone timezone
	fact uid id -u
	fact sudo-user printf '%s' "${SUDO_USER-}"
	fact os-release os_release
	fact centos-release show /etc/centos-release
	fact kylin-release kylin
	fact cpu lines '^CPU (implementer|part)' /proc/cpuinfo
	fact modules modules
	fact units units
	fact apparmor show /sys/module/apparmor/parameters/enabled
	fact apparmor-profiles show /sys/kernel/security/apparmor/profiles
	fact selinux show /sys/fs/selinux/enforce
	fact selinux-config lines '^[[:space:]]*SELINUX=' /etc/selinux/config
	fact ufw lines '^[[:space:]]*ENABLED=' /etc/ufw/ufw.conf
	fact swaps show /proc/swaps
	fact fstab-swap lines '^[[:space:]]*[^#[:space:]]+[[:space:]]+[^[:space:]]+[[:space:]]+swap([[:space:]]|$)' /etc/fstab
	fact tasks-max run systemctl show -p DefaultTasksMax
	fact hosts lines '[[:space:]]localhost([[:space:]#]|$)' /etc/hosts
	fact resolv show /etc/resolv.conf
	fact route4 run ip -4 route show default
	fact route6 run ip -6 route show default
	fact listeners run ss -lntp
	fact tools tools
	fact kubelet-unit paths /etc/systemd/system/kubelet.service
	fact tmp run findmnt -n -o TARGET,OPTIONS -T /tmp
	fact leftovers paths /var/lib/docker /var/lib/containerd /var/log/pods /var/lib/kubelet/pki /var/lib/nerdctl /opt/nerdctl
	fact etcd-data paths /var/lib/etcd/member
	fact processes processes
	fact kubernetes-files kubernetes_files
	fact time-end date +%s.%N
	printf 'end %s\n' "$count" >&3
}

collect 3>&1 </dev/null >/dev/null 2>&1
