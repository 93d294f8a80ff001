package factstore

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/acpflow/acpflow/checks"
)

// Save writes a record into a folder that is new or empty, readable for its
// owner alone. The folder appears complete or not at all. Errors are
// fault.BadInput.
func Save(dir string, r checks.Record) error {
	files, err := filesOf(r)
	if err != nil {
		return bad("save facts", dir, "correct the names of the nodes", err)
	}
	target, err := vacant(dir)
	if err != nil {
		return bad("save facts", dir, "name a folder that does not exist yet", err)
	}
	if err := write(target, files); err != nil {
		return bad("save facts", dir, "make room there, or name another folder", err)
	}
	return nil
}

// Check tells beforehand whether Save would refuse the folder.
func Check(dir string) error {
	if _, err := vacant(dir); err != nil {
		return bad("save facts", dir, "name a folder that does not exist yet", err)
	}
	return nil
}

// write makes the folder beside its place and moves it there.
func write(target string, files map[string][]byte) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(filepath.Dir(target), "."+filepath.Base(target)+".") // 0700
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(tmp) }() // moved away when all went well
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(tmp, name), data, 0o600); err != nil {
			return err
		}
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) { // only if it is empty
		return err
	}
	return os.Rename(tmp, target)
}

// filesOf are the folder's files by name.
func filesOf(r checks.Record) (map[string][]byte, error) {
	files := map[string][]byte{judgedFile: []byte(stamp(r.Judged) + "\n")}
	for _, n := range r.Nodes {
		name, err := nodeFile(n.Node)
		if err != nil {
			return nil, err
		}
		files[name] = nodeText(n)
	}
	if r.Unprobed != "" {
		files[unprobedFile] = []byte(r.Unprobed)
	}
	for _, part := range []struct {
		name string
		have bool
		v    any
	}{{meshFile, r.Mesh != nil, r.Mesh}, {balancerFile, r.Balancer != nil, r.Balancer}, {packageFile, r.Package != nil, r.Package}} {
		if !part.have {
			continue
		}
		data, err := json.MarshalIndent(part.v, "", " ")
		if err != nil {
			return nil, err
		}
		files[part.name] = append(data, '\n')
	}
	return files, nil
}

func nodeText(n checks.NodeRecord) []byte {
	kind, text := kindOutput, n.Output
	switch {
	case n.Fault == "":
	case n.NoSudo:
		kind, text = kindNoSudo, n.Fault
	default:
		kind, text = kindFault, n.Fault
	}
	return []byte(strings.Join([]string{magic, n.Node, stamp(n.Sent), stamp(n.Received), kind}, " ") + "\n" + text)
}

// stamp is a time as the files have it.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format(time.RFC3339Nano)
}
