# Carries out and takes back changes on a node, with bash 4.2, coreutils and
# util-linux. $root prefixes every path, for tests.
#
# The ledger holds one folder per change, numbered in the order of doing:
#   changes/N/{kind,path,before,after,then,undo,seen,fix,temporary,guard,run,…}
#   changes/N/backup   what lay at the path, with mode, owner and times
#   changes/N/state    begun, done or undone, each by rename
# An entry is written before its change acts, so a run that is killed anywhere
# leaves either nothing or an entry that the next run finishes or takes back.
umask 077
ledger=$root/var/lib/acpflow/repair
fields='kind path before after then do undo seen fix temporary guard run target made reboot'
count=0

b64() { printf '%s' "$1" | base64 -w 0; }

# say STATUS MESSAGE: one line of the report, about the change at hand.
say() {
	printf 'change %s %s %s %s\n' "$(b64 "$c_fix")" "$(b64 "${c_path:-$c_do}")" "$1" "$(b64 "${2-}")" >&3
	count=$((count + 1))
}

# enter: alone on this node from here on.
enter() {
	mkdir -p "$ledger/changes" "$ledger/guards" "$root/var/lib/acpflow/aside" && chmod 700 "$ledger" || exit 1
	exec 9>"$ledger/lock" || exit 1
	flock -w "${patience:-60}" 9 || {
		echo "another repair of this node holds $ledger/lock" >&2
		exit 75
	}
}

# hook COMMAND [ARGUMENT]: its output goes to a file, because what it starts may
# keep a pipe open for ever; $said is the end of it. Files that it makes are
# other programs', so they get the usual mode. The lock is timeout's as well, but
# not the command's: when this shell is killed, nobody takes the change back, or
# does another, before its command has ended.
hook() {
	local s
	(umask 022 && exec timeout -k 5 "${limit:-120}" bash --norc --noprofile -c "exec 9>&-
$1" bash "${2-}") </dev/null >"$ledger/output" 2>&1 3>&-
	s=$?
	said=$(tail -c 500 "$ledger/output")
	[ $s -ne 124 ] || said="no end within ${limit:-120} s; $said"
	return $s
}

# note: opens the ledger's entry for the change at hand and keeps what is there.
note() {
	local f v n new=$ledger/changes/.new
	n=$(ls "$ledger/changes" | tail -n 1)
	n=$(printf '%06d' $((10#${n:-0} + 1)))
	rm -rf -- "$new" && mkdir -- "$new" || return
	if [ "$c_kind" = aside ]; then
		c_target=/var/lib/acpflow/aside/$n/${c_path##*/}
		if [ "$(stat -c %d "$root${c_path%/*}/")" != "$(stat -c %d "$ledger")" ]; then
			c_target=${c_path%/*}/.acpflow-aside/$n/${c_path##*/}
		fi
	elif [ -e "$root$c_path" ] || [ -L "$root$c_path" ]; then
		[ -z "$c_path" ] || cp -a --no-dereference -- "$root$c_path" "$new/backup" || return
	fi
	for f in $fields; do
		v=c_$f
		printf '%s' "${!v-}" >"$new/$f" || return
	done
	printf begun >"$new/state" && mv -T -- "$new" "$ledger/changes/$n" || return
	entry=$ledger/changes/$n
	sync -f "$ledger" 2>/dev/null || sync
}

mark() {
	printf '%s' "$2" >"$1/state.new" && mv -f -- "$1/state.new" "$1/state"
}

# drop: the change never happened.
drop() {
	rm -rf -- "$ledger/changes/.dropped" && mv -T -- "$1" "$ledger/changes/.dropped" && rm -rf -- "$ledger/changes/.dropped"
}

staged() { printf '%s/.%s.acpflow-new' "${1%/*}" "${1##*/}"; }

# stage: the new file beside the old one, with its mode, owner and labels.
stage() {
	local p=$root$c_path new d top=
	new=$(staged "$p")
	d=${p%/*}
	while [ ! -d "$d" ]; do
		top=$d
		d=${d%/*}
	done
	if [ -n "$top" ]; then
		printf '%s' "${top#"$root"}" >"$entry/made" && (umask 022 && mkdir -p -- "${p%/*}") || return
	fi
	rm -f -- "$new" || return
	if [ "$c_kind" = link ]; then
		ln -s -- "$(printf '%s' "$c_data" | base64 -d)" "$new"
		return
	fi
	if [ -f "$p" ] && [ ! -L "$p" ]; then
		cp -a -- "$p" "$new" || return
	else
		: >"$new" && chmod "$c_mode" "$new" || return
	fi
	printf '%s' "$c_data" | base64 -d >"$new" || return
	if ! type -P restorecon >/dev/null || [ -e "$p" ]; then return 0; fi
	hook 'restorecon "$1"' "$new" || true
}

# unmake DIR: removes the folders that a change had to make, when empty.
unmake() {
	local made
	get made "$1/made"
	[ -z "$made" ] || find "$root$made" -depth -type d -empty -delete 2>/dev/null || true
}

do_file() {
	local now new
	now=$(fingerprint "$root$c_path")
	if [ "$now" = "$c_after" ]; then
		say already
		return 0
	fi
	if [ "$now" != "$c_before" ]; then
		say refused "it was changed since the plan was made: look at it, then plan again"
		return 1
	fi
	note || { say failed "the ledger could not be written"; return 1; }
	new=$(staged "$root$c_path")
	said="it could not be written"
	if ! stage || { [ -n "$c_check" ] && ! hook "$c_check" "$new"; } || ! mv -fT -- "$new" "$root$c_path"; then
		rm -f -- "$new"
		unmake "$entry"
		drop "$entry"
		say failed "$said"
		return 1
	fi
	finish
}

# finish: what has to run after the path has changed, and the end of the entry.
finish() {
	made+=("$entry")
	if [ -n "$c_then" ] && ! hook "$c_then"; then
		mark "$entry" done
		say failed "$c_then: $said"
		return 1
	fi
	mark "$entry" done
	say done
}

do_link() { do_file; }

do_generate() {
	if [ "$(fingerprint "$root$c_path")" != "$c_before" ]; then
		say refused "it was changed since the plan was made: look at it, then plan again"
		return 1
	fi
	note || { say failed "the ledger could not be written"; return 1; }
	if ! hook "$c_do"; then
		local why=$said
		restore "$entry" "$root$c_path" && drop "$entry"
		say failed "$c_do: $why"
		return 1
	fi
	fingerprint "$root$c_path" >"$entry/after"
	finish
}

do_command() {
	if [ -n "$c_seen" ] && hook "$c_seen"; then
		say already
		return 0
	fi
	note || { say failed "the ledger could not be written"; return 1; }
	if hook "$c_do" && { [ -z "$c_seen" ] || hook "$c_seen"; }; then
		made+=("$entry")
		mark "$entry" done
		say done
		return 0
	fi
	local why=${said:-it had no effect}
	hook "$c_undo"
	mark "$entry" undone
	say failed "$why"
	return 1
}

do_aside() {
	local p=$root$c_path
	if [ ! -e "$p" ] && [ ! -L "$p" ]; then
		say already
		return 0
	fi
	if grep -qF -- " $p/" /proc/self/mountinfo || grep -qF -- " $p " /proc/self/mountinfo; then
		say refused "it is, or holds, a mount point"
		return 1
	fi
	note || { say failed "the ledger could not be written"; return 1; }
	if ! mkdir -p -- "$root${c_target%/*}" || ! mv -T -- "$p" "$root$c_target"; then
		rmdir -- "$root${c_target%/*}" 2>/dev/null
		drop "$entry"
		say failed "it could not be moved"
		return 1
	fi
	finish
}

# change: does the change that the c_ variables describe; a fix stops at the
# first that fails.
change() {
	[ "$ok" = yes ] || return 0
	"do_$c_kind" || ok=no
}

# fix_begin, fix_end: all changes of a fix, or none.
fix_begin() {
	made=() ok=yes c_guard=$1
	[ -z "$c_guard" ] || guard_arm "$1" "$2" || { ok=no; c_path=guard; say failed "the rollback could not be armed: nothing was done"; }
}

fix_end() {
	local i
	if [ "$ok" = no ]; then
		for ((i = ${#made[@]} - 1; i >= 0; i--)); do undo_entry "${made[i]}"; done
	fi
	if [ "$ok" = yes ] && [ -n "$c_reboot" ]; then reboot_due; fi
	if [ -n "$c_guard" ] && { [ "$ok" = no ] || [ ${#made[@]} -eq 0 ]; }; then guard_end "$c_guard" unused; fi
}

load() {
	local f
	for f in $fields; do get "c_$f" "$1/$f"; done
	entry=$1
}

# get NAME FILE: its bytes, without starting a program.
get() { IFS= read -r -d '' "$1" <"$2" || true; }

# is ENTRY STATE
is() {
	local state=
	get state "$1/state"
	[ "$state" = "$2" ]
}

# restore ENTRY PATH: what lay there, with mode, owner and times.
restore() {
	local new
	new=$(staged "$2")
	if [ ! -e "$1/backup" ] && [ ! -L "$1/backup" ]; then
		rm -f -- "$2" && unmake "$1"
		return
	fi
	rm -f -- "$new" && cp -a --no-dereference -- "$1/backup" "$new" && mv -fT -- "$new" "$2"
}

# undo_entry ENTRY: takes one change back, done or half done, unless somebody
# else has changed the same thing since: then it returns 2.
undo_entry() {
	local now p begun=
	load "$1"
	p=$root$c_path
	if is "$1" begun; then
		begun=yes
		case $c_kind in
		file | link) rm -f -- "$(staged "$p")" ;;
		generate) c_after=$(fingerprint "$p") ;; # nobody knows how far its command came
		esac
	fi
	case $c_kind in
	file | link | generate)
		now=$(fingerprint "$p")
		if [ "$now" != "$c_before" ] && [ "$now" != "$c_after" ]; then
			say refused "it was changed after the fix: the old content is in $1/backup"
			return 2
		fi
		if [ "$now" != "$c_before" ] && ! restore "$1" "$p"; then
			say failed "the old content could not be put back: it is in $1/backup"
			return 1
		fi
		[ -z "$begun" ] || [ "$c_before" != absent ] || unmake "$1"
		;;
	command)
		if { [ -n "$begun" ] || [ -z "$c_seen" ] || hook "$c_seen"; } && ! hook "$c_undo"; then
			say failed "$c_undo: $said"
			return 1
		fi
		;;
	aside)
		if [ -e "$root$c_target" ] || [ -L "$root$c_target" ]; then
			if [ -e "$p" ] || [ -L "$p" ]; then
				say refused "there is something new at the path: the old one is at $c_target"
				return 2
			fi
			mv -T -- "$root$c_target" "$p" || { say failed "it could not be moved back from $c_target"; return 1; }
			rmdir -- "$root${c_target%/*}" 2>/dev/null
		fi
		;;
	esac
	if [ -n "$c_then" ] && ! hook "$c_then" && [ -z "${booting-}" ]; then
		say failed "$c_then: $said"
		return 1
	fi
	mark "$1" undone
	[ -z "$c_reboot" ] || reboot_due
	say undone
}

boot_id() { cat /proc/sys/kernel/random/boot_id; }

# reboot_due: notes that something counts only after a reboot; the note is void
# once the node has booted.
reboot_due() { boot_id >"$ledger/reboot"; }

# boot: which boot this is, and whether another is due.
boot() {
	local due=no
	[ "$(cat "$ledger/reboot" 2>/dev/null)" != "$(boot_id)" ] || due=due
	printf 'boot %s %s\n' "$(boot_id)" "$due" >&3
	count=$((count + 1))
}

# newest: the ledger's entries, the last change first.
newest() { ls -r "$ledger/changes"; }

# undo_all RUN TEMPORARY: takes back what is done; of one run, and only what
# holds for a time, when these are given.
undo_all() {
	local n e run
	for n in $(newest); do
		e=$ledger/changes/$n
		is "$e" done || continue
		get run "$e/run"
		[ -z "$1" ] || [ "$run" = "$1" ] || continue
		[ -z "$2" ] || [ -s "$e/temporary" ] || continue
		undo_entry "$e"
	done
}

# recover: finishes, or takes back, what a killed run left half done.
recover() {
	local n e g now
	for g in $(ls "$ledger/guards"); do # first: what they take back must not be finished
		! guard_holds "$g" || guard_back "$g"
	done
	for n in $(newest); do
		e=$ledger/changes/$n
		is "$e" begun || continue
		load "$e"
		case $c_kind in
		file | link)
			rm -f -- "$(staged "$root$c_path")"
			now=$(fingerprint "$root$c_path")
			if [ "$now" = "$c_before" ]; then
				unmake "$e"
				drop "$e"
			else # also when it was edited since: the backup must stay known
				[ -z "$c_then" ] || hook "$c_then"
				mark "$e" done
			fi
			;;
		generate)
			[ "$(fingerprint "$root$c_path")" = "$c_before" ] || restore "$e" "$root$c_path"
			drop "$e"
			;;
		command)
			if [ -n "$c_seen" ] && hook "$c_seen"; then
				mark "$e" done
			else
				hook "$c_undo"
				mark "$e" undone
			fi
			;;
		aside)
			if [ -e "$root$c_target" ] || [ -L "$root$c_target" ]; then
				[ -z "$c_then" ] || hook "$c_then"
				mark "$e" done
			else
				rmdir -- "$root${c_target%/*}" 2>/dev/null
				drop "$e"
			fi
			;;
		esac
	done
}

# list: what of the ledger still holds, the last first. It writes nothing.
list() {
	local n
	for n in $(newest); do
		if is "$ledger/changes/$n" done; then
			load "$ledger/changes/$n"
			say held "$c_temporary"
		elif is "$ledger/changes/$n" begun; then
			load "$ledger/changes/$n"
			say begun "a killed repair left it half done"
		fi
	done
}
