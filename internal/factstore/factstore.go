// Package factstore keeps what a check read in a folder of readable files, so
// that it can be judged again without the nodes:
//
//	NODE.facts     a header line, then the collector's output as it came, or why there is none
//	mesh.json      what the nodes saw of one another
//	balancer.json  how the cluster address forwards
//	package.json   what the Core Package holds
//	unprobed       why mesh and load balancer were not probed
//	judged         when the facts were judged, RFC 3339
//
// The header is "acpflow-record NODE SENT RECEIVED KIND"; a time that is not
// known is "-". A NODE.facts without a header is the output of the collector
// that somebody ran by hand.
package factstore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
)

// File names of a folder of facts.
const (
	factsSuffix  = ".facts"
	meshFile     = "mesh.json"
	balancerFile = "balancer.json"
	packageFile  = "package.json"
	unprobedFile = "unprobed"
	judgedFile   = "judged"
)

const magic = "acpflow-record"

// Kinds of a node's file.
const (
	kindOutput = "output"
	kindFault  = "fault"
	kindNoSudo = "no-sudo" // a fault: no root rights without a password
)

// maxFile bounds one file, in bytes: a node's facts have some hundred values
// of at most 64 KiB, and noise before them.
const maxFile = 64 << 20

// nodeName is a host name; it can't leave the folder or hide in it.
var nodeName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$`)

func nodeFile(node string) (string, error) {
	if !nodeName.MatchString(node) || strings.Contains(node, "..") {
		return "", fmt.Errorf("%.64q can be no node's file name", node)
	}
	return node + factsSuffix, nil
}

// vacant returns the folder's real path. It must be empty or not be there:
// facts are evidence and never overwritten.
func vacant(dir string) (string, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	entries, err := os.ReadDir(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return path, nil
	case err != nil:
		return "", err
	case len(entries) > 0:
		return "", fmt.Errorf("the folder is not empty, it has %q", entries[0].Name())
	}
	return filepath.EvalSymlinks(path)
}

func bad(operation, place, fix string, err error) error {
	return fault.New(fault.BadInput, operation, place, fix, err)
}
