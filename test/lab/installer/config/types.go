// Package config is the body of POST /api/config as the stand-in installer
// demands it: every field known, every field present, every value checked.
// The vendor publishes no schema; this one follows the fields that its
// unattended script writes.
package config

// Config is the whole document. Byte slices are base64 in JSON. Fields tagged
// presence:"optional" may be missing; all others must be there.
type Config struct {
	Basic           Basic           `json:"basic"`
	Console         Console         `json:"console"`
	DeployMode      string          `json:"deployMode"`
	Registry        Registry        `json:"registry"`
	Cluster         Cluster         `json:"cluster"`
	Product         []string        `json:"product"`
	ElasticSearch   ElasticSearch   `json:"elasticSearch" presence:"optional"`
	Prometheus      Prometheus      `json:"prometheus" presence:"optional"`
	VictoriaMetrics VictoriaMetrics `json:"victoriametrics" presence:"optional"`
}

// Basic is the platform administrator.
type Basic struct {
	Username string `json:"username"`
	Password []byte `json:"password"`
}

// Console is how users reach the platform.
type Console struct {
	GlobalHost string   `json:"globalHost"`
	Host       []string `json:"host"`
	Cert       Cert     `json:"cert"`
	HTTPSPort  int      `json:"httpsPort"`
	HTTPPort   int      `json:"httpPort"`
}

// Cert has exactly one member.
type Cert struct {
	SelfSigned *struct{}   `json:"selfSigned" presence:"optional"`
	ThirdParty *ThirdParty `json:"thirdParty" presence:"optional"`
}

// ThirdParty is the user's own certificate, PEM.
type ThirdParty struct {
	Certificate []byte `json:"certificate"`
	PrivateKey  []byte `json:"privateKey"`
}

// Registry is the image registry: external, or the platform's own by domain.
type Registry struct {
	ExternalAddress string `json:"externalAddress"`
	Domain          string `json:"domain"`
	Username        string `json:"username"`
	Password        []byte `json:"password"`
}

// Cluster is the Kubernetes cluster to build.
type Cluster struct {
	Version                   string            `json:"version"`
	NetworkDevice             string            `json:"networkDevice"`
	Properties                Properties        `json:"properties"`
	Features                  Features          `json:"features"`
	ClusterCIDR               string            `json:"clusterCIDR"`
	ServiceCIDR               string            `json:"serviceCIDR"`
	KubeletExtraArgs          map[string]string `json:"kubeletExtraArgs"`
	DockerExtraArgs           map[string]string `json:"dockerExtraArgs"`
	APIServerExtraArgs        map[string]string `json:"apiServerExtraArgs"`
	ControllerManagerExtraArg map[string]string `json:"controllerManagerExtraArgs"`
	SchedulerExtraArgs        map[string]string `json:"schedulerExtraArgs"`
	Annotations               map[string]string `json:"annotations"`
	HostnameAsNodename        bool              `json:"hostnameAsNodename"`
}

// Properties of the cluster.
type Properties struct {
	MaxNodePodNum int `json:"maxNodePodNum"`
}

// Features of the cluster.
type Features struct {
	IPv6DualStack bool      `json:"ipv6DualStack"`
	HA            HA        `json:"ha"`
	Machines      []Machine `json:"machines"`
	GPUType       string    `json:"gpuType"`
}

// HA is the cluster address.
type HA struct {
	VIP          string `json:"vip"`
	VPort        int    `json:"vport"`
	IsThirdParty bool   `json:"isThirdParty"` // a load balancer of the user, not a self-built VIP
	VRID         *int   `json:"vrid"`
}

// The roles of a machine.
const (
	Master = "master"
	Node   = "node"
)

// Machine is one node and how to log in to it.
type Machine struct {
	IP         string            `json:"ip"`
	IPv6       string            `json:"ipv6"`
	Port       int               `json:"port"`
	Username   string            `json:"username"`
	Password   []byte            `json:"password" presence:"optional"`
	PrivateKey []byte            `json:"privateKey" presence:"optional"`
	Labels     map[string]string `json:"labels" presence:"optional"`
	Taints     []Taint           `json:"taints" presence:"optional"`
	Role       string            `json:"role"`
}

// Taint of a control plane.
type Taint struct {
	Key    string `json:"key"`
	Value  string `json:"value" presence:"optional"`
	Effect string `json:"effect"`
}

// ElasticSearch places the log store.
type ElasticSearch struct {
	Nodes        []string `json:"nodes"`
	RunOnMaster  bool     `json:"runOnMaster"`
	IsUseDefault bool     `json:"isUseDefault"`
}

// Prometheus places the metric store.
type Prometheus struct {
	Nodes       []string `json:"nodes"`
	RunOnMaster bool     `json:"runOnMaster"`
}

// VictoriaMetrics places the other metric store.
type VictoriaMetrics struct {
	Nodes         []string `json:"nodes"`
	AgentReplicas int      `json:"agentReplicas"`
	RunOnMaster   bool     `json:"runOnMaster"`
}

// Annotations of the cluster that carry parameters.
const (
	ContainerRuntime = "cpaas.io/container-runtime"
	NetworkType      = "cpaas.io/network-type"
	JoinCIDR         = "kube-ovn.cpaas.io/join-cidr"
	TransmitType     = "kube-ovn.cpaas.io/transmit-type"
)

// Masters returns the control planes in order; the first one is where the
// installer runs.
func (c *Config) Masters() []Machine {
	var out []Machine
	for _, m := range c.Cluster.Features.Machines {
		if m.Role == Master {
			out = append(out, m)
		}
	}
	return out
}
