package site

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"
)

// SchemaID names the schema in editors.
const SchemaID = "https://github.com/acpflow/acpflow/schema/site-v1.json"

// Schema is the JSON Schema (draft 2020-12) of the document, for editors: with
// descriptions, defaults, closed lists and patterns. It accepts no document
// that Parse refuses for its form; the rules between fields are Validate's.
func Schema() ([]byte, error) {
	docs, err := comments()
	if err != nil {
		return nil, fmt.Errorf("site schema: %w", err)
	}
	r := jsonschema.Reflector{
		BaseSchemaID:  SchemaID,
		Anonymous:     true,
		Mapper:        mapType,
		LookupComment: func(t reflect.Type, field string) string { return docs[t.Name()+"."+field] },
	}
	s := r.Reflect(&Site{})
	s.ID = SchemaID
	s.Title = "acpflow site document"
	for name, constrain := range constraints {
		structName, field, _ := strings.Cut(name, ".")
		property, ok := s.Definitions[structName].Properties.Get(field)
		if !ok {
			return nil, fmt.Errorf("site schema: there is no field %s", name)
		}
		constrain(property)
	}
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("site schema: %w", err)
	}
	return append(out, '\n'), nil
}

// mapType gives closed lists and references their own form.
func mapType(t reflect.Type) *jsonschema.Schema {
	if values, closed := enums[t]; closed {
		return oneOf(values)
	}
	if t == reflect.TypeFor[Ref]() {
		return &jsonschema.Schema{Type: "string", Pattern: refSyntax.String()}
	}
	return nil
}

func oneOf(values []string) *jsonschema.Schema {
	s := &jsonschema.Schema{Type: "string"}
	for _, v := range values {
		s.Enum = append(s.Enum, v)
	}
	return s
}

type constraint = func(*jsonschema.Schema)

func pattern(p string) constraint { return func(s *jsonschema.Schema) { s.Pattern = p } }

func between(low, high int) constraint {
	return func(s *jsonschema.Schema) {
		s.Minimum, s.Maximum = json.Number(fmt.Sprint(low)), json.Number(fmt.Sprint(high))
	}
}

func byDefault(v any) constraint { return func(s *jsonschema.Schema) { s.Default = v } }

// items wants at least one item, and at most high; 0 = no limit.
func items(high uint64) constraint {
	return func(s *jsonschema.Schema) {
		s.MinItems = new(uint64(1))
		if high > 0 {
			s.MaxItems = &high
		}
	}
}

func all(cs ...constraint) constraint {
	return func(s *jsonschema.Schema) {
		for _, c := range cs {
			c(s)
		}
	}
}

// among narrows a text to a closed list.
func among(values ...string) constraint {
	return func(s *jsonschema.Schema) { s.Enum = oneOf(values).Enum }
}

// durationForm is how a duration is written.
const durationForm = `^(\d+(\.\d+)?(h|m|s))+$`

// constraints are what the Go types can't say, by type and field.
var constraints = map[string]constraint{
	"Site.apiVersion":        among(APIVersion),
	"Site.name":              pattern(labelSyntax.String()),
	"Site.profile":           all(among(Profiles()...), byDefault(DefaultProfile)),
	"Site.scenario":          byDefault(MultiCluster),
	"Site.clusters":          items(2),
	"Platform.httpsPort":     all(between(1, 65535), byDefault(defaultHTTPSPort)),
	"Platform.httpPort":      between(0, 65535),
	"Platform.adminUser":     byDefault(defaultAdminUser),
	"Platform.products":      byDefault([]string{"base", "acp"}),
	"Package.path":           pattern("^/"),
	"Package.checksum":       pattern(checksumSyntax.String()),
	"Package.architecture":   among("amd64", "arm64", "hybrid"),
	"Package.directory":      all(pattern("^/"), byDefault(DefaultDirectory)),
	"Policy.stallAfter":      all(pattern(durationForm), byDefault("30m")),
	"Cluster.name":           pattern(labelSyntax.String()),
	"Cluster.nodes":          items(0),
	"Endpoint.vrid":          between(1, 255),
	"Kubernetes.version":     pattern(versionSyntax.String()),
	"Network.cni":            byDefault(KubeOVN),
	"Network.ipFamily":       byDefault(IPv4),
	"Network.maxPodsPerNode": all(func(s *jsonschema.Schema) { s.Minimum = "1" }, byDefault(DefaultMaxPods)),
	"SSH.user":               byDefault(defaultSSHUser),
	"SSH.port":               all(between(1, 65535), byDefault(defaultSSHPort)),
	"SSH.knownHosts":         pattern("^/"),
	"Jump.user":              byDefault(defaultSSHUser),
	"Jump.port":              all(between(1, 65535), byDefault(defaultSSHPort)),
	"DNS.ttl":                all(between(1, 3600), byDefault(defaultTTL)),
	"DNS.authoritative":      items(0),
	"RFC2136.algorithm":      byDefault(defaultTSIG),
	"Exec.command":           items(0),
	"Exec.timeout":           all(pattern(durationForm), byDefault("1m")),
	"HAProxy.hosts":          items(0),
	"HAProxy.config":         all(pattern("^/"), byDefault(defaultHAProxy)),
	"Sync.checkEvery":        all(pattern(durationForm), byDefault("5m")),
	"Sync.maxLag":            all(pattern(durationForm), byDefault("30s")),
	"Sync.repairs":           all(between(0, 5), byDefault(DefaultRepairs)),

	"Takeover.downFor":         all(pattern(durationForm), byDefault("1m")),
	"Takeover.soak":            all(pattern(durationForm), byDefault("1m")),
	"Takeover.rightInARow":     all(between(1, maxInARow), byDefault(DefaultInARow)),
	"Takeover.coreDNSRestarts": all(between(0, maxCoreDNSRestarts), byDefault(DefaultCoreDNSRestarts)),
	"WorkloadCluster.name":     pattern(labelSyntax.String()),
	"Drill.every":              all(pattern(durationForm), byDefault("24h")),
	"Blackout.from":            pattern(clockForm),
	"Blackout.to":              pattern(clockForm),
	"Blackout.zone":            byDefault("UTC"),
	"Approvals.people":         all(between(1, maxApprovers), byDefault(1)),
	"Approvals.expire":         all(pattern(durationForm), byDefault("1h")),

	"Ignored.prefix": pattern("^/registry/."),
	"Waiver.expires": pattern(`^\d{4}-\d{2}-\d{2}$`),
	"Waiver.rule":    among(Waivable()...),
}
