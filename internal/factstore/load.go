package factstore

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/acpflow/acpflow/checks"
)

// Load reads a folder of facts; nodes come in the order of their names. A file
// that is no part of it is refused: a misspelt one must not be passed over.
// Judged is zero when the folder does not tell. Errors are fault.BadInput.
func Load(dir string) (checks.Record, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return checks.Record{}, bad("load facts", dir, "name a folder that acpflow preflight --save-facts wrote", err)
	}
	var r checks.Record
	for _, e := range entries { // sorted by name
		if err := load(&r, dir, e.Name()); err != nil {
			return checks.Record{}, bad("load facts", filepath.Join(dir, e.Name()), "mend or remove the file, or save the facts again", err)
		}
	}
	if len(r.Nodes) == 0 {
		return checks.Record{}, bad("load facts", dir, "name a folder that acpflow preflight --save-facts wrote", errors.New("there are no facts of any node"))
	}
	return r, nil
}

func load(r *checks.Record, dir, name string) error {
	if strings.HasPrefix(name, ".") { // of an editor or a file manager
		return nil
	}
	data, err := read(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	switch name {
	case meshFile:
		return part(data, &r.Mesh)
	case balancerFile:
		return part(data, &r.Balancer)
	case packageFile:
		return part(data, &r.Package)
	case unprobedFile:
		r.Unprobed = string(data)
		return nil
	case judgedFile:
		r.Judged, err = parseStamp(strings.TrimSpace(string(data)))
		return err
	}
	node, ok := strings.CutSuffix(name, factsSuffix)
	if _, err := nodeFile(node); !ok || err != nil {
		return errors.New("this is no file of a folder of facts")
	}
	n, err := parseNode(node, string(data))
	r.Nodes = append(r.Nodes, n)
	return err
}

// read reads a regular file of bounded size: a pipe would hang.
func read(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("this is no regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("more than %d MiB", maxFile>>20)
	}
	return data, err
}

// part decodes strictly: a field that this release does not know would be lost.
func part[T any](data []byte, to **T) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return err
	}
	switch _, err := dec.Token(); {
	case !errors.Is(err, io.EOF):
		return errors.New("there is more than one JSON value")
	case *to == nil:
		return errors.New("the file says null; remove it")
	}
	return nil
}

func parseNode(node, text string) (checks.NodeRecord, error) {
	head, rest, _ := strings.Cut(text, "\n")
	fields := strings.Split(head, " ")
	if fields[0] != magic {
		return checks.NodeRecord{Node: node, Output: text}, nil
	}
	n := checks.NodeRecord{Node: node}
	if len(fields) != 5 {
		return n, fmt.Errorf("the header is not understood: %.200q", head)
	}
	if fields[1] != node {
		return n, fmt.Errorf("the header names another node: %.64q", fields[1])
	}
	var err1, err2 error
	n.Sent, err1 = parseStamp(fields[2])
	n.Received, err2 = parseStamp(fields[3])
	if err := errors.Join(err1, err2); err != nil {
		return n, err
	}
	switch kind := fields[4]; {
	case kind == kindOutput:
		n.Output = rest
	case rest == "":
		return n, errors.New("the reason of the fault is missing")
	case kind == kindFault || kind == kindNoSudo:
		n.Fault, n.NoSudo = rest, kind == kindNoSudo
	default:
		return n, fmt.Errorf("the header is not understood: %.200q", head)
	}
	return n, nil
}

func parseStamp(s string) (time.Time, error) {
	if s == "-" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return time.Time{}, fmt.Errorf("no time: %.64q", s)
	}
	return t.UTC(), nil
}
