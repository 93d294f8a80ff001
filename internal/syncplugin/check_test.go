package syncplugin_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/syncplugin"
)

func TestParseCheckUnderstands(t *testing.T) {
	type want struct {
		missed, surplus         int
		missedKeys, surplusKeys []string
	}
	ab := []string{"/registry/a", "/registry/b"}
	for name, c := range map[string]struct {
		text string
		want want
	}{
		"clean":               {"LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 0\n", want{}},
		"no final newline":    {"LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 0", want{}},
		"CRLF":                {"LOCAL ETCD missed keys: 0\r\nLOCAL ETCD surplus keys: 0\r\n", want{}},
		"other order":         {"LOCAL ETCD surplus keys: 0\nLOCAL ETCD missed keys: 1\n", want{missed: 1}},
		"case and blanks":     {"\n  local  Etcd\tMISSED keys :0 \n\n\nLocal etcd surplus keys=  0  \n", want{}},
		"one line":            {"LOCAL ETCD missed keys: 0 LOCAL ETCD surplus keys: 2", want{surplus: 2}},
		"brackets for counts": {"LOCAL ETCD missed keys [0]\nLOCAL ETCD surplus keys (3)\n", want{surplus: 3}},
		"empty lists":         {"LOCAL ETCD missed keys: []\nLOCAL ETCD surplus keys: [ ]\n", want{}},
		"count and list": {"LOCAL ETCD missed keys: 2\n/registry/a\n/registry/b\nLOCAL ETCD surplus keys: 0\n",
			want{missed: 2, missedKeys: ab}},
		"list without a count": {"LOCAL ETCD missed keys:\n  - /registry/a\n  - /registry/b\nLOCAL ETCD surplus keys: 0\n",
			want{missed: 2, missedKeys: ab}},
		"numbered list": {"LOCAL ETCD missed keys:\n1. /registry/a\n2) /registry/b\nLOCAL ETCD surplus keys: 0\n", want{missed: 2, missedKeys: ab}},
		"Go list":       {"LOCAL ETCD missed keys: [/registry/a /registry/b]\nLOCAL ETCD surplus keys: []\n", want{missed: 2, missedKeys: ab}},
		"JSON list":     {`LOCAL ETCD missed keys: ["/registry/a", "/registry/b"]` + "\nLOCAL ETCD surplus keys: []\n", want{missed: 2, missedKeys: ab}},
		"count and Go list": {"LOCAL ETCD missed keys: 2 [/registry/a /registry/b]\nLOCAL ETCD surplus keys: 0 []\n",
			want{missed: 2, missedKeys: ab}},
		"count, colon, list": {"LOCAL ETCD missed keys: 2: /registry/a, /registry/b\nLOCAL ETCD surplus keys: 0\n", want{missed: 2, missedKeys: ab}},
		"list over lines": {"LOCAL ETCD missed keys: [\n  \"/registry/a\",\n  \"/registry/b\"\n]\nLOCAL ETCD surplus keys: [\n]\n",
			want{missed: 2, missedKeys: ab}},
		"the rest left out": {"LOCAL ETCD missed keys: 5\n/registry/a\n/registry/b\n… and 3 more\nLOCAL ETCD surplus keys: 0\n",
			want{missed: 5, missedKeys: ab}},
		"count only, both": {"LOCAL ETCD missed keys: 12\nLOCAL ETCD surplus keys: 7\n", want{missed: 12, surplus: 7}},
		"surplus with its list": {"LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 2\n/registry/a\n/registry/b\n",
			want{surplus: 2, surplusKeys: ab}},
	} {
		t.Run(name, func(t *testing.T) {
			got := syncplugin.ParseCheck([]byte(c.text))
			require.True(t, got.Understood, got.Reason)
			assert.Equal(t, c.want, want{got.Missed, got.Surplus, got.MissedKeys, got.SurplusKeys})
			assert.Equal(t, got.Missed+got.Surplus == 0, got.Clean())
			assert.Empty(t, got.Excerpt)
		})
	}
}

func TestParseCheckFailsClosed(t *testing.T) {
	const clean = "LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 0\n"
	for name, text := range map[string]string{
		"nothing":               "",
		"blanks":                " \n\t\n",
		"another text":          "OK",
		"a page":                "<html><body>502 Bad Gateway</body></html>",
		"JSON":                  `{"missed": 0, "surplus": 0}`,
		"missed only":           "LOCAL ETCD missed keys: 0\n",
		"surplus only":          "LOCAL ETCD surplus keys: 0\n",
		"cut":                   "LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus ke",
		"cut behind a heading":  "LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys:",
		"no number":             "LOCAL ETCD missed keys: none\nLOCAL ETCD surplus keys: none\n",
		"nil":                   "LOCAL ETCD missed keys: <nil>\nLOCAL ETCD surplus keys: <nil>\n",
		"negative":              "LOCAL ETCD missed keys: -1\nLOCAL ETCD surplus keys: 0\n",
		"a fraction":            "LOCAL ETCD missed keys: 0.5\nLOCAL ETCD surplus keys: 0\n",
		"exponent":              "LOCAL ETCD missed keys: 0e9\nLOCAL ETCD surplus keys: 0\n",
		"hexadecimal":           "LOCAL ETCD missed keys: 0x1\nLOCAL ETCD surplus keys: 0\n",
		"other digits":          "LOCAL ETCD missed keys: ٠\nLOCAL ETCD surplus keys: 0\n",
		"thousands":             "LOCAL ETCD missed keys: 0,123\nLOCAL ETCD surplus keys: 0\n",
		"two numbers":           "LOCAL ETCD missed keys: 0 7\nLOCAL ETCD surplus keys: 0\n",
		"too large":             "LOCAL ETCD missed keys: 99999999999999999999\nLOCAL ETCD surplus keys: 0\n",
		"something before":      "warning: primary not reachable\n" + clean,
		"something after":       clean + "error: comparison timed out\n",
		"something between":     "LOCAL ETCD missed keys: 0\nskipped 3 prefixes\nLOCAL ETCD surplus keys: 0\n",
		"twice":                 clean + clean,
		"twice and different":   "LOCAL ETCD missed keys: 0\nLOCAL ETCD missed keys: 3\nLOCAL ETCD surplus keys: 0\n",
		"zero with a list":      "LOCAL ETCD missed keys: 0\n/registry/a\nLOCAL ETCD surplus keys: 0\n",
		"list shorter":          "LOCAL ETCD missed keys: 2\n/registry/a\nLOCAL ETCD surplus keys: 0\n",
		"list longer":           "LOCAL ETCD missed keys: 1\n/registry/a\n/registry/b\nLOCAL ETCD surplus keys: 0\n",
		"count with empty list": "LOCAL ETCD missed keys: 3 []\nLOCAL ETCD surplus keys: 0\n",
		"left out, wrong sum":   "LOCAL ETCD missed keys: 5\n/registry/a\n… and 3 more\nLOCAL ETCD surplus keys: 0\n",
		"left out of nothing":   "LOCAL ETCD missed keys: 0\n… and 3 more\nLOCAL ETCD surplus keys: 0\n",
		"left out nothing":      "LOCAL ETCD missed keys: 0\n… and 0 more\nLOCAL ETCD surplus keys: 0\n",
		"open bracket":          "LOCAL ETCD missed keys: [\nLOCAL ETCD surplus keys: 0\n",
		"only a closing one":    "LOCAL ETCD missed keys: ]\nLOCAL ETCD surplus keys: 0\n",
		"other bracket":         "LOCAL ETCD missed keys: (]\nLOCAL ETCD surplus keys: 0\n",
		"nested":                "LOCAL ETCD missed keys: [[]]\nLOCAL ETCD surplus keys: 0\n",
		"half a count":          "LOCAL ETCD missed keys: [0\nLOCAL ETCD surplus keys: 0\n",
		"relative key":          "LOCAL ETCD missed keys:\nregistry/a\nLOCAL ETCD surplus keys: 0\n",
		"other heading":         "REMOTE ETCD missed keys: 0\nLOCAL ETCD surplus keys: 0\n",
		"no text":               "LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 0\n\xff\xfe",
		"too long":              clean + strings.Repeat(" ", syncplugin.MaxCheck),
	} {
		t.Run(name, func(t *testing.T) {
			got := syncplugin.ParseCheck([]byte(text))
			assert.False(t, got.Understood)
			assert.False(t, got.Clean())
			assert.NotEmpty(t, got.Reason)
			assert.LessOrEqual(t, len(got.Excerpt), 500)
			assert.NotContains(t, got.Excerpt, "\n")
			assert.Contains(t, got.String(), "not consistent")
		})
	}
}

func TestParseCheckKeepsASample(t *testing.T) {
	var b strings.Builder
	b.WriteString("LOCAL ETCD missed keys: 250\n")
	for i := range 100 {
		fmt.Fprintf(&b, "/registry/configmaps/team/c%d\n", i)
	}
	b.WriteString("… and 150 more\nLOCAL ETCD surplus keys: 0\n")
	got := syncplugin.ParseCheck([]byte(b.String()))
	require.True(t, got.Understood, got.Reason)
	assert.Equal(t, 250, got.Missed)
	assert.Len(t, got.MissedKeys, 20)
	assert.Equal(t, "250 missed keys, 0 surplus keys", got.String())
}

// nothingWrong is what a clean answer may look like, told in another way than
// the parser does: without white space two headings and an empty count or list each.
var nothingWrong = regexp.MustCompile(`^(?:localetcd(?:missed|surplus)keys[:=]?(?:0+|\[0+\]|\(0+\))?[:,;]*(?:\[[,;]*\]|\([,;]*\))?[,;]*){2}$`)

var spaces = regexp.MustCompile(`\s+`)

func FuzzParseCheck(f *testing.F) {
	for _, seed := range []string{
		"LOCAL ETCD missed keys: 0\nLOCAL ETCD surplus keys: 0\n", "LOCAL ETCD missed keys: []\nLOCAL ETCD surplus keys: [/a]\n",
		"LOCAL ETCD missed keys: 2\n/a\n… and 1 more\nLOCAL ETCD surplus keys: (0)\n", "LOCAL ETCD missed keys: [\n\"/a\",\n]\nLOCAL ETCD surplus keys 0",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := syncplugin.ParseCheck([]byte(text))
		if got.Clean() && !nothingWrong.MatchString(strings.ToLower(spaces.ReplaceAllString(text, ""))) {
			t.Fatalf("clean: %q", text)
		}
		if !got.Understood && (got.Reason == "" || got.Missed+got.Surplus != 0 || len(got.Excerpt) > 3*500) {
			t.Fatalf("%+v", got)
		}
		if got.Understood && (got.Missed < len(got.MissedKeys) || got.Surplus < len(got.SurplusKeys)) {
			t.Fatalf("%+v", got)
		}
	})
}
