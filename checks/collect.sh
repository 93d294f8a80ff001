# Reads what the rules need to know about a node, as root, and changes nothing:
# no file is written, not even a temporary one. Works with bash 4.2 and the
# coreutils of EL7; needs no jq, python or awk.
#
# Output: a header, all facts in one line, and a trailer that counts them:
#   acpflow-facts 2
#   facts BASE64
#   end COUNT
# Decoded, each fact is "NAME STATUS LENGTH", a newline, LENGTH bytes and another
# newline, so nothing a node says can look like framing. STATUS is the exit
# status of what produced the value; 66 means "there is no such file". Zero
# bytes are left out of values; a value above 64 KiB is cut, one byte too long.
#
# A process costs more than all that is done without one: a fact comes from
# `file` or `own` if it can, from `fact` if it takes a program. What ends a
# pipeline runs in this shell (lastpipe): to read an output takes no process.
export LC_ALL=C LANG=C
unset -v TZ
shopt -s lastpipe
PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
count=0 all='' out='' text=''

# keep NAME STATUS VALUE
keep() {
	all+="$1 $2 ${#3}"$'\n'"$3"$'\n'
	count=$((count + 1))
}

# own NAME FUNCTION...: what a function of this script leaves in $out.
own() {
	out=''
	"${@:2}"
	keep "$1" $? "${out:0:65537}"
}

# fact NAME COMMAND...: what a program prints.
fact() { own "$1" capture "${@:2}"; }

# file NAME PATH: a file's content.
file() {
	if ! exists "$2"; then
		keep "$1" 66 ''
	elif [ -f "$2" ] && slurp <"$2"; then
		keep "$1" 0 "$text"
	else # empty, or not to be read: cat tells which
		fact "$1" run cat -- "$2"
	fi
}

# slurp [MOST]: stdin into $text, 64 KiB and a byte at most; false when it is empty.
slurp() {
	text=''
	if [[ $BASH_VERSION == 4.2.* ]]; then slurp_parts "${1:-65537}"; else IFS='' read -r -N "${1:-65537}" text; fi
	[ -n "$text" ]
}

# slurp_parts MOST: the same in bash 4.2, whose read -N drops what follows a zero byte.
slurp_parts() {
	local part=''
	while [ ${#text} -lt "$1" ] && IFS='' read -r -d '' -n $(($1 - ${#text})) part; do
		text+=$part part=''
	done
	text+=$part
}

# capture COMMAND...: what it prints into $out; returns its status.
capture() {
	"$@" | slurp
	set -- "${PIPESTATUS[0]}"
	out=$text
	return "$1"
}

# sift OPTION PATTERN COMMAND...: as capture, but what grep leaves of it.
sift() {
	"${@:3}" | grep "$1" -- "$2" | slurp
	set -- "${PIPESTATUS[0]}"
	out=$text
	return "$1"
}

# skim PATTERN: adds to $out the lines of $text that match. Comments never do:
# they are most lines of /etc, and no rule wants them.
skim() {
	local line IFS=$'\n'
	set -f
	for line in $text; do
		if [[ $line != \#* && $line =~ $1 ]]; then out+=$line$'\n'; fi
	done
	set +f
}

# run COMMAND...: bounded, because a dead mount or a stuck bus must not hold the node.
run() { timeout -k 1 10 "$@"; }

# yes_or_no COMMAND...: its status, of which 1 is an answer, not a failure.
yes_or_no() {
	"$@"
	set -- $?
	[ "$1" -eq 1 ] || return "$1"
}

exists() { [ -e "$1" ] || [ -L "$1" ]; }

# matching PATTERN FILE...: lines of those files that are there. That none
# matches is an answer.
matching() {
	local f there=()
	for f in "${@:2}"; do
		if exists "$f"; then there+=("$f"); fi
	done
	[ ${#there[@]} -gt 0 ] || return 66
	for f in "${there[@]}"; do
		at_hand "$f" || break
		skim "$1"
		f=''
	done
	[ -n "$f" ] || return 0
	yes_or_no capture run grep -h -E -- "$1" "${there[@]}"
}

# at_hand FILE: reads it into $text; false if that is for grep to do or to fail
# at: the file is long or empty, or lies where there may be a dead mount.
at_hand() {
	[[ $1 == /etc/* || $1 == /proc/* ]] && [ -f "$1" ] && slurp <"$1" && [ ${#text} -le 65536 ]
}

architecture() { # Linux 6.1 has it in a file
	if slurp </proc/sys/kernel/arch; then out=$text; else capture uname -m; fi
}

timezone() {
	local zone
	printf -v zone '%(%z)T' -1
	if [ -L /etc/localtime ]; then capture readlink -f /etc/localtime; else out=/etc/localtime$'\n'; fi
	out=$zone$'\n'$out
}

first_of() {
	local f
	for f in "${@:2}"; do ! exists "$f" || break; done
	file "$1" "$f"
}

# modules: NAME and how the kernel has it.
modules() {
	local m state loaded='' builtin=''
	slurp </proc/modules && loaded=$'\n'$text
	slurp <"/lib/modules/$kernel/modules.builtin" && builtin=$text
	for m in ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh nf_conntrack_ipv4 nf_conntrack_ipv6 geneve openvswitch; do
		if [[ $loaded == *$'\n'"$m "* ]]; then
			state=loaded
		elif [[ -d /sys/module/$m || $builtin == */"$m".ko* || $builtin == */"${m//_/-}".ko* ]]; then
			state=builtin
		else
			state=absent
		fi
		out+="$m $state"$'\n'
	done
}

units() {
	local list=(apparmor firewalld ufw iptables ip6tables nftables kubelet systemd-resolved chronyd chrony ntpd ntp systemd-timesyncd)
	capture run systemctl show -p Id -p LoadState -p ActiveState -p UnitFileState "${list[@]/%/.service}"
}

tools() {
	local t
	for t in ip ss tar swapoff modprobe sysctl md5sum scp sftp lvm; do
		if type -P "$t" >/dev/null; then out+="$t found"$'\n'; else out+="$t missing"$'\n'; fi
	done
}

# paths: PATH absent | file | empty | full, and "mount" for a mount point.
paths() {
	local p state
	for p in "$@"; do
		if ! exists "$p"; then
			state=absent
		elif [ ! -d "$p" ]; then
			state='file'
		elif state=$(run find "$p/" -mindepth 1 -maxdepth 1 ! -name lost+found -print -quit) && [ -z "$state" ]; then
			state=empty
		else
			state=full
		fi
		if [ -d "$p" ] && mountpoint -q "$p"; then state="$state mount"; fi
		out+="$p $state"$'\n'
	done
}

# processes: PID and name of what only a Kubernetes node runs.
processes() {
	local f pid comm
	for f in /proc/[0-9]*/comm; do
		read -r comm <"$f" || continue
		case $comm in
		kubelet | kube-apiserver | kube-controller | kube-scheduler | kube-proxy | etcd | k3s* | rke2* | k0s)
			pid=${f#/proc/}
			out+="${pid%/comm} $comm"$'\n'
			;;
		esac
	done
}

kubernetes_files() {
	exists /etc/kubernetes || return 66
	capture run find /etc/kubernetes ! -type d -print
}

# cpu: the first processor; the others are like it.
cpu() {
	slurp 8192 </proc/cpuinfo # of all processors it would take long
	text=${text%%$'\n\n'*}
	skim '^(vendor_id|model name|cpu MHz|cpu cores|siblings|CPU implementer|CPU part|Hardware)'
}

# cpufreq: GOVERNOR and highest clock in kHz, of all processors, each pair once.
cpufreq() {
	local d governor khz seen=' '
	for d in /sys/devices/system/cpu/cpufreq/policy[0-9]* /sys/devices/system/cpu/cpu[0-9]*/cpufreq; do
		read -r governor <"$d/scaling_governor" || continue
		khz=unknown
		read -r khz <"$d/base_frequency" || read -r khz <"$d/cpuinfo_max_freq"
		[[ $seen == *" $governor/$khz "* ]] || out+="$governor $khz"$'\n'
		seen+="$governor/$khz "
	done
}

memory() {
	slurp </proc/meminfo
	skim '^(Mem|Swap)Total:'
}

# dmi: what the board says it is.
dmi() {
	local f line
	for f in sys_vendor product_name; do
		if read -r line <"/sys/class/dmi/id/$f"; then out+="$f=$line"$'\n'; fi
	done
}

# virtualization: "none" is a machine of iron. A processor that serves a
# hypervisor says so without a program, but in Xen, whose host does so, too.
virtualization() {
	local vendor=''
	slurp 8192 </proc/cpuinfo
	if [[ $text == *' hypervisor'[[:space:]]* && ! -e /proc/xen && ! -e /sys/hypervisor/type ]]; then
		read -r vendor </sys/class/dmi/id/sys_vendor
		out="hypervisor${vendor:+ of $vendor}"$'\n'
	else
		yes_or_no capture run systemd-detect-virt
	fi
}

# packages: "rpm NAME VERSION" and "dpkg STATE NAME VERSION" of what may conflict,
# and the name alone of each package manager that answered.
packages() {
	local like=' [^ ]*(docker|moby|podman|containerd|runc|rootlesskit|rkt|containernetworking|apptainer|kube|cri-o|cri-tools|nerdctl|k3s|rke2|k0s)' found=''
	if type -P dpkg-query >/dev/null && [ -s /var/lib/dpkg/status ]; then
		# shellcheck disable=SC2016 # dpkg's own variables
		sift -E "^dpkg [a-zA-Z]+$like" run dpkg-query -W -f 'dpkg ${db:Status-Abbrev}${Package} ${Version}\n' || return
		found+=${out}dpkg$'\n'
	fi
	if type -P rpm >/dev/null && { [ -d /var/lib/rpm ] || [ -d /usr/lib/sysimage/rpm ]; }; then
		sift -E "^rpm$like" run rpm -qa --qf 'rpm %{NAME} %{VERSION}-%{RELEASE}\n' || return
		found+=${out}rpm$'\n'
	fi
	out=$found
}

snaps() {
	local f
	for f in /var/lib/snapd/snaps/*.snap; do
		exists "$f" || return 0
		f=${f##*/}
		out+="${f%_*}"$'\n'
	done
}

# binaries: programs outside of any package that may conflict.
binaries() {
	local f
	for f in /usr/local/bin/* /usr/local/sbin/* /opt/bin/*; do
		case ${f##*/} in
		docker* | containerd* | ctr | runc | crun | podman* | buildah | crictl | critest | crio* | cni* | calicoctl | nerdctl* | kube* | k3s* | rke2* | k0s | etcd*)
			if [ -f "$f" ] && [ -x "$f" ]; then out+="${f//[^[:graph:]]/?}"$'\n'; fi
			;;
		esac
	done
}

sshd_settings() {
	local sshd
	sshd=$(type -P sshd) || return 127
	sift -iE '^(port|usedns|usepam|permitrootlogin|passwordauthentication|pubkeyauthentication|kbdinteractiveauthentication|allowusers|denyusers) ' run "$sshd" -T
}

# offload: of ARM machines only, where a rule asks.
offload() {
	local d rows=''
	[ "$machine" = aarch64 ] || return 66
	type -P ethtool >/dev/null || return 127
	for d in /sys/class/net/*/device; do
		exists "$d" || continue
		d=${d%/device}
		capture run ethtool -k "${d##*/}" || return
		if [[ $out =~ tx-checksumming:\ ([^$'\n']*) ]]; then rows+="${d##*/} ${BASH_REMATCH[1]}"$'\n'; fi
	done
	out=$rows
}

collect_system() {
	local machine kernel=''
	read -r kernel </proc/sys/kernel/osrelease
	own machine architecture
	machine=${out%$'\n'}
	file kernel /proc/sys/kernel/osrelease
	file hostname /proc/sys/kernel/hostname
	file hostname-file /etc/hostname
	file machine-id /etc/machine-id
	own timezone timezone
	keep uid 0 "$EUID"
	keep sudo-user 0 "${SUDO_USER-}"
	first_of os-release /etc/os-release /usr/lib/os-release
	file centos-release /etc/centos-release
	file redhat-release /etc/redhat-release
	first_of kylin-release /etc/.productinfo /etc/kylin-release
	file cmdline /proc/cmdline
	own grub matching '^[[:space:]]*((linux(16|efi)?|title|options)[[:space:]]|(set )?kernelopts=)' /boot/grub2/grub.cfg /boot/grub/grub.cfg \
		/boot/efi/EFI/*/grub.cfg /boot/grub2/grubenv /boot/efi/EFI/*/grubenv /boot/loader/entries/*.conf
	own grub-default matching '^[[:space:]]*GRUB_CMDLINE_LINUX' /etc/default/grub /etc/default/grub.d/*.cfg
	own modules modules
	file apparmor /sys/module/apparmor/parameters/enabled
	file apparmor-profiles /sys/kernel/security/apparmor/profiles
	file selinux /sys/fs/selinux/enforce
	own selinux-config matching '^[[:space:]]*SELINUX=' /etc/selinux/config
	own ufw matching '^[[:space:]]*ENABLED=' /etc/ufw/ufw.conf
	file swaps /proc/swaps
	own fstab-swap matching '^[[:space:]]*[^#[:space:]]+[[:space:]]+[^[:space:]]+[[:space:]]+swap([[:space:]]|$)' /etc/fstab
	own offload offload
}

collect_machine() {
	own cpu cpu
	file cpus /sys/devices/system/cpu/online
	own cpufreq cpufreq
	own memory memory
	own dmi dmi
	own virtualization virtualization
	fact disks run lsblk -P -b -e 1,7,11 -o NAME,KNAME,PKNAME,TYPE,ROTA,SIZE,MOUNTPOINT
	own mounts matching '^[^ ]+ (/|/tmp|/var|/var/lib|/var/lib/etcd|/var/lib/containerd|/cpaas) ' /proc/self/mounts
	# Every mounted file system but the kernel's and those of containers.
	own spaces sift -vE ' (/proc|/sys|/dev|/run|/snap|/var/lib/(docker|containers|containerd|kubelet|snapd))(/|$)' run df -a -P -B 1
}

collect_services() {
	own units units
	fact tasks-max run systemctl show -p DefaultTasksMax
	own sshd sshd_settings
	own sshd-config matching '^[[:space:]]*([Uu][Ss][Ee]|[Ii][Nn][Cc][Ll][Uu][Dd][Ee]|[Mm][Aa][Tt][Cc][Hh])' /etc/ssh/sshd_config
	own hosts matching '[[:space:]]localhost([[:space:]#]|$)' /etc/hosts
	file resolv /etc/resolv.conf
	own time-peers matching '^[[:space:]]*(server|pool|peer|NTP=|FallbackNTP=)' /etc/chrony.conf /etc/chrony/chrony.conf /etc/ntp.conf /etc/systemd/timesyncd.conf
	fact addresses run ip -o addr show
	fact route4 run ip -4 route show
	fact route6 run ip -6 route show
	fact listeners run ss -lntp
}

collect_software() {
	own tools tools
	own kubelet-unit paths /etc/systemd/system/kubelet.service
	own leftovers paths /var/lib/docker /var/lib/containerd /var/log/pods /var/lib/kubelet/pki /var/lib/nerdctl /opt/nerdctl
	own etcd-data paths /var/lib/etcd/member
	own processes processes
	own kubernetes-files kubernetes_files
	own packages packages
	own snaps snaps
	own binaries binaries
}

# clock NAME: the time, which bash 5 knows without a process.
clock() { keep "$1" 0 "${EPOCHREALTIME:-$(date +%s.%N)}"; }

# In a function, so that bash has read the whole script before any of it runs.
# No program that it runs has the output at hand.
collect() {
	printf 'acpflow-facts 2\n' >&3
	{
		clock time-start
		collect_system
		collect_machine
		collect_services
		collect_software
		clock time-end
	} 3>&-
	printf 'facts ' >&3
	printf '%s' "$all" | base64 -w 0 >&3
	printf '\nend %s\n' "$count" >&3
}

collect 3>&1 </dev/null >/dev/null 2>&1
