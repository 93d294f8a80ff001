package site

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	raw, err := Schema()
	require.NoError(t, err)
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("site.json", doc))
	s, err := c.Compile("site.json")
	require.NoError(t, err)
	return s
}

// against judges a YAML text by the schema, like an editor does.
func against(t *testing.T, s *jsonschema.Schema, document string) error {
	t.Helper()
	raw, err := yaml.YAMLToJSON([]byte(document))
	require.NoError(t, err)
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
	require.NoError(t, err)
	return s.Validate(v)
}

func TestSchemaIsStable(t *testing.T) {
	s, err := Schema()
	require.NoError(t, err)
	golden(t, "testdata/site.schema.json", string(s))
}

func TestSchemaAcceptsTheExamples(t *testing.T) {
	s := compiled(t)
	assert.NoError(t, against(t, s, string(Example())))
	assert.NoError(t, against(t, s, string(ExampleDR())))
}

func TestSchemaRefuses(t *testing.T) {
	s := compiled(t)
	for name, edit := range map[string][2]string{
		"unknown field":    {"  adminUser:", "  adminUsr:"},
		"missing field":    {"  adminPassword: file:/etc/acpflow/secrets/admin-password\n", ""},
		"wrong type":       {"port: 22", `port: "22"`},
		"port":             {"port: 22", "port: 70000"},
		"closed list":      {"role: worker", "role: wroker"},
		"secret":           {"adminPassword: file:", "adminPassword: "},
		"checksum":         {"checksum: sha256:", "checksum: sha1:"},
		"name":             {"name: moscow", "name: Moscow"},
		"duration":         {"stallAfter: 30m", "stallAfter: 30"},
		"profile":          {"profile: acp-4.1-seed", "profile: acp-5"},
		"version of a doc": {"acpflow/v1", "acpflow/v2"},
	} {
		t.Run(name, func(t *testing.T) {
			broken := strings.Replace(string(Example()), edit[0], edit[1], 1)
			require.NotEqual(t, string(Example()), broken)
			assert.Error(t, against(t, s, broken))
		})
	}
}

// TestSchemaExplainsEveryField: an editor shows the description at the cursor.
func TestSchemaExplainsEveryField(t *testing.T) {
	raw, err := Schema()
	require.NoError(t, err)
	var s struct {
		Defs map[string]struct {
			Description string
			Properties  map[string]struct {
				Ref         string `json:"$ref"`
				Description string
				Items       struct {
					Ref string `json:"$ref"`
				}
			}
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(raw, &s))
	for typeName, def := range s.Defs {
		assert.NotEmpty(t, def.Description, typeName)
		for field, p := range def.Properties {
			if p.Ref == "" && p.Items.Ref == "" { // those show the type's description
				assert.NotEmpty(t, p.Description, typeName+"."+field)
			}
		}
	}
}

// TestSchemaRequiresWhatParseRequires: json tags, rules and schema agree.
func TestSchemaRequiresWhatParseRequires(t *testing.T) {
	raw, err := Schema()
	require.NoError(t, err)
	var s struct {
		Defs map[string]struct{ Required []string } `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(raw, &s))
	for _, typ := range []reflect.Type{reflect.TypeFor[Site](), reflect.TypeFor[Platform](), reflect.TypeFor[Cluster](), reflect.TypeFor[Node](), reflect.TypeFor[Waiver]()} {
		var want []string
		for i := range typ.NumField() {
			if name, optional := fieldTag(typ.Field(i)); name != "" && !optional {
				want = append(want, name)
			}
		}
		assert.ElementsMatch(t, want, s.Defs[typ.Name()].Required, typ.Name())
	}
}
