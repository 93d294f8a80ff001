# shellcheck shell=bash disable=SC2154 # the caller sets what is not assigned here
# Reads and replaces the configuration of HAProxy on its host. Runs as root; set
# before: config, and the addresses that count as the VIP's, as ss prints them.
umask 077
pending=/run/acpflow-haproxy.pending # there while a written configuration is not yet loaded

# hold <-s|-x>: overlapping attempts wait for each other.
hold() {
	local tool
	for tool in haproxy systemctl ss flock ps comm; do # without ss a port would seem closed
		command -v "$tool" >/dev/null || { echo "$tool" >&2; exit 69; }
	done
	exec 9>>/run/acpflow-haproxy.lock || exit 74
	flock "$1" -w 60 9 || exit 75
	config=$(readlink -f -- "$config") && [ -f "$config" ] || exit 66
}

# listening <port>: the sockets that take connections to the VIP's port.
listening() {
	local at rest a
	ss -Hlntp | while read -r _ _ _ at rest; do
		for a in "${addresses[@]}"; do
			[ "$at" = "$a:$1" ] && echo "$at $rest"
		done
	done
	return 0
}

look() {
	hold -s
	sha256sum <"$config" | cut -d' ' -f1
	[ -e "$pending" ] && echo pending || echo loaded
	listening "$1" | tr '\n' ';'
	echo
	cat -- "$config"
}

processes() {
	local main
	main=$(systemctl show --property MainPID --value haproxy)
	[ "${main:-0}" -gt 0 ] && echo "$main" && ps -o pid= --ppid "$main"
}

# settled <port> <open|closed>: a process of after the reload runs, and the port is so.
settled() {
	local now fresh
	now=$(processes | tr -d ' ')
	fresh=$(comm -13 <(sort <<<"$before") <(sort <<<"$now") | grep -c .)
	[ "$fresh" -gt 0 ] || { why="no new HAProxy process came up"; return 1; }
	if [ "$2" = open ]; then
		why="nothing listens on the port"
		[ -n "$(listening "$1")" ]
	else
		why="something still listens on the port: $(listening "$1" | tr '\n' ';')"
		[ -z "$(listening "$1")" ]
	fi
}

# reload <port> <open|closed>: twice so in a row is so. The command itself says
# little: a master keeps its old worker when the new configuration does not load.
reload() {
	local row=0 end=$((SECONDS + 10))
	before=$(processes | tr -d ' ')
	why=$(systemctl reload haproxy 2>&1) || { why="systemctl reload haproxy: ${why:0:600}"; return 1; }
	while ((SECONDS < end)); do
		if settled "$1" "$2"; then
			((++row >= 2)) && return 0
		else
			row=0
		fi
		sleep 0.2
	done
	return 1
}

# replace <base> <sum> <port> <open|closed>: stdin, whose SHA-256 is sum, becomes
# the configuration if what is there still has the SHA-256 base. A failure puts
# everything back. Half of it, from a connection that broke, has another sum.
replace() {
	local base=$1 sum=$2 port=$3 want=$4 new old='' said reason
	hold -x
	[ "$(sha256sum <"$config" | cut -d' ' -f1)" = "$base" ] || exit 76
	new=$(dirname -- "$config")/.$(basename -- "$config").acpflow-new
	cp -a -- "$config" "$new" && cat >"$new" || exit 74
	[ "$(sha256sum <"$new" | cut -d' ' -f1)" = "$sum" ] || { rm -f -- "$new"; exit 74; }
	if ! said=$(haproxy -c -f "$new" 2>&1); then
		rm -f -- "$new"
		echo "${said:0:1500}" >&2
		exit 77
	fi
	if cmp -s -- "$new" "$config"; then
		rm -f -- "$new"
		: >"$pending"
	else
		old=$config.acpflow-$(date -u +%Y%m%dT%H%M%S.%NZ)
		cp -a -- "$config" "$old" && sync -- "$new" "$old" && : >"$pending" && mv -f -- "$new" "$config" || exit 74
	fi
	if reload "$port" "$want"; then
		rm -f -- "$pending"
		# shellcheck disable=SC2012 # the names are ours
		ls -1 -- "$config".acpflow-* 2>/dev/null | sort | head -n -"$keep" | xargs -r -d '\n' rm -f --
		echo "$old"
		return 0
	fi
	reason=$why
	if [ -z "$old" ]; then
		echo "$reason" >&2
		exit 80
	fi
	if ! cp -a -- "$old" "$new" || ! mv -f -- "$new" "$config"; then
		echo "$reason; the configuration of before is $old" >&2
		exit 79
	fi
	if systemctl reload haproxy >&2; then
		rm -f -- "$pending"
		echo "$reason" >&2
		exit 78
	fi
	echo "$reason; the configuration of before is back, but it does not load either" >&2
	exit 79
}
