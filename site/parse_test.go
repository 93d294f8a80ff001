package site

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const minimal = `apiVersion: acpflow/v1
name: moscow
platform:
  address: acp.example.com
  adminPassword: env:ACP_ADMIN_PASSWORD
package:
  path: /srv/acp/core-package.tgz
  checksum: sha256:0000000000000000000000000000000000000000000000000000000000000000
  architecture: amd64
clusters:
  - name: west
    endpoint:
      vip: 192.0.2.10
    kubernetes:
      version: v1.32.6
    ssh:
      privateKey: file:/etc/acpflow/ssh/id_ed25519
      knownHosts: /etc/acpflow/ssh/known_hosts
    nodes:
      - {name: west-m1, address: 192.0.2.11, role: control-plane}
      - {name: west-m2, address: 192.0.2.12, role: control-plane}
      - {name: west-m3, address: 192.0.2.13, role: control-plane}
`

func TestParseAppliesDefaults(t *testing.T) {
	s, err := Parse("moscow.yaml", []byte(minimal))
	require.NoError(t, err)
	assert.Equal(t, DefaultProfile, s.Profile)
	assert.Equal(t, []string{"10.3.0.0/16"}, s.Clusters[0].Network.PodCIDRs)
	assert.Equal(t, 22, s.Clusters[0].SSH.Port)
	assert.NoError(t, Validate(s, Material{}).Err())
}
