package corepkg

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
)

func TestAccept(t *testing.T) {
	amd := Info{SHA256: "ab", MD5: "cd", Architecture: "amd64"}
	hybrid := Info{SHA256: "ab", Architecture: Hybrid}
	cases := map[string]struct {
		info   Info
		demand Demand
		class  fault.Class // "" = accepted
	}{
		"sha256":              {amd, Demand{Checksum: "sha256:AB", Architecture: "amd64", Machines: []string{"x86_64"}}, ""},
		"md5":                 {amd, Demand{Checksum: "md5:cd", Architecture: "amd64"}, ""},
		"wrong sum":           {amd, Demand{Checksum: "sha256:ac", Architecture: "amd64"}, fault.Corrupt},
		"unknown sum":         {amd, Demand{Checksum: "crc:1", Architecture: "amd64"}, fault.Corrupt},
		"no sum":              {amd, Demand{Architecture: "amd64"}, fault.Corrupt},
		"document differs":    {amd, Demand{Checksum: "sha256:ab", Architecture: "arm64"}, fault.Architecture},
		"half of a hybrid":    {amd, Demand{Checksum: "sha256:ab", Architecture: Hybrid}, fault.Architecture},
		"node differs":        {amd, Demand{Checksum: "sha256:ab", Architecture: "amd64", Machines: []string{"x86_64", "aarch64"}}, fault.Architecture},
		"unknown machine":     {hybrid, Demand{Checksum: "sha256:ab", Architecture: Hybrid, Machines: []string{"riscv64"}}, fault.Architecture},
		"hybrid fits all":     {hybrid, Demand{Checksum: "sha256:ab", Architecture: Hybrid, Machines: []string{"x86_64", "aarch64"}, Hybrid: true}, ""},
		"hybrid fits one too": {hybrid, Demand{Checksum: "sha256:ab", Architecture: "arm64", Machines: []string{"aarch64"}}, ""},
		"hybrid demanded":     {amd, Demand{Checksum: "sha256:ab", Architecture: "amd64", Hybrid: true}, fault.Architecture},
		"nothing inside":      {Info{SHA256: "ab"}, Demand{Checksum: "sha256:ab", Architecture: "amd64"}, fault.Architecture},
		"not the package":     {Info{SHA256: "ab", Architecture: "amd64", Missing: []string{"res/init.sh"}}, Demand{Checksum: "sha256:ab", Architecture: "amd64"}, fault.Corrupt},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			err := c.info.Accept(c.demand)
			if c.class == "" {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			assert.Equal(t, c.class, fault.ClassOf(err), err)
			assert.Contains(t, err.Error(), "Fix:")
		})
	}
}
