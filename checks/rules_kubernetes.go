package checks

import (
	"fmt"
	"strings"
)

var rulesOfScope = []Rule{planFirst, existingKubernetes, drFirst}

// encryptionFile is put on the nodes of a standby cluster before its install.
const encryptionFile = "/etc/kubernetes/encryption-provider.conf"

var existingKubernetes = Rule{
	ID: "GEN-04", Title: "No Kubernetes is installed", Source: headScope, Subject: OneNode, Category: Must, Strict: true,
	Want:  "no Kubernetes process or kubelet service, no file in /etc/kubernetes, no etcd data",
	Fix:   "back up the data and clean the node (kubeadm reset, or reinstall its system)",
	judge: judgeExisting,
}

// judgeExisting looks for what an earlier install leaves running or on disk.
func judgeExisting(s subject) verdict {
	processes, err := s.words("processes")
	if err != nil {
		return unknown(err)
	}
	files, _, err := s.file("kubernetes-files")
	if s.cut("kubernetes-files") { // more files than fit are files too
		files, err = s.values["kubernetes-files"].text, nil
	}
	if err != nil {
		return unknown(err)
	}
	etcd, err := s.paths("etcd-data")
	if err != nil {
		return unknown(err)
	}
	units, err := s.units("kubelet")
	if err != nil {
		return unknown(err)
	}
	var found []string
	if units["kubelet"].runs() {
		found = append(found, "service kubelet is "+clip(units["kubelet"].active))
	}
	for _, p := range processes {
		found = append(found, fmt.Sprintf("process %s (pid %s)", clip(p[len(p)-1]), clip(p[0])))
	}
	encryption := false
	for _, name := range strings.FieldsFunc(files, func(r rune) bool { return r == '\n' }) {
		if name == encryptionFile {
			encryption = true
			continue
		}
		found = append(found, clip(name))
	}
	for _, p := range etcd {
		if p.state != absent {
			found = append(found, p.path)
		}
	}
	switch {
	case len(found) > 0:
		return fail(several(found))
	case encryption && s.dr:
		return pass("only " + encryptionFile + ", as a disaster recovery pair demands")
	case encryption:
		return warn(encryptionFile).withFix("remove the file, or set dr.planned in the site document")
	}
	return pass("none")
}

// PlatformOn says, from a node's findings, why nothing may be changed on it that
// a live cluster needs: Kubernetes is, or may be, there (GEN-04). Empty only for
// a node that is known to have none.
func PlatformOn(findings []Finding) string {
	for _, f := range findings {
		switch {
		case f.Rule != existingKubernetes.ID:
		case f.Outcome == Pass || f.Outcome == Warn:
			return ""
		default:
			return "Kubernetes is, or may be, on it: " + f.Said()
		}
	}
	return "Kubernetes may be on it: nobody has looked"
}
