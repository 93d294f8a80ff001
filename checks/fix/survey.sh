# Reads what repairs of this node would edit, as root, and changes nothing.
# Works with bash 4.2 and the coreutils of EL7. $root prefixes every path, for
# tests. Output, with every value as base64:
#   acpflow-survey 1
#   file PATH REALPATH FINGERPRINT CONTENT
#   state NAME STATUS VALUE
#   end COUNT
count=0
b64() { base64 -w 0; }

file() {
	local p=$1 real fp
	real=$(readlink -f -- "$root$p") || real=$root$p
	real=${real#"$root"}
	fp=$(fingerprint "$root$p") || fp=special
	printf 'file %s %s %s ' "$(printf '%s' "$p" | b64)" "$(printf '%s' "$real" | b64)" "$fp" >&3
	if [ -f "$root$p" ]; then head -c 262145 -- "$root$p" | b64 >&3; fi
	printf '\n' >&3
	count=$((count + 1))
}

# files PATTERN...: those that exist, and plain names also when they don't.
files() {
	local p
	for p in "$@"; do
		case $p in
		*'*'*)
			for p in $(compgen -G "$root$p"); do file "${p#"$root"}"; done
			;;
		*) file "$p" ;;
		esac
	done
}

state() {
	local name=$1 out
	shift
	out=$("$@" 3>&- | head -c 262145 | b64
		s=("${PIPESTATUS[@]}")
		printf ' %s' "${s[0]}")
	printf 'state %s %s %s\n' "$name" "${out##* }" "${out%% *}" >&3
	count=$((count + 1))
}

run() { timeout -k 1 10 "$@"; }

# modules: NAME loaded | builtin | available | missing.
modules() {
	local m state
	for m in ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh nf_conntrack_ipv4 nf_conntrack_ipv6 geneve openvswitch; do
		if grep -q "^$m " /proc/modules; then
			state=loaded
		elif [ -d "/sys/module/$m" ] || grep -qE "/${m//_/[-_]}\.ko" "/lib/modules/$(uname -r)/modules.builtin"; then
			state=builtin
		elif run modprobe -n -q "$m"; then
			state=available
		else
			state=missing
		fi
		printf '%s %s\n' "$m" "$state"
	done
}

units() {
	local u list=()
	for u in apparmor firewalld ufw iptables ip6tables nftables kubelet systemd-resolved NetworkManager \
		chronyd chrony ntpd ntp systemd-timesyncd ssh sshd docker containerd crio podman; do
		list+=("$u.service")
	done
	run systemctl show -p Id -p LoadState -p ActiveState -p UnitFileState "${list[@]}"
}

# tools: those that are there.
tools() {
	local t
	for t in update-grub grub2-mkconfig grubby aa-teardown ufw setenforce timedatectl visudo hostnamectl restorecon; do
		if type -P "$t" >/dev/null; then printf '%s\n' "$t"; fi
	done
}

# paths: PATH absent | file | empty | full, then "mount" and "below" when it is
# a mount point or has one below it.
paths() {
	local p state
	for p in "$@"; do
		if [ ! -e "$root$p" ] && [ ! -L "$root$p" ]; then
			state=absent
		elif [ ! -d "$root$p" ]; then
			state=file
		elif state=$(run find "$root$p/" -mindepth 1 -maxdepth 1 ! -name lost+found -print -quit) && [ -z "$state" ]; then
			state=empty
		else
			state=full
		fi
		if [ -d "$root$p" ] && mountpoint -q "$root$p"; then state="$state mount"; fi
		if grep -q " $root${p%/}/" /proc/self/mountinfo; then state="$state below"; fi
		printf '%s %s\n' "$p" "$state"
	done
}

leftovers() {
	paths /var/lib/docker /var/lib/containerd /var/log/pods /var/lib/kubelet/pki /var/lib/nerdctl /opt/nerdctl \
		/etc/systemd/system/kubelet.service
}

# processes: PID and name of what belongs to container runtimes and Kubernetes.
processes() {
	local f name pid
	for f in /proc/[0-9]*/comm; do
		read -r name <"$f" || continue
		case $name in
		dockerd | containerd* | crio | podman | conmon | kubelet | kube-* | etcd | k3s* | rke2* | k0s | microk8s*)
			pid=${f#/proc/}
			printf '%s %s\n' "${pid%/comm}" "$name"
			;;
		esac
	done
}

grub_configs() {
	local f
	for f in /boot/grub2/grub.cfg /boot/grub/grub.cfg /boot/efi/EFI/*/grub.cfg; do
		[ ! -f "$root$f" ] || printf '%s\n' "$f"
	done
	if compgen -G "$root/boot/loader/entries/*.conf" >/dev/null; then printf 'entries\n'; fi
}

survey() {
	printf 'acpflow-survey 1\n' >&3
	files /etc/fstab /etc/hosts /etc/hostname /etc/resolv.conf /run/systemd/resolve/resolv.conf /etc/localtime \
		/etc/selinux/config /etc/default/grub '/etc/default/grub.d/*.cfg' \
		/etc/systemd/system.conf '/etc/systemd/system.conf.d/*.conf' /etc/systemd/system/tmp.mount \
		/etc/ssh/sshd_config /etc/ufw/ufw.conf '/etc/modules-load.d/acpflow-*.conf' \
		/etc/NetworkManager/conf.d/90-acpflow.conf /boot/grub2/grub.cfg /boot/grub/grub.cfg '/boot/efi/EFI/*/grub.cfg'
	state modules modules
	state units units
	state tools tools
	state swaps cat /proc/swaps
	state selinux cat /sys/fs/selinux/enforce
	state tmp run findmnt -n -o TARGET,SOURCE,OPTIONS -T /tmp
	state leftovers leftovers
	state processes processes
	state grub-configs grub_configs
	state hostname uname -n
	state timesync run timedatectl show -p NTPSynchronized
	printf 'end %s\n' "$count" >&3
}

survey 3>&1 </dev/null >/dev/null 2>&1
