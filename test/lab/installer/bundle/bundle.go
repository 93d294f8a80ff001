// Package bundle describes what a stand-in Core Package carries. The file is
// written when the package is built and read by the programs inside of it.
package bundle

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/acpflow/acpflow/test/lab/installer/config"
)

// File is the description's place in the package, below installer/.
const File = "res/package.json"

// Bundle is the description.
type Bundle struct {
	Version       string       `json:"version"`       // of the product, for example 4.1.0
	Architectures []string     `json:"architectures"` // amd64, arm64 or both
	Offer         config.Offer `json:"offer"`
}

// New describes a package of the stand-in's one product version.
func New(architectures []string) Bundle {
	return Bundle{
		Version:       "4.1.0",
		Architectures: architectures,
		Offer:         config.DefaultOffer(),
	}
}

// Read reads a description.
func Read(path string) (Bundle, error) {
	var b Bundle
	data, err := os.ReadFile(path)
	if err != nil {
		return b, err
	}
	if err := json.Unmarshal(data, &b); err != nil {
		return b, fmt.Errorf("%s: %w", path, err)
	}
	return b, nil
}
