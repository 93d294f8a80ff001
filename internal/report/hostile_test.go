package report

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
)

// hostile are texts that broke reports of other programs.
var hostile = []string{
	"plain", "", "\x1b[2J\x1b[31mred\x1b]0;title\x07", "\u009b31m", `<script>alert(1)</script>`, `</code></dd><img src=x onerror=alert(1)>`,
	"]]>", "<![CDATA[", "&amp;&lt;\u0000", "a\nb\r\nc\td", "\xff\xfe\x80", "\ufffe\uffff\ufffd", "\u202egnp.exe", `"quoted" 'single' \back`,
	"$(reboot) `reboot` %s %d {{.Site}}", "e\u0301\u200d\u2028x", strings.Repeat("long", 5000), strings.Repeat("界", 100),
}

// told is a report in which every text is the same.
func told(s string) checks.Report {
	r := well()
	r.Site, r.Cluster, r.Profile = s, s, s
	for _, o := range worst {
		r.Findings = append(r.Findings, checks.Finding{Rule: s, Title: s, Node: s, Outcome: o, Seen: s, Want: s, Fix: s, Reason: s, Source: s})
	}
	r.Findings = append(r.Findings, checks.Finding{Rule: s, Title: s, Node: s, Outcome: checks.Outcome(s), Seen: s})
	r.Notes = []checks.Conflict{{Rule: s, Text: s}}
	r.Waivers = []site.Waiver{{Rule: s, Nodes: []string{s}, Reason: s, Author: s, Expires: s}}
	return r
}

// fill puts a text everywhere, also into fields that come later.
func fill(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(v.Index(0), s)
		fill(v.Index(1), s)
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), s)
			}
		}
	}
}

func TestNoTextIsForgotten(t *testing.T) {
	var r checks.Report
	fill(reflect.ValueOf(&r).Elem(), "\x1b[2J")
	before := fmt.Sprintf("%q", r.Waivers[0].Nodes)
	assert.NotContains(t, fmt.Sprint(clean(r)), "\x1b")
	assert.Equal(t, before, fmt.Sprintf("%q", r.Waivers[0].Nodes), "the caller's report stays as it is")
}

func TestHostileTextBreaksNoForm(t *testing.T) {
	for _, s := range hostile {
		checkForms(t, s)
	}
}

func FuzzForms(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkForms(t, s) })
}

// checkForms demands that a text changes no form's structure, and can be read
// back from it.
func checkForms(t *testing.T, s string) {
	t.Helper()
	r := told(s)
	for _, o := range []Options{{}, {Width: 60, All: true}} {
		text := written(t, Table, r, o)
		require.True(t, utf8.ValidString(text))
		bad := strings.IndexFunc(text, func(c rune) bool { return c != '\n' && !unicode.IsPrint(c) })
		require.Equal(t, -1, bad, "%q", text)
	}

	var back Document
	require.NoError(t, json.Unmarshal([]byte(written(t, JSON, r, Options{})), &back))
	assert.Equal(t, clean(r), back.Report)

	suites := parseJUnit(t, written(t, JUnit, r, Options{}))
	assert.Equal(t, len(r.Findings), suites.Tests)
	var failures []junitResult
	for _, suite := range suites.Suites {
		for _, c := range suite.Cases {
			if c.Failure != nil {
				failures = append(failures, *c.Failure)
			}
		}
	}
	require.Len(t, failures, 1)
	assert.Equal(t, line(s), failures[0].Message)

	page := written(t, HTML, r, Options{})
	assert.Equal(t, elements(t, written(t, HTML, told("plain"), Options{})), elements(t, page), "the text has made or hidden an element")
	assert.NotContains(t, page, "ZgotmplZ")
}

// elements counts the elements of a page by name and class; the parts of
// findings are left out, because empty texts have none.
func elements(t *testing.T, page string) map[string]int {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	out := map[string]int{}
	for n := range root.Descendants() {
		if n.Type != html.ElementNode || slices.Contains([]string{"dt", "dd", "code"}, n.Data) {
			continue
		}
		name := n.Data
		for _, a := range n.Attr {
			if a.Key == "class" && n.Data == "article" {
				name += "." + a.Val
			}
			require.False(t, strings.HasPrefix(a.Key, "on") && a.Key != "one", "an event handler: %s", a.Key)
		}
		out[name]++
	}
	return out
}
