package site

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func formIssues(t *testing.T, document string) []Issue {
	t.Helper()
	s, err := Parse("moscow.yaml", []byte(document))
	require.Error(t, err)
	assert.Nil(t, s)
	p, ok := errors.AsType[Problems](err)
	require.True(t, ok)
	return p.Issues
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		name, document, rule, path string
		line, column               int
		says                       string
	}{
		{"nothing", " \n", "DOC-01", "", 0, 0, "empty"},
		{"only a comment", "# later\n", "DOC-01", "", 0, 0, "empty"},
		{"a tab", "name: moscow\nplatform:\n\taddress: x\n", "DOC-01", "", 3, 1, "tab"},
		{"two documents", "name: a\n---\nname: b\n", "DOC-01", "", 3, 5, "second document"},
		{"a directive", "%YAML 1.2\n---\nname: a\n", "DOC-01", "", 1, 1, "directives"},
		{"an open quote", "name: \"moscow\n", "DOC-01", "", 1, 7, "end character"},
		{"an open bracket", "waivers: [\n", "DOC-01", "", 1, 10, "]"},
		{"binary", "name: \x00\n", "DOC-01", "", 0, 0, "UTF-8"},
		{"Latin-1", "name: M\xfcnchen\n", "DOC-01", "", 0, 0, "UTF-8"},
		{"too large", strings.Repeat("#", MaxDocument+1), "DOC-01", "", 0, 0, "262145 bytes"},
		{"brackets", strings.Repeat("[", MaxDocument/2), "DOC-01", "", 1, 33, "deeper"},
		{"dashes", strings.Repeat("- ", MaxDocument/2-1) + "x", "DOC-01", "", 1, 65, "deeper"},
		{"a list", "- name: moscow\n", "DOC-03", "", 1, 1, "mapping"},
		{"a text", "moscow\n", "DOC-03", "", 1, 1, "mapping"},
		{"unknown field", "platform:\n  adress: acp.example.com\n", "DOC-02", "platform.adress", 2, 3, `did you mean "address"`},
		{"unknown field far from any", "name: x\ncolour: red\n", "DOC-02", "colour", 2, 1, "apiVersion, name, profile"},
		{"wrong case", "Name: moscow\n", "DOC-02", "Name", 1, 1, `did you mean "name"`},
		{"unexported field", "places: {}\n", "DOC-02", "places", 1, 1, "no field"},
		{"unknown field in a list", "clusters:\n  - nodes:\n      - {nmae: a}\n", "DOC-02", "clusters[0].nodes[0].nmae", 3, 10, `"name"`},
		{"one field twice", "name: a\nprofile: b\nname: c\n", "DOC-04", "name", 3, 1, "first in line 1"},
		{"one field twice in braces", "dr: {planned: true, planned: false}\n", "DOC-04", "dr.planned", 1, 21, "second time"},
		{"text for a number", "platform:\n  httpsPort: \"443\"\n", "DOC-03", "platform.httpsPort", 2, 14, "whole number"},
		{"fraction for a number", "platform:\n  httpsPort: 44.3\n", "DOC-03", "platform.httpsPort", 2, 14, "whole number"},
		{"huge number", "platform:\n  httpsPort: 99999999999999999999\n", "DOC-03", "platform.httpsPort", 2, 14, "whole number"},
		{"yes for true", "dr:\n  planned: yes\n", "DOC-03", "dr.planned", 2, 12, "true or false"},
		{"number for a text", "clusters:\n  - kubernetes:\n      version: 1.32\n", "DOC-03", "clusters[0].kubernetes.version", 3, 16, "in quotes"},
		{"text for a list", "platform:\n  products: base\n", "DOC-03", "platform.products", 2, 13, "a list"},
		{"list for a mapping", "platform: []\n", "DOC-03", "platform", 1, 11, "a mapping"},
		{"empty list item", "platform:\n  products:\n    - base\n    -\n", "DOC-03", "platform.products[1]", 4, 7, "nothing"},
		{"an anchor", "name: &n moscow\n", "DOC-03", "name", 1, 7, "anchors"},
		{"an alias", "name: moscow\nprofile: *n\n", "DOC-03", "profile", 2, 10, "anchors"},
		{"a tag", "name: !!str moscow\n", "DOC-03", "name", 1, 7, "tags"},
		{"a merge", "platform:\n  <<: {address: x}\n", "DOC-03", "platform", 2, 3, "<<"},
		{"a number for a name", "7: x\n", "DOC-03", "", 1, 1, "plain text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			issues := formIssues(t, c.document)
			require.Len(t, issues, 1)
			i := issues[0]
			assert.Equal(t, Issue{Rule: c.rule, Path: c.path, Line: c.line, Column: c.column},
				Issue{Rule: i.Rule, Path: i.Path, Line: i.Line, Column: i.Column})
			assert.Contains(t, i.Message+" "+i.Fix, c.says)
			assert.Equal(t, SeverityError, i.Severity)
		})
	}
}

func TestParseReportsAllFaultsAtOnce(t *testing.T) {
	data, err := os.ReadFile("testdata/broken.yaml")
	require.NoError(t, err)
	_, err = Parse("broken.yaml", data)
	golden(t, "testdata/broken.txt", err.Error()+"\n")
	for _, secret := range []string{"hunter2", "S3cret"} {
		assert.NotContains(t, err.Error(), secret, "a value in the wrong place may be a secret")
	}
}

func TestReportsStayShort(t *testing.T) {
	var b strings.Builder
	for b.Len() < MaxDocument-100 {
		b.WriteString(strings.Repeat("x", 10+b.Len()%50) + strings.Repeat("y", b.Len()%7) + ": 1\n")
	}
	assert.LessOrEqual(t, len(formIssues(t, b.String())), maxFaults)
}

func TestParseAcceptsOrdinaryYAML(t *testing.T) {
	s, err := Parse("x", []byte("\xef\xbb\xbf---\n# a comment\nname: >-\n  moscow\nplatform: {address: 'acp.example.com', otherAddresses: []}\nregistry:\ndr: ~\n...\n"))
	require.NoError(t, err)
	assert.Equal(t, "moscow", s.Name)
	assert.Equal(t, "acp.example.com", s.Platform.Address)
	assert.Equal(t, []string{}, s.Platform.OtherAddresses)
}

func TestParseAppliesDefaults(t *testing.T) {
	s, err := Parse("x", []byte("clusters: [{network: {ipFamily: dual-stack}, endpoint: {selfBuilt: true}, ssh: {jump: {address: b}}, monitoring: {victoriaMetrics: [a]}}, {network: {cni: calico, podCIDRs: [10.9.0.0/16]}}]"))
	require.NoError(t, err)
	assert.Equal(t, DefaultProfile, s.Profile)
	assert.Equal(t, MultiCluster, s.Scenario)
	assert.Equal(t, Platform{HTTPSPort: 443, AdminUser: "admin", Products: []string{"base", "acp"}}, s.Platform)
	assert.Equal(t, DefaultDirectory, s.Package.Directory)
	a, b := s.Clusters[0], s.Clusters[1]
	assert.Equal(t, []string{"10.3.0.0/16", "fd00:10:16::/64"}, a.Network.PodCIDRs)
	assert.Equal(t, []string{"10.4.0.0/16", "fd00:10:96::/112"}, a.Network.ServiceCIDRs)
	assert.Equal(t, []string{"100.64.0.0/16", "fd00:100:64::/64"}, a.Network.JoinCIDRs)
	assert.Equal(t, 137, a.Endpoint.VRID)
	assert.Equal(t, 1, a.Monitoring.AgentReplicas)
	assert.Equal(t, SSH{User: "root", Port: 22, Jump: &Jump{Address: "b", User: "root", Port: 22}}, a.SSH)
	assert.Equal(t, Network{CNI: Calico, IPFamily: IPv4, PodCIDRs: []string{"10.9.0.0/16"}, ServiceCIDRs: []string{"10.4.0.0/16"}, MaxPods: 110}, b.Network)
	before, err := json.Marshal(s)
	require.NoError(t, err)
	Default(s)
	after, err := json.Marshal(s)
	require.NoError(t, err)
	assert.JSONEq(t, string(before), string(after), "defaults apply once")
}

// FuzzParse wants no panic, and of every accepted document a report.
func FuzzParse(f *testing.F) {
	f.Add(Example())
	f.Add(ExampleDR())
	for _, s := range []string{"name: a\n---\n", "a: &x [*x]", "? - a\n: b", "clusters: [{nodes: [{}]}]", "platform: {httpsPort: 0x1bb, certificate: {}}", "waivers:\n- expires: 0001-01-01"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse("fuzz.yaml", data)
		if err != nil {
			p, ok := errors.AsType[Problems](err)
			require.True(t, ok)
			require.Positive(t, p.Errors())
			return
		}
		p := Validate(s, Material{Now: time.Unix(1<<31, 0), Certificate: data, PrivateKey: data})
		if p.Err() != nil {
			return
		}
		snapshot, err := NewSnapshot(s)
		require.NoError(t, err)
		again, err := NewSnapshot(&snapshot.Site)
		require.NoError(t, err)
		require.Equal(t, snapshot, again)
	})
}
