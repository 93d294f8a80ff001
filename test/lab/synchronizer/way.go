// Package synchronizer is the lab's stand-in for the plugin that copies the
// etcd of the primary `global` cluster to the standby. It mirrors for real: a
// full copy, then every change, from etcd to etcd.
package synchronizer

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// Names of the plugin and of what it makes in Namespace.
const (
	Plugin          = "etcd-sync"
	DisplayName     = "Alauda Container Platform etcd Synchronizer"
	DefaultVersion  = "v4.1.0"
	Namespace       = "cpaas-system"
	Monitor         = "etcd-sync-monitor"
	Lease           = "etcd-sync-mirror"
	BootstrapJob    = "etcd-sync-bootstrap"
	TokenSecret     = "etcd-sync-active-cluster-token"
	RemoteCA        = "remote-etcd-ca"
	RemoteIssuer    = "remote-etcd-issuer"
	RemoteClient    = "remote-etcd-client"
	PrimaryCASecret = "etcd-ca" // on every cluster: what the bootstrap Job fetches with the token
)

// Annotations of the plugin's Pods: what they were installed with.
const (
	VersionAnnotation = "etcd-sync.acp-lab/version"
	ConfigAnnotation  = "etcd-sync.acp-lab/config" // JSON
	OwnerAnnotation   = "etcd-sync.acp-lab/owner"  // JSON, an owner reference
)

// Way is how a version of the plugin works.
type Way struct {
	Lease bool // from 4.3.0: two replicas, the holder of the Lease mirrors
	Token bool // from 4.3.1: credentials from the bootstrap Job
}

var versionPattern = regexp.MustCompile(`^v?(\d+)\.(\d+)\.(\d+)`)

// WayOf returns how a version works, for example v4.3.1.
func WayOf(version string) (Way, error) {
	m := versionPattern.FindStringSubmatch(version)
	if m == nil {
		return Way{}, fmt.Errorf("etcd-sync: %q is no version", version)
	}
	var n [3]int
	var errs [3]error
	for i := range n {
		n[i], errs[i] = strconv.Atoi(m[i+1])
	}
	if err := errors.Join(errs[:]...); err != nil {
		return Way{}, err
	}
	at := func(major, minor, patch int) bool {
		return n[0] > major || n[0] == major && (n[1] > minor || n[1] == minor && n[2] >= patch)
	}
	return Way{Lease: at(4, 3, 0), Token: at(4, 3, 1)}, nil
}

// Replicas of the Deployment.
func (w Way) Replicas() int {
	if w.Lease {
		return 2
	}
	return 1
}

// Defaults are the parameters the plugin is published with.
func (w Way) Defaults() map[string]any {
	if !w.Token {
		return map[string]any{"syncInterval": "60s", "printDetailLogs": false}
	}
	return map[string]any{
		"activeGlobalClusterVIP": "", "activeETCDEndpoints": "", "standbyETCDEndpoints": "",
		"activeClusterTokenSecret": TokenSecret, "dataCheckInterval": "60s", "printDetailLogs": false,
	}
}
