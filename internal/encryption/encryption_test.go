package encryption_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/encryption"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// material is a key of 32 bytes that looks like no other text.
func material(fill byte) []byte { return bytes.Repeat([]byte{fill}, 32) }

func file(keys ...string) string {
	text := "apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n  - resources:\n    - secrets\n    providers:\n    - aescbc:\n        keys:\n"
	for i := 0; i < len(keys); i += 2 {
		text += fmt.Sprintf("        - name: %s\n          secret: %s\n", keys[i], base64.StdEncoding.EncodeToString(material(keys[i+1][0])))
	}
	return text
}

func parse(t *testing.T, text string) encryption.Config {
	t.Helper()
	c, err := encryption.Parse(secret.NewValue([]byte(text)), "m1:"+encryption.Path)
	require.NoError(t, err)
	return c
}

// order lists names and fills of a file's keys, "key1=P key2=S".
func order(t *testing.T, c encryption.Config) string {
	t.Helper()
	fills := map[string]string{}
	for _, f := range "PSQT" {
		fills[encryption.Hash(secret.NewValue(material(byte(f))))] = string(f)
	}
	var out []string
	for i, p := range c.Describe().Groups[0].Providers {
		if i > 0 {
			out = append(out, "/")
		}
		for _, k := range p.Keys {
			require.NotEmpty(t, fills[k.SHA256])
			out = append(out, k.Name+"="+fills[k.SHA256])
		}
	}
	return strings.Join(out, " ")
}

func TestDescriptionHoldsNoSecret(t *testing.T) {
	c := parse(t, file("key1", "P")+"    - identity: {}\n")
	d := c.Describe()
	assert.Equal(t, []string{"secrets"}, d.Groups[0].Resources)
	assert.Equal(t, encryption.Identity, d.Groups[0].Providers[1].Kind)
	assert.Len(t, d.Groups[0].Providers[0].Keys[0].SHA256, 64)
	shown := fmt.Sprintf("%v %+v %#v %s", c, c, c, d)
	assert.Contains(t, shown, `"key1"=`)
	assert.NotContains(t, shown, base64.StdEncoding.EncodeToString(material('P'))[:10])
	assert.NotContains(t, shown, "PPPP")
}

func TestWhatIsWrittenReadsTheSame(t *testing.T) {
	c := parse(t, file("key1", "P", `"2"`, "S")+"    - identity: {}\n")
	text, err := c.Marshal()
	require.NoError(t, err)
	again := parse(t, string(text.Reveal()))
	assert.Equal(t, c.Describe(), again.Describe())
	second, err := again.Marshal()
	require.NoError(t, err)
	assert.Equal(t, text.Reveal(), second.Reveal(), "stages are told apart by their bytes")
}

func TestBrokenFilesAreRefusedWithoutQuotingThem(t *testing.T) {
	const leak = "TGVha2VkTGVha2VkTGVha2VkTGVha2Vk"
	good := file("key1", "P")
	for name, c := range map[string]struct {
		text  string
		class fault.Class
	}{
		"empty":          {"", fault.Corrupt},
		"no YAML":        {"secret: [" + leak, fault.Corrupt},
		"a list":         {"- " + leak, fault.Corrupt},
		"another kind":   {strings.Replace(good, "EncryptionConfiguration", "Secret", 1) + "# " + leak, fault.Corrupt},
		"unknown field":  {good + leak + ": 1\n", fault.Corrupt},
		"field twice":    {good + "kind: " + leak + "\n", fault.Corrupt},
		"no base64":      {good + "        - name: key2\n          secret: '" + leak + "?'\n", fault.Corrupt},
		"short key":      {good + "        - name: key2\n          secret: " + leak[:8] + "\n", fault.Corrupt},
		"no name":        {good + "        - secret: " + leak + "\n", fault.Corrupt},
		"empty provider": {good + "    - {}\n", fault.Corrupt},
		"two in one":     {good + "      identity: {}\n", fault.Corrupt},
		"no keys":        {good + "    - aesgcm: {keys: []}\n", fault.Corrupt},
		"a KMS":          {good + "    - kms: {name: " + leak + "}\n", fault.Gate},
		"no resources":   {"apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\n", fault.Corrupt},
		"too large":      {good + "#" + strings.Repeat(leak, encryption.MaxSize/len(leak)), fault.Corrupt},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := encryption.Parse(secret.NewValue([]byte(c.text)), "m1:/file")
			require.Error(t, err)
			assert.Equal(t, c.class, fault.ClassOf(err), "%v", err)
			assert.Contains(t, err.Error(), "m1:/file")
			assert.NotContains(t, err.Error(), leak[:6])
			assert.NotContains(t, err.Error(), "UFBQ")
		})
	}
}

func TestPlan(t *testing.T) {
	for name, c := range map[string]struct {
		primary, standby []string
		merged           string
		stages           []string // of the standby; "!" writes with a new key, "*" then rewrites
		renamed          string
	}{
		"the document's example": {[]string{"key1", "P"}, []string{"key1", "S"}, "key1=P key2=S",
			[]string{"key1=S key2=S / key1=P", "!*key2=S key1=S / key1=P", "key2=S key1=P", "!key1=P key2=S"}, "key1→key2"},
		"names of their own": {[]string{"key1", "P"}, []string{"east", "S"}, "key1=P east=S",
			[]string{"east=S key1=P", "!key1=P east=S"}, ""},
		"key2 is taken": {[]string{"key1", "P", "key2", "Q"}, []string{"key1", "S"}, "key1=P key2=Q key3=S",
			[]string{"key1=S key3=S / key1=P key2=Q", "!*key3=S key1=S / key1=P key2=Q", "key3=S key1=P key2=Q", "!key1=P key2=Q key3=S"}, "key1→key3"},
		"an old key collides": {[]string{"key1", "P"}, []string{"east", "S", "key1", "T"}, "key1=P east=S key2=T",
			[]string{"*east=S key1=T key2=T / key1=P", "east=S key2=T key1=P", "!key1=P east=S key2=T"}, "key1→key2"},
		"the primary has it under another name": {[]string{"key1", "P", "key2", "S"}, []string{"key1", "S"}, "key1=P key2=S",
			[]string{"key1=S key2=S / key1=P key2=S", "!*key2=S key1=S / key1=P key2=S", "key2=S key1=P", "!key1=P key2=S"}, "key1→key2"},
		"half done": {[]string{"key1", "P", "key2", "S"}, []string{"key2", "S", "key1", "S"}, "key1=P key2=S",
			[]string{"*key2=S key1=S / key1=P key2=S", "key2=S key1=P", "!key1=P key2=S"}, "key1→key2"},
		"one key, two names": {[]string{"key1", "P"}, []string{"east", "P"}, "key1=P east=P",
			[]string{"east=P key1=P", "!key1=P east=P"}, ""},
		"done": {[]string{"key1", "P", "key2", "S"}, []string{"key1", "P", "key2", "S"}, "key1=P key2=S",
			[]string{"key1=P key2=S", "!key1=P key2=S"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			primary, standby := parse(t, file(c.primary...)), parse(t, file(c.standby...))
			plan, err := encryption.Plan(primary, standby)
			require.NoError(t, err)
			assert.Equal(t, c.merged, order(t, plan.Merged))
			var stages, renamed []string
			for _, s := range plan.Standby {
				mark := ""
				if s.Writes {
					mark += "!"
				}
				if s.Rewrite {
					mark += "*"
				}
				stages = append(stages, mark+order(t, s.Config))
			}
			assert.Equal(t, c.stages, stages)
			for _, r := range plan.Renamed {
				renamed = append(renamed, r.From+"→"+r.To)
			}
			assert.Equal(t, c.renamed, strings.Join(renamed, " "))
			safe(t, plan, standby, primary)
		})
	}
}

// safe walks the stages with one value stored by every key that could write so
// far: every node must be able to read every value at every moment.
func safe(t *testing.T, plan encryption.Merge, standby, primary encryption.Config) {
	t.Helper()
	type named struct{ name, sha string }
	keys := func(c encryption.Config) []named {
		var out []named
		for _, k := range c.Describe().Groups[0].Providers[0].Keys {
			out = append(out, named{k.Name, k.SHA256})
		}
		return out
	}
	stored := map[named]bool{}
	for _, k := range keys(standby) {
		stored[k] = true
	}
	before := standby
	for i, s := range plan.Standby {
		stored[keys(s.Config)[0]] = true // the first node that has the stage writes with it
		for k := range stored {
			assert.Contains(t, keys(s.Config), k, "stage %d can't read %v", i+1, k.name)
			assert.Contains(t, keys(before), k, "a node without stage %d can't read %v", i+1, k.name)
		}
		if s.Rewrite {
			for _, r := range plan.Renamed {
				delete(stored, named{r.From, r.SHA256})
			}
		}
		before = s.Config
	}
	for _, k := range keys(primary) {
		assert.Contains(t, keys(plan.Merged), k, "the standby must read what the primary wrote")
	}
	last, err := plan.Standby[len(plan.Standby)-1].Config.Marshal()
	require.NoError(t, err)
	merged, err := plan.Merged.Marshal()
	require.NoError(t, err)
	assert.Equal(t, merged.Reveal(), last.Reveal())
	assert.Equal(t, keys(primary)[0], keys(plan.Merged)[0], "the primary goes on writing with its key")
}

func TestPlanRefusesWhatItDoesNotUnderstand(t *testing.T) {
	good := file("key1", "P")
	for name, other := range map[string]string{
		"identity on one side": good + "    - identity: {}\n",
		"identity first":       strings.Replace(good, "    - aescbc:", "    - identity: {}\n    - aescbc:", 1),
		"another provider":     strings.Replace(good, "aescbc", "aesgcm", 1),
		"more resources":       strings.Replace(good, "    - secrets\n", "    - secrets\n    - configmaps\n", 1),
		"two entries":          good + "  - resources: [configmaps]\n    providers: [{identity: {}}]\n",
		"a name twice":         file("key1", "P", "key1", "S"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := encryption.Plan(parse(t, good), parse(t, other))
			assert.True(t, fault.Is(err, fault.Gate), "%v", err)
			_, err = encryption.Plan(parse(t, other), parse(t, good))
			assert.True(t, fault.Is(err, fault.Gate), "%v", err)
		})
	}
}

func TestPlanRenamesForSecretsOnly(t *testing.T) {
	more := func(fill string) encryption.Config {
		return parse(t, strings.Replace(file("key1", fill), "    - secrets\n", "    - secrets\n    - configmaps\n", 1))
	}
	_, err := encryption.Plan(more("P"), more("S"))
	assert.True(t, fault.Is(err, fault.Gate), "%v", err)
	_, err = encryption.Plan(more("P"), more("P"))
	assert.NoError(t, err)
}

// seal stores a text as the kube-apiserver does.
func seal(t *testing.T, name string, fill byte, text string) []byte {
	t.Helper()
	block, err := aes.NewCipher(material(fill))
	require.NoError(t, err)
	pad := aes.BlockSize - len(text)%aes.BlockSize
	plain := append([]byte(text), bytes.Repeat([]byte{byte(pad)}, pad)...)
	iv := bytes.Repeat([]byte{'i'}, aes.BlockSize)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(plain, plain)
	return append([]byte("k8s:enc:aescbc:v1:"+name+":"+string(iv)), plain...)
}

func TestLookTellsTheKeyAndNotOnlyItsName(t *testing.T) {
	c := parse(t, file("key1", "P", "key2", "S"))
	p, s := c.Describe().Groups[0].Providers[0].Keys[0].SHA256, c.Describe().Groups[0].Providers[0].Keys[1].SHA256
	object := "k8s\x00\n\x0c\n\x02v1\x12\x06Secret"
	assert.Equal(t, encryption.Stored{Provider: "aescbc", Key: "key1", SHA256: p}, c.Look(seal(t, "key1", 'P', object)))
	assert.Equal(t, encryption.Stored{Provider: "aescbc", Key: "key1", SHA256: s}, c.Look(seal(t, "key1", 'S', object)))
	assert.Equal(t, encryption.Stored{Provider: "aescbc", Key: "key1", SHA256: s}, c.Look(seal(t, "key1", 'S', `{"kind":"Secret"}`)))
	assert.Equal(t, encryption.Stored{Provider: "aescbc", Key: "key1"}, c.Look(seal(t, "key1", 'Q', object)))
	assert.Equal(t, encryption.Stored{Provider: "aesgcm", Key: "key1"}, c.Look([]byte("k8s:enc:aesgcm:v1:key1:xxxx")))
	assert.Equal(t, encryption.Stored{Provider: "unknown"}, c.Look([]byte("k8s:enc:")))
	assert.Equal(t, encryption.Stored{}, c.Look([]byte(object)))
	assert.Empty(t, c.Look([]byte("k8s:enc:aescbc:v1:key1:short")).SHA256)
}

// Two keys of one name: a value of the second is lost once in 256 times.
func TestReadsAsTheServerDoes(t *testing.T) {
	c := parse(t, file("key1", "S", "key1", "P"))
	wrong := 0
	for i := range 4096 {
		text := fmt.Sprintf("k8s\x00 object number %d", i)
		require.True(t, c.Reads(seal(t, "key1", 'S', text)), "the first key's own value")
		if !c.Reads(seal(t, "key1", 'P', text)) {
			wrong++
		}
		require.False(t, c.Reads(seal(t, "key2", 'P', text)), "another name")
		require.False(t, c.Reads(seal(t, "key1", 'Q', text)), "another key")
	}
	assert.InDelta(t, 16, wrong, 15)
	assert.NotZero(t, wrong)
	assert.True(t, c.Reads([]byte("k8s\x00 plain")))
	assert.False(t, c.Reads([]byte("k8s:enc:aesgcm:v1:key1:xx")))
}

// A wrong key gives right padding once in 256 times; none of these may pass.
func TestLookIsNotFooledByPadding(t *testing.T) {
	c := parse(t, file("key1", "P"))
	for i := range 4096 {
		value := seal(t, "key1", 'S', fmt.Sprintf("k8s\x00 object number %d", i))
		require.Empty(t, c.Look(value).SHA256)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(file("key1", "P"))
	f.Add(file("key1", "P") + "    - identity: {}\n")
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := encryption.Parse(secret.NewValue([]byte(text)), "x")
		if err != nil {
			if class := fault.ClassOf(err); class != fault.Corrupt && class != fault.Gate {
				t.Fatalf("class %s: %v", class, err)
			}
			return
		}
		out, err := c.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		again, err := encryption.Parse(out, "x")
		if err != nil || again.Describe().String() != c.Describe().String() {
			t.Fatalf("%v: %s became %s", err, c, again)
		}
		c.Look([]byte(text))
		_, _ = encryption.Plan(c, again)
	})
}
