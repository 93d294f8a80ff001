package installer

import "github.com/acpflow/acpflow/internal/secret"

// document is the body of POST /api/config. Field order follows the vendor's
// generated file, so that the two can be compared line by line. Secrets are
// coded (base64) and plain strings here: the type stays private, Config prints it.
type document struct {
	Basic      basic      `json:"basic"`
	Console    console    `json:"console"`
	DeployMode string     `json:"deployMode"`
	Registry   registry   `json:"registry"`
	Cluster    cluster    `json:"cluster"`
	Product    []string   `json:"product"`
	Elastic    elastic    `json:"elasticSearch"`
	Prometheus prometheus `json:"prometheus"`
	Victoria   victoria   `json:"victoriametrics"`
}

type basic struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

type console struct {
	GlobalHost string   `json:"globalHost"`
	Host       []string `json:"host"`
	Cert       cert     `json:"cert"`
	HTTPSPort  int      `json:"httpsPort"`
	HTTPPort   int      `json:"httpPort"`
}

// cert has exactly one member.
type cert struct {
	SelfSigned *struct{}   `json:"selfSigned,omitempty"`
	ThirdParty *thirdParty `json:"thirdParty,omitempty"`
}

type thirdParty struct {
	Certificate string `json:"certificate"`
	PrivateKey  string `json:"privateKey"`
}

type registry struct {
	ExternalAddress string `json:"externalAddress"`
	Domain          string `json:"domain"`
	Username        string `json:"username"`
	Password        string `json:"password"`
}

type cluster struct {
	Version               string            `json:"version"`
	NetworkDevice         string            `json:"networkDevice"`
	Properties            properties        `json:"properties"`
	Features              features          `json:"features"`
	ClusterCIDR           string            `json:"clusterCIDR"`
	ServiceCIDR           string            `json:"serviceCIDR"`
	KubeletExtraArgs      struct{}          `json:"kubeletExtraArgs"`
	DockerExtraArgs       struct{}          `json:"dockerExtraArgs"`
	APIServerExtraArgs    struct{}          `json:"apiServerExtraArgs"`
	ControllerManagerArgs struct{}          `json:"controllerManagerExtraArgs"`
	SchedulerExtraArgs    struct{}          `json:"schedulerExtraArgs"`
	Annotations           map[string]string `json:"annotations"`
	HostnameAsNodename    bool              `json:"hostnameAsNodename"`
}

type properties struct {
	MaxNodePodNum int `json:"maxNodePodNum"`
}

type features struct {
	IPv6DualStack bool      `json:"ipv6DualStack"`
	HA            ha        `json:"ha"`
	Machines      []machine `json:"machines"`
	GPUType       string    `json:"gpuType"`
}

type ha struct {
	VIP          string `json:"vip"`
	VPort        int    `json:"vport"`
	IsThirdParty bool   `json:"isThirdParty"`
	VRID         *int   `json:"vrid"`
}

// machine is one node. Control planes always carry labels (null without any)
// and taints; workers have neither key.
type machine struct {
	IP         string  `json:"ip"`
	IPv6       string  `json:"ipv6"`
	Port       int     `json:"port"`
	Username   string  `json:"username"`
	Password   *string `json:"password"`
	PrivateKey *string `json:"privateKey"`
	*placement
	Role string `json:"role"`
}

type placement struct {
	Labels map[string]string `json:"labels"`
	Taints []taint           `json:"taints"`
}

type taint struct {
	Key    string `json:"key"`
	Effect string `json:"effect"`
}

type elastic struct {
	Nodes        []string `json:"nodes"`
	RunOnMaster  bool     `json:"runOnMaster"`
	IsUseDefault bool     `json:"isUseDefault"`
}

type prometheus struct {
	Nodes       []string `json:"nodes"`
	RunOnMaster bool     `json:"runOnMaster"`
}

type victoria struct {
	Nodes         []string `json:"nodes"`
	AgentReplicas int      `json:"agentReplicas"`
	RunOnMaster   bool     `json:"runOnMaster"`
}

// masked is a copy in which every secret (and the certificate that travels
// with its key) reads secret.Mask; what is absent stays absent, so that a reader
// sees which credential is used.
func (d document) masked() document {
	d.Basic.Password = mask(d.Basic.Password)
	d.Registry.Password = mask(d.Registry.Password)
	if tp := d.Console.Cert.ThirdParty; tp != nil {
		d.Console.Cert.ThirdParty = &thirdParty{Certificate: mask(tp.Certificate), PrivateKey: mask(tp.PrivateKey)}
	}
	machines := make([]machine, len(d.Cluster.Features.Machines))
	for i, m := range d.Cluster.Features.Machines {
		m.Password, m.PrivateKey = maskPtr(m.Password), maskPtr(m.PrivateKey)
		machines[i] = m
	}
	d.Cluster.Features.Machines = machines
	return d
}

func mask(s string) string {
	if s == "" {
		return ""
	}
	return secret.Mask
}

func maskPtr(s *string) *string {
	if s == nil {
		return nil
	}
	return new(secret.Mask)
}
