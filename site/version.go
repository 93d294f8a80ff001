package site

import (
	"regexp"
	"slices"
	"strings"
)

var (
	versionSyntax = regexp.MustCompile(`^v?(\d+\.\d+)\.\d+([-+][0-9A-Za-z.+-]+)?$`)
	runtimeSyntax = regexp.MustCompile(`^(containerd|docker)://\d+\.\d+\.\d+([-+][0-9A-Za-z.+-]+)?$`)
)

// checkVersion can only warn of a version outside the profile's matrix: what a
// package offers is known when its installer runs.
func checkVersion(j *judge) {
	offered := profiles[j.site.Profile].kubernetes
	j.clusters(func(c *Cluster, path string) {
		at := child(path, "kubernetes")
		if v := c.Kubernetes.Version; v != "" {
			m := versionSyntax.FindStringSubmatch(v)
			switch {
			case m == nil:
				j.fail(child(at, "version"), "write it like v1.32.6", "%q is no Kubernetes version", shorten(v))
			case offered != nil && !slices.Contains(offered, m[1]):
				j.warn(child(at, "version"), "take a version the installer offers", "profile %s creates clusters of Kubernetes %s, not %s", j.site.Profile, strings.Join(offered, ", "), m[1])
			}
		}
		if r := c.Kubernetes.ContainerRuntime; r != "" && !runtimeSyntax.MatchString(r) {
			j.fail(child(at, "containerRuntime"), "write it like containerd://1.7.27-4", "%q is no container runtime with its version", shorten(r))
		}
	})
}
