package site

import (
	"fmt"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// checkRequired wants every field that has no default and may not be left out.
func checkRequired(j *judge) {
	visit(reflect.ValueOf(j.site).Elem(), "", func(v reflect.Value, path string, optional bool) {
		missing := v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0
		if !optional && missing && v.Kind() != reflect.Struct {
			j.fail(path, "", "this field is required")
		}
	})
}

// enums are the types with a closed list of values; the schema uses it too.
var enums = map[reflect.Type][]string{
	reflect.TypeFor[Scenario](): {string(SingleNode), string(SingleCluster), string(MultiCluster)},
	reflect.TypeFor[IPFamily](): {string(IPv4), string(IPv6), string(DualStack)},
	reflect.TypeFor[Role]():     {string(ControlPlane), string(Worker)},
	reflect.TypeFor[CNI]():      {string(KubeOVN), string(Calico)},

	reflect.TypeFor[DNSDriver]():      {string(DNSRFC2136), string(DNSExternal), string(DNSExec), string(DNSManual)},
	reflect.TypeFor[BalancerDriver](): {string(BalancerHAProxy), string(BalancerExec), string(BalancerManual)},
	reflect.TypeFor[Day]():            {"mon", "tue", "wed", "thu", "fri", "sat", "sun"},
}

// checkNames judges names and closed lists. The plugin is GEN-07's.
func checkNames(j *judge) {
	s := j.site
	if v := s.APIVersion; v != "" && v != APIVersion {
		j.fail("apiVersion", "write "+APIVersion, "this release does not read version %q", shorten(v))
	}
	if !slices.Contains(Profiles(), s.Profile) {
		j.fail("profile", suggest(s.Profile, Profiles()), "there is no rule profile %q", shorten(s.Profile))
	}
	visit(reflect.ValueOf(s).Elem(), "", func(v reflect.Value, path string, _ bool) {
		values, closed := enums[v.Type()]
		if got := v.String(); closed && got != "" && v.Type() != reflect.TypeFor[CNI]() && !slices.Contains(values, got) {
			j.fail(path, suggest(got, values), "%q is none of: %s", shorten(got), strings.Join(values, ", "))
		}
	})
	j.label("name", s.Name)
	seen := map[string]string{}
	j.clusters(func(c *Cluster, path string) {
		j.label(child(path, "name"), c.Name)
		if first, dup := seen[c.Name]; dup && c.Name != "" {
			j.fail(child(path, "name"), "give each cluster a name of its own", "%q is already the name of %s", c.Name, first)
		}
		seen[c.Name] = path
		for i, n := range c.Nodes {
			if n.Name != "" && !isDomain(n.Name) {
				j.fail(child(item(child(path, "nodes"), i), "name"), "use lower-case letters, digits, - and .", "%q can be no machine's name", shorten(n.Name))
			}
		}
	})
}

func (j *judge) label(path, v string) {
	if v != "" && !IsLabel(v) {
		j.fail(path, "use lower-case letters, digits and -, at most 63, for example west", "%q is no DNS label", shorten(v))
	}
}

// suggest proposes what was probably meant, else what there is.
func suggest(got string, candidates []string) string {
	if near := closest(got, candidates); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "use one of: " + strings.Join(candidates, ", ")
}

var refSyntax = regexp.MustCompile(`^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$`)

// checkRefs never shows a value that is no reference: it may be the secret.
func checkRefs(j *judge) {
	visit(reflect.ValueOf(j.site).Elem(), "", func(v reflect.Value, path string, _ bool) {
		ref, ok := v.Interface().(Ref)
		switch {
		case !ok || ref == "":
		case !refSyntax.MatchString(string(ref)):
			j.fail(path, "put the secret into a file or variable of the worker and write file:/path or env:NAME here", "this is no reference to a secret (value not shown)")
		case j.material.Unresolved[ref] != nil:
			j.fail(path, "", "%s", strings.TrimPrefix(j.material.Unresolved[ref].Error(), "resolve secret: "))
		}
	})
}

func checkDirectory(j *judge) {
	d := j.site.Package.Directory
	if !path.IsAbs(d) || path.Clean(d) == "/" || strings.ContainsAny(d, "\x00\n") {
		j.fail("package.directory", "use "+DefaultDirectory, "%q is no directory the package can be put into", shorten(d))
	}
}

func checkArchitecture(j *judge) {
	known := []string{"amd64", "arm64", "hybrid"}
	if a := j.site.Package.Architecture; a != "" && !slices.Contains(known, a) {
		j.fail("package.architecture", suggest(a, known), "%q is none of: %s", shorten(a), strings.Join(known, ", "))
	}
}

var checksumSyntax = regexp.MustCompile(`^(sha256:[0-9a-f]{64}|md5:[0-9a-f]{32})$`)

func checkPackage(j *judge) {
	p := j.site.Package
	if p.Path != "" && !path.IsAbs(p.Path) {
		j.fail("package.path", "write the path from / on", "the path of the package on the worker is not absolute")
	}
	switch {
	case p.Checksum == "":
	case !checksumSyntax.MatchString(p.Checksum):
		j.fail("package.checksum", "write sha256:<64 hex digits>, as sha256sum prints them, or md5:<32 hex digits>", "%q is no checksum", shorten(p.Checksum))
	case strings.HasPrefix(p.Checksum, "md5:"):
		j.warn("package.checksum", "write sha256:<64 hex digits> when the portal gives it", "MD5 finds a broken download, but no forged one")
	}
}

func checkPolicy(j *judge) {
	v := j.site.Policy.StallAfter
	if d, err := time.ParseDuration(v); v != "" && (err != nil || d < MinStallAfter) {
		j.fail("policy.stallAfter", "write it like 30m or 1h30m", "%q is no duration of at least %s", shorten(v), MinStallAfter)
	}
}
