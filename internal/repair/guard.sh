# The guard of a fix that could cut SSH: guards/TOKEN/{rollback.sh,state}, where
# state is armed, unused, confirmed, rolled-back, or stuck (an undo failed: the
# next run tries again) or refused (somebody changed the same thing since).

# guard_arm TOKEN SECONDS: the node takes the changes back by itself unless
# somebody confirms, through a new session, that it can still be reached: by a
# timer, and at the next boot, which no timer outlives.
guard_arm() {
	local dir=$ledger/guards/$1
	mkdir -p -- "$dir" || return
	{
		printf 'root=%q; exec 3>/dev/null\n' "$root"
		declare -f
		printf 'umask 077; patience=600; ledger=%q; units=%q; fields=%q; count=0\n' "$ledger" "$units" "$fields"
		printf 'enter; ! guard_holds %q || guard_back %q\n' "$1" "$1"
	} >"$dir/rollback.sh" || return
	mark "$dir" armed && guard_at_boot "$1" || return
	sync -f "$ledger" 2>/dev/null || sync
	if [ -d /run/systemd/system ] && systemd-run --unit="acpflow-repair-$1" --on-active="$2s" --timer-property=AccuracySec=100ms \
		/bin/bash "$dir/rollback.sh" </dev/null >/dev/null 2>&1 3>&- 9>&-; then
		return 0
	fi
	setsid bash -c 'sleep "$1"; exec bash "$2"' bash "$2" "$dir/rollback.sh" </dev/null >/dev/null 2>&1 3>&- 9>&- &
}

units=$root/etc/systemd/system

# guard_at_boot TOKEN: a unit that rolls back before sshd starts. It waits for no
# service: one that a change reloads may be waiting for this unit.
guard_at_boot() {
	local unit=acpflow-repair-$1-boot.service
	[ -d "$root/run/systemd/system" ] || return 0
	(
		umask 022 # printf, as declare -f garbles a here-document
		mkdir -p -- "$units/multi-user.target.wants" &&
			printf '%s\n' '[Unit]' 'Description=Take a repair back that nobody has confirmed' "RequiresMountsFor=$ledger" \
				'Before=ssh.service sshd.service' "ConditionPathExists=$ledger/guards/$1/rollback.sh" \
				'[Service]' Type=oneshot 'Environment=booting=yes limit=10' "ExecStart=/bin/bash $ledger/guards/$1/rollback.sh" \
				'[Install]' WantedBy=multi-user.target >"$units/$unit" &&
			ln -sfn -- "../$unit" "$units/multi-user.target.wants/$unit"
	) && { sync -f "$units" 2>/dev/null || sync; }
}

# guard_off TOKEN: nothing is left to roll back.
guard_off() {
	local unit=acpflow-repair-$1-boot.service
	rm -f -- "$units/multi-user.target.wants/$unit" "$units/$unit" "$ledger/guards/$1/rollback.sh"
	sync -f "$ledger" 2>/dev/null || sync
}

# guard_holds TOKEN: whether what it guards is to be taken back.
guard_holds() { is "$ledger/guards/$1" armed || is "$ledger/guards/$1" stuck; }

# guard_back TOKEN: takes back what is done, and what a killed repair left half
# done.
guard_back() {
	local n guard now=rolled-back
	for n in $(newest); do
		get guard "$ledger/changes/$n/guard"
		[ "$guard" = "$1" ] || continue
		is "$ledger/changes/$n" "done" || is "$ledger/changes/$n" begun || continue
		undo_entry "$ledger/changes/$n"
		case $? in
		0) ;;
		2) [ "$now" = stuck ] || now=refused ;;
		*) now=stuck ;;
		esac
	done
	mark "$ledger/guards/$1" "$now"
	[ "$now" = stuck ] || guard_off "$1"
}

guard_end() {
	mark "$ledger/guards/$1" "$2"
	guard_off "$1"
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

