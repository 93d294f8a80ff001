# What init.sh, or any program that is no repair of ours, changed below /etc.
# snapshot-NAME in the ledger holds etc (the copy), mark (its age), fix, run, and
# ended, which the program's job makes when it is over.
init_lock=$root/var/lib/acpflow/init.lock

# init_runs: whether an init.sh runs on this node, whoever started it.
init_runs() {
	[ -e "$init_lock" ] && ! flock -n "$init_lock" true
}

# snapshot NAME RUN FIX: copies /etc before the job NAME starts. A copy whose job
# is on record stays; any other is settled first, so that it can never take what
# others changed since for the work of the next job.
snapshot() {
	local dir=$ledger/snapshot-$1
	if [ -d "$dir" ] && [ -e "$root/var/lib/acpflow/jobs/$1/started" ]; then return 0; fi
	if init_runs; then
		echo "another init.sh runs on this node" >&2
		exit 75
	fi
	settle
	rm -rf -- "$dir.new" && mkdir -- "$dir.new" && printf %s "$2" >"$dir.new/run" && printf %s "$3" >"$dir.new/fix" &&
		touch -d '2 seconds ago' "$dir.new/mark" && cp -a -- "$root/etc" "$dir.new/etc" && mv -T -- "$dir.new" "$dir" || exit 1
}

# settle: ends the copies that runs left behind. When the job has noted its end,
# what changed up to then is its work; without it nobody can tell.
settle() {
	local dir
	for dir in "$ledger"/snapshot-*; do
		[ -d "$dir" ] || continue
		if [ -e "$dir/ended" ]; then adopt "$dir"; else rm -rf -- "$dir"; fi
	done
}

# adopt DIR [FIX]: puts into the ledger what changed below /etc since the copy in
# DIR was made, up to the end of its job when that is noted.
adopt() {
	local f until=()
	[ ! -e "$1/ended" ] || until=(! -cnewer "$1/ended")
	c_kind=file c_then= c_do= c_undo= c_seen= c_temporary= c_guard= c_target= c_made= c_reboot=
	get c_run "$1/run"
	get c_fix "$1/fix"
	c_fix=${2:-$c_fix}
	while IFS= read -r -d '' f; do
		c_path=${f#"$root"}
		adopt_path "$1"
	done < <(find "$root/etc" \( -type f -o -type l \) -cnewer "$1/mark" "${until[@]}" -print0)
	while IFS= read -r -d '' f; do
		c_path=/${f#./}
		if [ -e "$root$c_path" ] || [ -L "$root$c_path" ]; then continue; fi
		if gone_by "$1/ended" "$root$c_path"; then adopt_path "$1"; else say left "it went, and nobody can tell by whom"; fi
	done < <(cd "$1" && find ./etc \( -type f -o -type l \) -print0)
	rm -rf -- "$1"
}

# gone_by FILE PATH: whether nothing went from PATH's folder after FILE was made.
gone_by() {
	local d=${2%/*}
	[ -e "$1" ] || return 0
	while [ ! -d "$d" ]; do d=${d%/*}; done
	[ -z "$(find "$d" -maxdepth 0 -cnewer "$1")" ]
}

# adopt_path DIR: accounts and the machine's identity are never taken back: it
# would undo whoever was added, or changed a password, in between.
adopt_path() {
	c_before=$(fingerprint "$1$c_path") c_after=$(fingerprint "$root$c_path")
	[ "$c_before" != "$c_after" ] || return 0
	case $c_path in
	/etc/passwd* | /etc/shadow* | /etc/group* | /etc/gshadow* | /etc/subuid* | /etc/subgid* | /etc/.pwd.lock | \
		/etc/machine-id | /etc/ssh/ssh_host_*)
		say left "accounts and the machine's identity are never taken back"
		return 0
		;;
	esac
	note || return
	rm -rf -- "$entry/backup"
	if [ "$c_before" != absent ]; then cp -a --no-dereference -- "$1$c_path" "$entry/backup" || return; fi
	mark "$entry" done
	say done
}
