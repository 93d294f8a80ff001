package upload

import (
	"fmt"
	"path"
	"strings"

	"github.com/acpflow/acpflow/internal/ssh"
)

// Beside the destination DIR/NAME lives the folder DIR/.NAME.acpflow:
//
//	lock       held by the attempt that may change anything here
//	writers    held (shared) by every channel that writes the part
//	part       the bytes so far; journal: one line "offset length" per finished block
//	identity   which file and step the part belongs to; part-owner: whose it is
//	attempt    a word only the current attempt knows
//	verified   SHA-256 of NAME, and the size, inode and times it was seen with
//	owner      who uploaded NAME
const prelude = `set -uo pipefail; umask 077
dir=%s; dst=%s; side=%s; links=%s
facts() { stat -c "%%s %%i %%y %%z" "$1"; }
# openssl uses the CPU's SHA instructions, sha256sum often does not: 5 times faster.
hash() {
  if command -v openssl >/dev/null && openssl dgst -sha256 -r </dev/null >/dev/null 2>&1
  then openssl dgst -sha256 -r; else sha256sum; fi | cut -d" " -f1
}
fail() { echo "$*" >&2; exit 1; }
# evict kills what holds one of our files: an earlier attempt whose worker is
# dead or cut off. Our own process group has the file open too.
evict() {
  local own other link p
  read -r _ _ _ _ own _ </proc/$$/stat
  for link in $(find /proc/[0-9]*/fd -maxdepth 1 -lname "$links/$1" 2>/dev/null); do
    [ "$link" -ef "$side/$1" ] || continue # a container's file of the same name
    p=${link#/proc/}; p=${p%%%%/*}
    { read -r _ _ _ _ other _ </proc/$p/stat; } 2>/dev/null || continue
    [ "$other" = "$own" ] || kill -KILL "$p" 2>/dev/null
  done
}
seize() {
  local i
  for i in 1 2 3 4 5; do
    mkdir -p "$side" || exit 1
    exec 9>>"$side/lock" || exit 1
    flock -w 3 9 || { evict lock; flock -w 10 9 || fail "an earlier attempt holds $side/lock and does not die"; }
    [ "$side/lock" -ef /proc/$BASHPID/fd/9 ] && break # it may have been removed while we waited
  done
  cd "$side" || exit 1
  exec 8>>writers || exit 1
  flock -w 3 8 || { evict writers; flock -w 10 8 || fail "an earlier attempt holds $side/writers and does not die"; }
  exec 8>&-
}
`

// control runs for the whole upload and holds the lock. Its dialogue:
//
//	> have SHA            only when the destination has the right size
//	< send                only after have; or end of input: nothing to do
//	> block OFFSET LENGTH …, room BYTES, ready
//	< commit SHA|-        or discard
//	> committed
const control = `
size=%d; token=%s; owner=%s; mode=%s; check=%t; identity=%s
mkdir -p "$dir" || exit 1
for t in flock dd stat find; do command -v $t >/dev/null || fail "$t is missing on the node"; done
dd if=/dev/null of=/dev/null iflag=fullblock,count_bytes oflag=seek_bytes count=0 status=none || fail "GNU dd (coreutils 8.16 or newer) is needed"
seize
if $check && [ -f "$dst" ] && [ "$(stat -c %%s "$dst")" = "$size" ]; then
  have=
  { read -r known; read -r seen; } 2>/dev/null <verified && [ "$seen" = "$(facts "$dst")" ] && have=$known
  if [ -z "$have" ]; then
    seen=$(facts "$dst"); have=$(hash <"$dst") || exit 1
    printf "%%s\n%%s\n" "$have" "$seen" >verified.new && mv -f verified.new verified
  fi
  echo "have $have"
  read -r verb || exit 0
fi
if [ "$(cat identity 2>/dev/null)" != "$identity" ] || ! [ -f part ]; then
  rm -f part journal && : >part && : >journal && printf "%%s\n" "$identity" >identity || exit 1
fi
printf "%%s\n" "$token" >attempt && printf "%%s\n" "$owner" >part-owner || exit 1
echo >>journal # closes a line that was cut short
sed "s/^/block /" journal
avail=$(stat -f -c "%%a %%S" .); used=$(stat -c "%%b %%B" part)
echo "room $(( ${avail%% *} * ${avail#* } + ${used%% *} * ${used#* } ))"
echo ready
read -r verb sha || exit 0
rm -f attempt
if [ "$verb" = discard ]; then rm -f part journal identity part-owner; echo discarded; exit 0; fi
[ "$(stat -c %%s part)" = "$size" ] || fail "the part has $(stat -c %%s part) bytes instead of $size"
chmod "$mode" part && dd if=/dev/null of=part conv=notrunc,fsync status=none || exit 1
rm -f verified
mv -fT part "$dst" || exit 1
mv -f part-owner owner
[ "$sha" = - ] || { printf "%%s\n%%s\n" "$sha" "$(facts "$dst")" >verified.new && mv -f verified.new verified; }
rm -f journal identity
echo committed
`

// channel takes "OFFSET LENGTH", that many bytes and "ok", again and again. A
// cut connection looks like the end of input, so a block counts only after ok.
// Before the first line the folder may not be ours yet, or not exist.
const channel = `
token=%s joined=
while read -r off len; do
  if [ -z "$joined" ]; then
    cd "$side" && exec 8>>writers && flock -s -w 20 8 && [ "$(cat attempt)" = "$token" ] || exit 75
    joined=yes
  fi
  dd of=part bs=128k count="$len" seek="$off" iflag=fullblock,count_bytes oflag=seek_bytes conv=notrunc,nocreat status=none || exit 1
  read -r fin && [ "$fin" = ok ] || exit 1
  echo "$off $len" >>journal || exit 1
  echo "$off"
done
`

// hasher takes "OFFSET LENGTH" of finished ranges in order and prints the
// SHA-256 of them all.
const hasher = `
while read -r off len; do
  dd if="$side/part" bs=128k skip="$off" count="$len" iflag=skip_bytes,count_bytes status=none || exit 1
done | hash
`

// remove deletes what one owner has uploaded, partial or whole.
const remove = `
owner=%s
[ -d "$side" ] || { echo kept; exit 0; }
seize
found=kept
if [ "$(cat part-owner 2>/dev/null)" = "$owner" ]; then rm -f part journal identity part-owner attempt; found=removed; fi
if [ "$(cat owner 2>/dev/null)" = "$owner" ]; then rm -f "$dst" verified owner; found=removed; fi
[ -e owner ] || [ -e part ] || { cd / && rm -rf "$side"; }
echo "$found"
`

// script puts a body behind the prelude.
func (s Spec) script(body string, args ...any) string {
	dir, name := path.Split(s.Remote)
	side := dir + "." + name + ".acpflow"
	escaped := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(side)
	return fmt.Sprintf(prelude, ssh.Quote(dir), ssh.Quote(s.Remote), ssh.Quote(side), ssh.Quote(escaped)) + fmt.Sprintf(body, args...)
}
