package config_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/test/lab/installer/config"
)

func check(body []byte, o config.Offer) error {
	c, err := config.Decode(body)
	if err != nil {
		return err
	}
	return c.Validate(o)
}

func TestAGoodDocumentIsTaken(t *testing.T) {
	require.NoError(t, check(encode(t, good()), config.DefaultOffer()))
}

// Every row bends one thing and names what the refusal must say.
func TestEveryFieldIsChecked(t *testing.T) {
	set := func(key string, v any, path ...any) func(*testing.T, document) {
		return func(t *testing.T, d document) { at(t, d, path...)[key] = v }
	}
	drop := func(key string, path ...any) func(*testing.T, document) {
		return func(t *testing.T, d document) { delete(at(t, d, path...), key) }
	}
	machines := func(t *testing.T, d document) []any {
		return at(t, d, "cluster", "features")["machines"].([]any)
	}
	const masterTaint = "node-role.kubernetes.io/master"
	for name, c := range map[string]struct {
		bend func(*testing.T, document)
		want string
	}{
		"unknown field":            {set("surprise", 1), "surprise: unknown field"},
		"other case":               {func(t *testing.T, d document) { d["Product"] = d["product"]; delete(d, "product") }, "Product: unknown field"},
		"missing field":            {drop("httpPort", "console"), "console.httpPort: missing"},
		"missing object":           {drop("kubeletExtraArgs", "cluster"), "cluster.kubeletExtraArgs: missing"},
		"string for number":        {set("httpsPort", "443", "console"), "console.httpsPort: want an integer"},
		"fraction for number":      {set("httpsPort", 443.5, "console"), "console.httpsPort: want an integer"},
		"number for string":        {set("version", 1.32, "cluster"), "cluster.version: want a string"},
		"null for string":          {set("version", nil, "cluster"), "cluster.version: null"},
		"null for object":          {set("annotations", nil, "cluster"), "cluster.annotations: null"},
		"plain password":           {set("password", "päss", "basic"), "basic.password: not base64"},
		"empty password":           {set("password", "", "basic"), "basic.password: empty"},
		"empty admin":              {set("username", "", "basic"), "basic.username: empty"},
		"empty platform address":   {set("globalHost", "", "console"), "console.globalHost"},
		"address with port":        {set("globalHost", "acp.example.com:443", "console"), "console.globalHost"},
		"bad other address":        {set("host", []any{"a b"}, "console"), "console.host[0]"},
		"no certificate choice":    {set("cert", document{}, "console"), "exactly one of selfSigned and thirdParty"},
		"certificate that is none": {set("cert", document{"thirdParty": document{"certificate": "eA==", "privateKey": "eA=="}}, "console"), "no matching PEM pair"},
		"port out of range":        {set("httpsPort", 70000, "console"), "console.httpsPort: 70000"},
		"same ports":               {set("httpPort", 443, "console"), "equals httpsPort"},
		"deploy mode":              {set("deployMode", "cluster"), "deployMode"},
		"no registry":              {set("domain", "", "registry"), "registry: neither"},
		"registry port":            {set("domain", "192.0.2.10:5000", "registry"), "is not <host>:11443"},
		"registry user alone":      {set("username", "u", "registry"), "username and password go together"},
		"version not offered":      {set("version", "v1.20.0", "cluster"), "is not offered"},
		"runtime not offered":      {set("cpaas.io/container-runtime", "containerd://1.6.20-4", "cluster", "annotations"), "is not offered"},
		"unknown annotation":       {set("cpaas.io/other", "x", "cluster", "annotations"), "cpaas.io/other is unknown"},
		"product missing":          {set("product", []any{"base"}), "product: acp is missing"},
		"product not carried":      {set("product", []any{"base", "acp", "asm"}), `does not carry "asm"`},
		"pods per node":            {set("maxNodePodNum", 0, "cluster", "properties"), "maxNodePodNum"},
		"gpu":                      {set("gpuType", "Virtual", "cluster", "features"), "gpuType"},
		"vip with port":            {set("vip", "192.0.2.10:6443", "cluster", "features", "ha"), "ha.vip"},
		"api port":                 {set("vport", 443, "cluster", "features", "ha"), "ha.vport"},
		"vrid behind balancer":     {set("vrid", 7, "cluster", "features", "ha"), "only with a self-built VIP"},
		"self-built without vrid":  {set("isThirdParty", false, "cluster", "features", "ha"), "needs one of 1-255"},
		"vip is a node":            {set("vip", "192.0.2.12", "cluster", "features", "ha"), "192.0.2.12 is a machine"},
		"two control planes":       {func(t *testing.T, d document) { at(t, d, "cluster", "features")["machines"] = machines(t, d)[1:] }, "2 control planes"},
		"worker first":             {func(t *testing.T, d document) { m := machines(t, d); m[0], m[3] = m[3], m[0] }, "control planes stand before workers"},
		"same machine twice":       {set("ip", "192.0.2.11", "cluster", "features", "machines", 1), "is already machine 0"},
		"bad address":              {set("ip", "192.0.2.999", "cluster", "features", "machines", 1), "machines[1].ip"},
		"ipv6 without dual stack":  {set("ipv6", "2001:db8::1", "cluster", "features", "machines", 0), "only with ipv6DualStack"},
		"dual stack without ipv6":  {set("ipv6DualStack", true, "cluster", "features"), "dual stack needs an IPv6 address"},
		"no credential":            {set("password", nil, "cluster", "features", "machines", 2), "neither password nor privateKey"},
		"role":                     {set("role", "worker", "cluster", "features", "machines", 3), "neither master nor node"},
		"no taints":                {drop("taints", "cluster", "features", "machines", 0), "taints: missing"},
		"unknown taint":            {set("taints", []any{document{"key": "x", "effect": "NoSchedule"}}, "cluster", "features", "machines", 0), `"x" is unknown`},
		"isolation without mode":   {set("taints", []any{document{"key": masterTaint, "effect": "NoSchedule"}, document{"key": "node-role.kubernetes.io/cpaas-system", "effect": "NoSchedule"}}, "cluster", "features", "machines", 0), "goes with deployMode base"},
		"mode without isolation":   {set("deployMode", "base"), "goes with deployMode base"},
		"worker with taints":       {set("taints", []any{document{"key": masterTaint, "effect": "NoSchedule"}}, "cluster", "features", "machines", 3), "are for control planes"},
		"bad range":                {set("clusterCIDR", "10.3.0.0", "cluster"), "is no CIDR"},
		"host bits":                {set("clusterCIDR", "10.3.0.1/16", "cluster"), "host bits"},
		"overlap":                  {set("serviceCIDR", "10.3.128.0/17", "cluster"), "overlaps"},
		"join overlap":             {set("kube-ovn.cpaas.io/join-cidr", "10.4.0.0/24", "cluster", "annotations"), "overlaps"},
		"node inside":              {set("clusterCIDR", "192.0.0.0/16", "cluster"), "lies in 192.0.0.0/16"},
		"two ranges, one stack":    {set("clusterCIDR", "10.3.0.0/16,fd00:10:16::/64", "cluster"), "this cluster needs 1"},
		"network plugin":           {set("cpaas.io/network-type", "flannel", "cluster", "annotations"), "neither ovn nor calico"},
		"calico with join":         {set("cpaas.io/network-type", "calico", "cluster", "annotations"), "are for ovn"},
		"transmit type":            {set("kube-ovn.cpaas.io/transmit-type", "underlay", "cluster", "annotations"), "only overlay"},
		"store on a stranger":      {set("nodes", []any{"192.0.2.99"}, "elasticSearch"), "is no machine of this cluster"},
		"runOnMaster for a worker": {set("runOnMaster", true, "elasticSearch"), "does not fit the roles"},
		"two metric stores":        {set("nodes", []any{"192.0.2.14"}, "prometheus"), "excludes prometheus"},
		"no agent":                 {set("agentReplicas", 0, "victoriametrics"), "agentReplicas"},
	} {
		t.Run(name, func(t *testing.T) {
			d := good()
			c.bend(t, d)
			require.ErrorContains(t, check(encode(t, d), config.DefaultOffer()), c.want)
		})
	}
}

func TestAllProblemsAreToldAtOnce(t *testing.T) {
	d := good()
	at(t, d, "basic")["username"] = ""
	at(t, d, "cluster")["version"] = "v0"
	err := check(encode(t, d), config.DefaultOffer())
	require.ErrorContains(t, err, "basic.username")
	require.ErrorContains(t, err, "cluster.version")
}

func TestFlagsOfSetupBindTheNetwork(t *testing.T) {
	o := config.DefaultOffer()
	o.NetworkType = config.Calico
	require.ErrorContains(t, check(encode(t, good()), o), "setup.sh was started for calico")
	o = config.DefaultOffer()
	o.IPFamily = "ipv6"
	require.ErrorContains(t, check(encode(t, good()), o), "--ip-family ipv6")
}

func TestBodiesThatAreNoDocument(t *testing.T) {
	whole := encode(t, good())
	for name, body := range map[string][]byte{
		"empty": nil, "text": []byte("config"), "array": []byte("[]"), "null": []byte("null"),
		"cut": whole[:len(whole)/2], "two": append(bytes.Clone(whole), whole...),
	} {
		t.Run(name, func(t *testing.T) { require.Error(t, check(body, config.DefaultOffer())) })
	}
}

// A refusal must not repeat a secret of the document.
func TestRefusalsKeepSecrets(t *testing.T) {
	d := good()
	at(t, d, "basic")["password"] = "not base64: hunter2"
	at(t, d, "cluster", "features", "machines", 0)["privateKey"] = 12345
	err := check(encode(t, d), config.DefaultOffer())
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hunter2")
	require.NotContains(t, err.Error(), "12345")
}
