package site

import (
	"bytes"
	_ "embed"
)

var (
	//go:embed example.yaml
	example []byte
	//go:embed example-dr.yaml
	exampleDR []byte
)

// Example is a commented document of a site with one cluster. All its names
// and addresses are reserved for examples; it validates as it is, except that
// the secrets and the certificate are not there.
func Example() []byte { return bytes.Clone(example) }

// ExampleDR is the same for a disaster recovery pair.
func ExampleDR() []byte { return bytes.Clone(exampleDR) }
