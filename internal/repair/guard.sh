# guard_arm TOKEN SECONDS: the node takes the changes back by itself unless
# somebody confirms, through a new session, that it can still be reached.
guard_arm() {
	local dir=$ledger/guards/$1
	mkdir -p -- "$dir" || return
	{
		printf 'root=%q; exec 3>/dev/null\n' "$root"
		declare -f
		printf 'umask 077; patience=600; ledger=%q; fields=%q; count=0\n' "$ledger" "$fields"
		printf 'enter; ! is %q armed || guard_back %q\n' "$dir" "$1"
	} >"$dir/rollback.sh" || return
	mark "$dir" armed || return
	if [ -d /run/systemd/system ] && systemd-run --unit="acpflow-repair-$1" --on-active="$2s" --timer-property=AccuracySec=100ms \
		/bin/bash "$dir/rollback.sh" </dev/null >/dev/null 2>&1 3>&- 9>&-; then
		return 0
	fi
	setsid bash -c 'sleep "$1"; exec bash "$2"' bash "$2" "$dir/rollback.sh" </dev/null >/dev/null 2>&1 3>&- 9>&- &
}

guard_back() {
	local n guard
	for n in $(newest); do
		get guard "$ledger/changes/$n/guard"
		[ "$guard" != "$1" ] || ! is "$ledger/changes/$n" done || undo_entry "$ledger/changes/$n"
	done
	mark "$ledger/guards/$1" rolled-back
}

guard_end() {
	mark "$ledger/guards/$1" "$2"
	systemctl stop "acpflow-repair-$1.timer" </dev/null >/dev/null 2>&1 3>&- 9>&- || true
}

# guard_confirm TOKEN: said through a new session.
guard_confirm() {
	local now
	get now "$ledger/guards/$1/state"
	if [ "$now" = armed ]; then
		now=confirmed
		guard_end "$1" confirmed
	fi
	printf 'guard %s\n' "$now" >&3
	count=$((count + 1))
}

