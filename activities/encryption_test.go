package activities

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
)

func keyFile(node string, change func(*KeyFile)) KeyFile {
	f := KeyFile{Node: node, Present: true, Owner: "root:root", Mode: "600", SHA256: "1111", APIServer: true}
	if change != nil {
		change(&f)
	}
	return f
}

// DR-24: every node that differs is named, and nothing passes that is not whole.
func TestSameKeysNamesEveryNodeThatDiffers(t *testing.T) {
	evidence, err := sameKeys([]KeyFile{keyFile("m1", nil), keyFile("e1", nil), keyFile("e2", nil)})
	require.NoError(t, err)
	assert.Equal(t, "3", evidence.Facts["nodes"])
	for name, c := range map[string]struct {
		change func(*KeyFile)
		want   string
	}{
		"absent":        {func(f *KeyFile) { f.Present = false }, "e1 has none"},
		"another":       {func(f *KeyFile) { f.SHA256 = "2222" }, "e1 has"},
		"another owner": {func(f *KeyFile) { f.Owner = "root:ops" }, "root:ops"},
		"open":          {func(f *KeyFile) { f.Mode = "644" }, "644"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := sameKeys([]KeyFile{keyFile("m1", nil), keyFile("e1", c.change), keyFile("e2", c.change)})
			require.True(t, fault.Is(err, fault.Gate), "%v", err)
			assert.Contains(t, err.Error(), c.want)
			assert.Contains(t, err.Error(), "e2")
			assert.NotContains(t, err.Error(), "m1 has none")
			assert.Contains(t, err.Error(), "merge-keys")
		})
	}
	_, err = sameKeys([]KeyFile{keyFile("m1", func(f *KeyFile) { f.Present = false }), keyFile("e1", func(f *KeyFile) { f.Present = false })})
	assert.True(t, fault.Is(err, fault.Gate), "two sides without a key are not alike")
}

func TestMayReplaceTakesNoKeyAway(t *testing.T) {
	bare := func(f *KeyFile) { *f = KeyFile{Node: f.Node} }
	for name, c := range map[string]struct {
		change func(*KeyFile)
		want   string // "" = it may
	}{
		"bare":                     {bare, ""},
		"copied before":            {func(f *KeyFile) { f.APIServer = false }, ""},
		"installed with it":        {nil, ""},
		"installed with another":   {func(f *KeyFile) { f.SHA256 = "2222" }, "merge-keys"},
		"installed without":        {func(f *KeyFile) { *f = KeyFile{Node: f.Node, APIServer: true} }, "merge-keys"},
		"another that nobody uses": {func(f *KeyFile) { f.SHA256, f.APIServer = "2222", false }, "remove it there"},
	} {
		t.Run(name, func(t *testing.T) {
			err := mayReplace([]KeyFile{keyFile("e1", bare), keyFile("e2", c.change)}, "1111")
			if c.want == "" {
				assert.NoError(t, err)
				return
			}
			require.True(t, fault.Is(err, fault.Gate), "%v", err)
			assert.Contains(t, err.Error(), c.want)
			assert.Contains(t, err.Error(), "e2")
		})
	}
}
