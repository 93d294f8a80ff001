package checks

import (
	"fmt"
	"slices"

	"github.com/acpflow/acpflow/site"
)

// edition holds what the editions of the vendor's document say differently
// about a node.
type edition struct {
	systems   []system // supported systems
	leftovers []string // what an earlier container runtime leaves behind (CHK-25)
	tasksMax  uint64   // least DefaultTasksMax (CHK-10)
	between   betweenLimits
}

// unlimited is how systemd before 228 writes infinity.
const unlimited = 1<<64 - 1

// largeTasksMax is "a very large number": Linux allows no more processes than
// this (PID_MAX_LIMIT on 64 bits).
const largeTasksMax = 4 << 20

var (
	leftoversDocker  = []string{"/var/lib/docker", "/var/lib/containerd", "/var/log/pods", "/var/lib/kubelet/pki"}
	leftoversNerdctl = slices.Concat(leftoversDocker, []string{"/var/lib/nerdctl", "/opt/nerdctl"})
)

var editions = map[string]edition{
	"acp-4.1-seed": {systemsSeed, leftoversDocker, largeTasksMax, betweenSeed},
	"acp-4.1":      {systems41, leftoversDocker, unlimited, between41},
	"acp-4.2":      {systems42, leftoversNerdctl, unlimited, between42},
	"acp-4.3":      {systems42, leftoversNerdctl, unlimited, between42},
	"acp-4.4-dev":  {systems42, leftoversNerdctl, unlimited, between42},
}

// profileOf is the site's edition, or the default one.
func profileOf(s site.Site) string {
	if s.Profile == "" {
		return site.DefaultProfile
	}
	return s.Profile
}

func editionOf(profile string) (edition, error) {
	e, ok := editions[profile]
	if !ok {
		return edition{}, fmt.Errorf("there is no profile %s", clip(profile))
	}
	return e, nil
}
