package safecopy

// Beside NAME lie NAME.sha256, and while somebody writes .NAME.part.XXXXXX, which
// the writer holds locked: one that nobody holds is what a dead attempt left. The
// lock of the folder is held while parts are made or removed and while one gets its
// name, never while bytes come.
const prelude = `set -uo pipefail; umask 077
f=$dir/$name
fail() { echo "$*" >&2; exit 1; }
# openssl uses the CPU's SHA instructions, sha256sum often does not.
hash() {
  if command -v openssl >/dev/null && openssl dgst -sha256 -r </dev/null >/dev/null 2>&1
  then openssl dgst -sha256 -r; else sha256sum; fi | cut -d" " -f1
}
# whole tells what is there; nothing is said of what is not.
whole() {
  [ -e "$f" ] || [ -L "$f" ] || return 0
  local want="" have
  [ -f "$f" ] && ! [ -L "$f" ] && read -r want _ 2>/dev/null <"$f.sha256"
  have=$(hash <"$f") || exit 1
  if [ -n "$want" ] && [ "$have" = "$want" ]; then echo "kept $have $(stat -c "%s %Y" "$f") before"; else echo damaged; fi
}
`

const find = `
said=$(whole) || exit 1
echo "${said:-none}"
`

// keep reads the content from its standard input.
const keep = `
for t in flock mktemp od; do command -v $t >/dev/null || fail "$t is missing on the node"; done
install -d -m 0700 -o root -g root "${dir%/*}" "$dir" || exit 1
exec 8>>"$dir/.lock" || exit 1
lock() { flock -w 60 8 || fail "another attempt holds $dir/.lock and does not let go"; }
part=
trap '[ -z "$part" ] || rm -f "$part"' EXIT
lock
said=$(whole) || exit 1
[ -z "$said" ] || { echo "$said"; exit 0; }
for p in "$dir/.$name.part."*; do
  [ -e "$p" ] || continue
  (exec 7<"$p" && flock -n 7 && rm -f "$p") || true
done
read -r total avail < <(df -P -B1 "$dir" | awk 'NR == 2 { print $2, $4 }') || fail "df tells nothing of $dir"
if [ $((avail - need)) -lt $((total / 10)) ]; then echo "full $avail $total $need"; exit 0; fi
part=$(mktemp "$dir/.$name.part.XXXXXX") && exec 9>>"$part" && flock -n 9 || fail "cannot write into $dir"
flock -u 8
cat >&9 || exit 1
size=$(stat -c %s "$part") sealed=no
case $seal in
etcd)
  if [ "$size" -gt 32 ] && [ $((size % 512)) = 32 ] &&
    [ "$(head -c $((size - 32)) "$part" | hash)" = "$(tail -c 32 "$part" | od -An -v -tx1 | tr -d ' \n')" ]; then sealed=yes; fi ;;
text)
  if [ "$size" -gt 73 ] && [ "$(tail -n 1 "$part")" = "# sha256 $(head -c $((size - 74)) "$part" | hash)" ]; then sealed=yes; fi ;;
esac
[ $sealed = yes ] || { echo torn; exit 0; }
sum=$(hash <"$part") || exit 1
dd if=/dev/null of="$part" conv=notrunc,fsync status=none || exit 1
lock
said=$(whole) || exit 1
[ -z "$said" ] || { echo "$said"; exit 0; } # another attempt was faster
printf "%s  %s\n" "$sum" "$name" >"$f.sha256.new" && dd if=/dev/null of="$f.sha256.new" conv=notrunc,fsync status=none &&
  mv -fT "$f.sha256.new" "$f.sha256" && mv -T "$part" "$f" || exit 1
part=
sync "$dir" 2>/dev/null || sync
echo "kept $sum $(stat -c "%s %Y" "$f") new"
`
