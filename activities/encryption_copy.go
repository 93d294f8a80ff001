package activities

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
)

// CopyKeysInput names the pair and the run that copies, so that its undo takes
// away only what it wrote.
type CopyKeysInput struct {
	PairInput
	Run string `json:"run"`
}

// keyLedger remembers on a node which run wrote which key file. It is outside
// /etc/kubernetes, which must be empty before an install (GEN-04).
const keyLedger = "/var/lib/acpflow/encryption-key"

// holdKeys is the beginning of every script that changes a key file: one at a
// time, because an attempt whose worker died may still run.
var holdKeys = `set -u; umask 077
f=` + encryption.Path + `; tmp=` + keyTemp + `; ledger=` + keyLedger + `
fail() { echo "$*" >&2; exit 1; }
mkdir -p "${ledger%/*}" || exit 1
exec 9>>"$ledger.lock" || exit 1
flock -w 30 9 || fail "another attempt holds $ledger.lock"
hash() { sha256sum <"$1" | cut -d" " -f1; }
# put reads a file of that SHA-256 from stdin and gives it its name in one step.
put() {
  trap 'rm -f "$tmp"' EXIT
  rm -f "$tmp" && cat >"$tmp" || exit 1
  [ "$(hash "$tmp")" = "$1" ] || fail "the file did not arrive whole"
  chown root:root "$tmp" && chmod 600 "$tmp" && sync "$tmp" && mv -fT "$tmp" "$f" && sync "${f%/*}"
}
`

// CopyKeys gives every control plane of the standby the key file of the
// primary's first one, before its install (DR-21, DR-24). Nothing lies in /tmp in
// between, as it does in the document's way. A standby that runs with another file
// is fault.Gate: it can't read any more what it wrote.
func (a *Encryption) CopyKeys(ctx context.Context, in CopyKeysInput) (Evidence, error) {
	primary, standby := in.primary(), in.standby()
	sources, err := primary.controlPlanes()
	if err != nil {
		return Evidence{}, err
	}
	nodes, err := standby.controlPlanes()
	if err != nil {
		return Evidence{}, err
	}
	source, file, err := a.read(ctx, sources[0])
	if err != nil {
		return Evidence{}, err
	}
	if !source.Present {
		return Evidence{}, fault.New(fault.Gate, "copy the encryption key", source.Node+":"+encryption.Path,
			"install the primary first", errors.New("there is none"))
	}
	before, err := a.ReadKeys(ctx, standby)
	if err != nil {
		return Evidence{}, err
	}
	if err := mayReplace(before.Files, source.SHA256); err != nil {
		return Evidence{}, err
	}
	err = onEach(ctx, nodes, func(ctx context.Context, i int) error {
		return a.write(ctx, nodes[i], file, in.Run)
	})
	if err != nil {
		return Evidence{}, err
	}
	return a.CompareKeys(ctx, in.PairInput)
}

// mayReplace refuses to take a key away: one that an apiserver has written with
// is what its data is readable by, and any other may be the last copy.
func mayReplace(files []KeyFile, want string) error {
	var used, other []error
	for _, f := range files {
		switch {
		case f.SHA256 == want:
		case f.APIServer && f.Present:
			used = append(used, fmt.Errorf("%s has a kube-apiserver with another key file", f.Node))
		case f.APIServer:
			used = append(used, fmt.Errorf("%s has a kube-apiserver with no key file", f.Node))
		case f.Present:
			other = append(other, fmt.Errorf("%s has another key file, which nothing uses", f.Node))
		}
	}
	const op = "copy the encryption key"
	switch {
	case len(used) > 0:
		return fault.New(fault.Gate, op, encryption.Path,
			"the standby is installed already: give both sides both keys with acpflow merge-keys, or reinstall the standby", errors.Join(used...))
	case len(other) > 0:
		return fault.New(fault.Gate, op, encryption.Path, "keep it elsewhere if a backup needs it, remove it there, then retry", errors.Join(other...))
	}
	return nil
}

// write puts the file on a node unless it is there. The ledger is written before,
// so that what a killed attempt did can be taken back.
func (a *Encryption) write(ctx context.Context, node Node, file secret.Value, run string) error {
	conn, err := a.Hosts.connect(ctx, node)
	if err != nil {
		return err
	}
	sum := encryption.Hash(file)
	script := holdKeys + fmt.Sprintf(`want=%s; run=%s
d=${f%%/*}
[ -d "$d" ] || mkdir -m 0755 "$d" || exit 1
if [ -f "$f" ] && ! [ -L "$f" ] && [ "$(hash "$f")" = "$want" ]; then
  rm -f "$tmp"
  [ "$(stat -c %%U:%%G:%%a "$f")" = root:root:600 ] || { chown root:root "$f" && chmod 600 "$f"; }
  exit
fi
if [ -e "$f" ] || [ -L "$f" ]; then fail "another file is there now"; fi
echo "$run $want" >"$ledger.new" && mv -f "$ledger.new" "$ledger" || exit 1
put "$want"
`, ssh.Quote(sum), ssh.Quote(run))
	_, err = conn.Run(ctx, ssh.Command{Op: "write the encryption configuration", Script: script, Stdin: bytes.NewReader(file.Reveal()), Sudo: true})
	return err
}

// RemoveKeys takes back what CopyKeys of the run wrote: only where the file is
// still that one and no apiserver is there. A node where it was before keeps it.
func (a *Encryption) RemoveKeys(ctx context.Context, in CopyKeysInput) (Evidence, error) {
	standby := in.standby()
	nodes, err := standby.controlPlanes()
	if err != nil {
		return Evidence{}, err
	}
	said := make([]string, len(nodes))
	err = onEach(ctx, nodes, func(ctx context.Context, i int) error {
		conn, err := a.Hosts.connect(ctx, nodes[i])
		if err != nil {
			return err
		}
		script := holdKeys + "run=" + ssh.Quote(in.Run) + removeKey
		out, err := conn.Run(ctx, ssh.Command{Op: "remove the encryption configuration", Script: script, Sudo: true})
		said[i] = nodes[i].Name + ": " + tail(out.Stdout)
		return err
	})
	if err != nil {
		return Evidence{}, err
	}
	return Evidence{Summary: "the copied key files are gone, where nothing uses them", Tail: joinLines(said)}, nil
}

const removeKey = `
rm -f "$tmp"
read -r owner sum 2>/dev/null <"$ledger" || owner=
if [ "$owner" != "$run" ]; then echo "not written by this run, kept"; exit 0; fi
if ! [ -e "$f" ]; then rm -f "$ledger"; echo "there is none"; exit 0; fi
if [ "$(hash "$f")" != "$sum" ]; then echo "changed since, kept"; exit 0; fi
[ ! -e /etc/kubernetes/manifests/kube-apiserver.yaml ] || { echo "a kube-apiserver uses it, kept"; exit 0; }
rm -f "$f" && sync "${f%/*}" && rm -f "$ledger" && echo removed
`

func joinLines(lines []string) string {
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	return b.String()
}
