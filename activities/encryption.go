package activities

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
)

// Encryption reads, compares and copies the kube-apiservers' key files. Keys go
// from node to node through the worker's memory: they are in no argument, no
// result, no error and no other file.
type Encryption struct{ Hosts *Hosts }

// KeyFile is what may be told of one control plane's key file.
type KeyFile struct {
	Node      string                 `json:"node"`
	Present   bool                   `json:"present"`
	Owner     string                 `json:"owner,omitempty"`  // "root:root"
	Mode      string                 `json:"mode,omitempty"`   // "600"
	SHA256    string                 `json:"sha256,omitempty"` // of the file, hex
	Keys      encryption.Description `json:"keys,omitzero"`
	APIServer bool                   `json:"apiServer"` // a kube-apiserver runs there, or will
}

// KeyFiles are those of a cluster's control planes, in the document's order.
type KeyFiles struct {
	Files []KeyFile `json:"files"`
}

// readKeyFile tells "absent" or owner, group, mode and size, then whether an
// apiserver is there, then the file.
const readKeyFile = `set -u
f=` + encryption.Path + `
server=none
if [ -e /etc/kubernetes/manifests/kube-apiserver.yaml ]; then server=manifest; fi
for p in /proc/[0-9]*/comm; do
  { read -r name <"$p"; } 2>/dev/null || continue
  [ "$name" != kube-apiserver ] || server=process
done
if ! [ -e "$f" ] && ! [ -L "$f" ]; then echo "absent $server"; exit 0; fi
[ -f "$f" ] && ! [ -L "$f" ] || { echo "$f is no plain file" >&2; exit 1; }
echo "$(stat -c '%U:%G %a' "$f") $server" && head -c 65537 "$f"
`

// read returns what one control plane has, and the file itself.
func (a *Encryption) read(ctx context.Context, node Node) (KeyFile, secret.Value, error) {
	out := KeyFile{Node: node.Name}
	conn, err := a.Hosts.connect(ctx, node)
	if err != nil {
		return out, secret.Value{}, err
	}
	answer, err := conn.Run(ctx, ssh.Command{Op: "read the encryption configuration", Script: readKeyFile, Sudo: true})
	if err != nil {
		return out, secret.Value{}, err
	}
	return parseKeyFile(node.Name, answer.Stdout)
}

// parseKeyFile understands what readKeyFile prints.
func parseKeyFile(node, answer string) (KeyFile, secret.Value, error) {
	out := KeyFile{Node: node}
	place := node + ":" + encryption.Path
	head, body, _ := strings.Cut(answer, "\n")
	words := strings.Fields(head)
	if len(words) == 2 && words[0] == "absent" {
		out.APIServer = words[1] != "none"
		return out, secret.Value{}, nil
	}
	if len(words) != 3 {
		return out, secret.Value{}, fault.New(fault.Protocol, "read the encryption configuration", place, "", errors.New("the answer is not understood"))
	}
	file := secret.NewValue([]byte(body))
	out.Present, out.Owner, out.Mode, out.APIServer = true, words[0], words[1], words[2] != "none"
	out.SHA256 = encryption.Hash(file)
	config, err := encryption.Parse(file, place)
	if err == nil {
		out.Keys = config.Describe()
	}
	return out, file, err
}

// ReadKeys tells of each control plane of a cluster whether it has a key file,
// whose it is and which keys are in it, by name and hash (FAQ-01, DR-24).
func (a *Encryption) ReadKeys(ctx context.Context, in Scope) (KeyFiles, error) {
	nodes, err := in.controlPlanes()
	if err != nil {
		return KeyFiles{}, err
	}
	out := KeyFiles{Files: make([]KeyFile, len(nodes))}
	err = onEach(ctx, nodes, func(ctx context.Context, i int) error {
		var err error
		out.Files[i], _, err = a.read(ctx, nodes[i])
		return err
	})
	return out, err
}

// CompareKeys demands that every control plane of both sides has the same key
// file, root:root 0600 (DR-24). fault.Gate names every node that differs.
func (a *Encryption) CompareKeys(ctx context.Context, in PairInput) (Evidence, error) {
	primary, err := a.ReadKeys(ctx, in.primary())
	standby, err2 := a.ReadKeys(ctx, in.standby())
	if err := joined(err, err2); err != nil {
		return Evidence{}, err
	}
	files := append(primary.Files, standby.Files...)
	return sameKeys(files)
}

// sameKeys compares with the first primary control plane's.
func sameKeys(files []KeyFile) (Evidence, error) {
	var wrong []string
	first := files[0]
	for _, f := range files {
		switch {
		case !f.Present:
			wrong = append(wrong, f.Node+" has none")
		case f.Owner != "root:root" || f.Mode != "600":
			wrong = append(wrong, fmt.Sprintf("%s: it is %s %s, wanted is root:root 600", f.Node, f.Owner, f.Mode))
		case f.SHA256 != first.SHA256:
			wrong = append(wrong, fmt.Sprintf("%s has %s (file %.12s), %s has %s (file %.12s)", f.Node, f.Keys, f.SHA256, first.Node, first.Keys, first.SHA256))
		}
	}
	if len(wrong) > 0 {
		return Evidence{}, fault.New(fault.Gate, "compare the encryption keys of both sides", encryption.Path,
			"a standby that is not installed yet gets the primary's file by acpflow install-pair; two installed sides need acpflow merge-keys; owner and mode: chown root:root, chmod 600",
			errors.New(strings.Join(wrong, "; ")))
	}
	return Evidence{
		Summary: fmt.Sprintf("%d control planes have the same key file, root:root 0600", len(files)),
		Facts:   map[string]string{"sha256": first.SHA256, "keys": first.Keys.String(), "nodes": fmt.Sprint(len(files))},
	}, nil
}

// keyTemp is where a file is written before it gets its name: beside it, so that
// renaming is one step, and always the same, so that a killed attempt leaves
// nothing that the next one does not take away.
var keyTemp = path.Join(path.Dir(encryption.Path), "."+path.Base(encryption.Path)+".acpflow")
