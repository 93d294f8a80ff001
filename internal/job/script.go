package job

import (
	"crypto/sha256"
	"fmt"

	"github.com/acpflow/acpflow/internal/ssh"
)

// The record of a job is a folder on the node:
//
//	ID.lock   serialises those who start, cancel or archive it (never deleted)
//	ID/run    locked by the supervisor as long as it lives
//	ID/started  "pid boot-id epoch"; ID/exit "code epoch", written last by rename
//	ID/log    stdout and stderr; ID/sha which script it is; ID/cancelled
//
// The kernel drops the lock on `run` with the supervisor, so "is it running?"
// never rests on a process id that may belong to somebody else by now.
const prelude = `set -u; umask 077
base=%s; d=$base/%s; sha=%s; wait=%d
boot=$(cat /proc/sys/kernel/random/boot_id)
state() {
  local s b t
  if [ -f "$d/exit" ]; then echo "done"; return; fi
  if [ ! -f "$d/started" ]; then echo none; return; fi
  flock -n -s "$d/run" true || { echo running; return; }
  if [ -f "$d/exit" ]; then echo "done"; return; fi
  read -r s b t <"$d/started"
  if [ "$b" = "$boot" ]; then echo vanished; else echo rebooted; fi
}
enter() {
  command -v flock >/dev/null && command -v setsid >/dev/null || { echo "flock and setsid (util-linux) are missing" >&2; exit 1; }
  mkdir -p "$base" || exit 1
  exec 9>"$d.lock" || exit 1
  flock -w 30 9 || { echo "another command holds $d.lock" >&2; exit 75; }
}
`

// supervisor runs the job detached. It does nothing when another one has
// started, so two of them can't run the script twice. TERM reaches the whole
// group; the supervisor outlives it to write the exit code. The record is for
// root alone, but what the script makes gets the usual mode.
const supervisor = `s=$(cat); exec </dev/null 8>run
flock -w 10 8 || exit 0
[ -f started ] && exit 0
trap "" HUP; trap : TERM INT
printf "%s %s %s\n" "$$" "$(cat /proc/sys/kernel/random/boot_id)" "$(date +%s)" >started.new && mv -f started.new started || exit 1
(exec 8>&-; trap - TERM INT; umask 022; eval "$s"); r=$?
printf "%s %s\n" "$r" "$(date +%s)" >exit.new && mv -f exit.new exit
`

// start reads the script from stdin, prints the state it found and sees to it
// that the job has started.
const start = `
script=$(cat)
enter
now=$(state)
if [ "$now" = none ]; then
  rm -rf "$d"; mkdir "$d" && printf '%%s\n' "$sha" >"$d/sha" || exit 1
  printf '%%s' "$script" | (cd "$d" && exec setsid bash --norc --noprofile -c %s acpflow-job >>log 2>&1 9>&-) &
  for i in $(seq 500); do [ -f "$d/started" ] && break; sleep 0.02; done
  [ -f "$d/started" ] || { echo "the job did not start: $(tail -c 500 "$d/log")" >&2; exit 1; }
elif [ "$(cat "$d/sha")" != "$sha" ]; then
  exit 65
fi
echo "$now"
`

// watch waits for the end, at most $wait seconds, and prints
// "state code started ended size" and the end of the log.
const watch = `
[ -f "$d/exit" ] || flock -w "$wait" -s "$d/run" true
s=$(state) c=- b=- e=-
[ -f "$d/started" ] && read -r _ _ b <"$d/started"
[ -f "$d/exit" ] && read -r c e <"$d/exit"
[ -f "$d/cancelled" ] && s=cancelled
echo "$s $c $b $e $(stat -c %%s "$d/log" 2>/dev/null || echo 0)"
tail -c 4096 "$d/log" 2>/dev/null || true
`

// archive moves the record of a failed job aside: told once, it must not
// answer for the next try.
const archive = `
enter
[ -d "$d" ] || exit 0
[ "$(state)" = running ] && exit 0
rm -rf "$d.failed" && mv "$d" "$d.failed"
`

// cancel ends the process group, gently first, and removes the record.
const cancel = `
enter
if [ "$(state)" = running ]; then
  : >"$d/cancelled"
  read -r g _ _ <"$d/started"
  kill -TERM -- "-$g" 2>/dev/null
  flock -w "$wait" -s "$d/run" true || kill -KILL -- "-$g" 2>/dev/null
  flock -w 10 -s "$d/run" true || { echo "process group $g does not die" >&2; exit 1; }
fi
rm -rf "$d" "$d.failed"
`

// command fills a script in.
func (s Spec) command(op, body string, wait int, args ...any) ssh.Command {
	head := fmt.Sprintf(prelude, ssh.Quote(s.dir()), ssh.Quote(s.ID), s.digest(), wait)
	return ssh.Command{Op: op + " job " + s.ID, Script: head + fmt.Sprintf(body, args...), Sudo: s.Sudo}
}

func (s Spec) digest() string { return fmt.Sprintf("%x", sha256.Sum256([]byte(s.Script))) }
