# fingerprint PATH: what lies there, in one word: absent, dir, special, the
# SHA-256 of a file's bytes, or link: and the SHA-256 of a link's target.
fingerprint() {
	local sum
	if [ -L "$1" ]; then
		sum=$(readlink -n -- "$1" | sha256sum) || return
		printf 'link:%s' "${sum%% *}"
	elif [ -d "$1" ]; then
		printf dir
	elif [ -f "$1" ]; then
		sum=$(sha256sum <"$1") || return
		printf '%s' "${sum%% *}"
	elif [ -e "$1" ]; then
		printf special
	else
		printf absent
	fi
}
