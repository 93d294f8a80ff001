package lab

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/acpflow/acpflow/site"
	"github.com/acpflow/acpflow/test/lab/installer/config"
)

// siteHead is what the site document begins with.
const siteHead = `# The lab's site: real machines, keys and certificates of this lab only.
# Made by "lab up", removed by "lab down".
`

// waiverDays is how long the lab's waivers hold; a lab is meant to live shorter.
const waiverDays = 90

// labWaivers are the rules a container on a borrowed kernel cannot meet.
var labWaivers = []site.Waiver{
	{Rule: "CHK-01", Reason: "the kernel command line belongs to the machine the lab runs on"},
	{Rule: "CHK-03", Reason: "a container cannot load the ip_vs kernel modules"},
	{Rule: "CHK-05", Reason: "a container cannot load the geneve and openvswitch kernel modules"},
	{Rule: "CHK-06", Reason: "AppArmor belongs to the kernel of the machine the lab runs on"},
	{Rule: "CHK-07", Reason: "swap belongs to the machine the lab runs on"},
	{Rule: "CAP-01", Reason: "a lab node is as large as the machine the lab runs on"},
	{Rule: "CAP-04", Reason: "a lab node is as large as the machine the lab runs on"},
	{Rule: "CAP-08", Reason: "a lab node is as large as the machine the lab runs on"},
	{Rule: "HW-02", Reason: "the processors belong to the machine the lab runs on"},
	{Rule: "HW-03", Reason: "the memory belongs to the machine the lab runs on"},
	{Rule: "HW-04", Reason: "the disks belong to the machine the lab runs on"},
	{Rule: "NET-07", Reason: "all nodes share the processors of one machine"},
	{Rule: "NET-08", Reason: "all nodes share the processors of one machine"},
	{Rule: "OS-13", Reason: "the nodes run Debian 12 on the kernel of the machine the lab runs on"},
	{Rule: "EXE-04", Reason: "the stand-in package needs 1 GB where the real one needs 100"},
}

// site returns the lab as a site document.
func (l *Lab) site(pkg site.Package, now time.Time) *site.Site {
	doc := &site.Site{
		APIVersion: site.APIVersion,
		Name:       l.state.Name,
		Scenario:   site.SingleCluster,
		Platform: site.Platform{
			Address: Domain, HTTPSPort: 443, AdminUser: "admin@example.com",
			Certificate:   &site.Certificate{Certificate: l.ref(FileCertificate), PrivateKey: l.ref(FileCertKey)},
			AdminPassword: l.ref(FileAdminPassword),
			Products:      config.DefaultOffer().Products,
		},
		Package: pkg,
	}
	if len(l.state.Nodes) == 2 { // one node and its DNS
		doc.Scenario = site.SingleNode
	}
	for _, c := range l.state.Clusters {
		doc.Clusters = append(doc.Clusters, l.siteCluster(c))
	}
	if len(doc.Clusters) > 1 {
		l.planDR(doc)
	}
	waivers := labWaivers
	if doc.DR.Planned && slices.ContainsFunc(doc.Clusters, func(c site.Cluster) bool { return len(c.ControlPlanes()) == 1 }) {
		waivers = append(slices.Clip(waivers), site.Waiver{Rule: "HW-01", Reason: "a small pair shows the same with one control plane on a side"})
	}
	for _, w := range waivers {
		w.Author, w.Expires = "lab", now.AddDate(0, 0, waiverDays).UTC().Format(time.DateOnly)
		doc.Waivers = append(doc.Waivers, w)
	}
	return doc
}

func (l *Lab) siteCluster(c Cluster) site.Cluster {
	out := site.Cluster{
		Name:     c.Name,
		Endpoint: site.Endpoint{VIP: c.VIP},
		Kubernetes: site.Kubernetes{
			Version:          config.DefaultOffer().Kubernetes[0],
			ContainerRuntime: config.DefaultOffer().ContainerRuntimes[0],
		},
		Network: site.Network{CNI: site.KubeOVN, HostCIDRs: []string{l.state.Subnet.String()}},
		SSH:     site.SSH{User: User, PrivateKey: l.ref(FileKey)},
	}
	for _, n := range l.state.Nodes {
		if n.Cluster != c.Name || n.Role == Balancer {
			continue
		}
		role := site.ControlPlane
		if n.Role == Worker {
			role = site.Worker
		}
		out.Nodes = append(out.Nodes, site.Node{Name: n.Name, Address: n.Address, Role: role, HostKey: n.HostKey})
	}
	return out
}

// planDR adds what a disaster recovery pair demands of both sides (DR-14…18).
func (l *Lab) planDR(doc *site.Site) {
	doc.DR.Planned = true
	doc.Scenario = site.MultiCluster
	doc.Platform.HTTPPort = 80
	doc.Registry = site.Registry{Username: "admin", Password: l.ref(FileAdminPassword)}
	for i := range doc.Clusters {
		doc.Clusters[i].Other = []string{doc.Clusters[i].Endpoint.VIP}
		doc.Clusters[i].Balancer = l.siteBalancer(doc.Clusters[i].Name)
		// The log and metric stores, which a failover restarts (DR-34).
		store := []string{doc.Clusters[i].Nodes[0].Name}
		doc.Clusters[i].Monitoring = site.Monitoring{Elasticsearch: store, VictoriaMetrics: store}
	}
	d := l.Describe().DNS
	doc.DR.DNS = &site.DNS{
		Driver: site.DNSRFC2136, Zone: Zone, TTL: recordTTL,
		Authoritative: []string{d.Authoritative}, Resolvers: []string{d.Resolver},
		RFC2136: &site.RFC2136{KeyName: TSIGName, Algorithm: TSIGAlgorithm, Secret: l.ref(FileTSIG)},
	}
	doc.DR.Takeover.WorkloadClusters = l.siteWorkloads()
	doc.DR.Sync = site.Sync{CheckEvery: "1m", Canary: &site.Canary{Namespace: CanaryNamespace}}
}

// CanaryNamespace is where a check of the lab's pair may write.
const CanaryNamespace = "acpflow-canary"

// siteBalancer is the balancer in front of a cluster's VIP, nil when it has none.
func (l *Lab) siteBalancer(cluster string) *site.Balancer {
	for _, n := range l.state.Nodes {
		if n.Cluster == cluster && n.Role == Balancer {
			return &site.Balancer{Driver: site.BalancerHAProxy, HAProxy: &site.HAProxy{
				Hosts: []site.Host{{Name: n.Name, Address: n.Address, HostKey: n.HostKey}}}}
		}
	}
	return nil
}

func (l *Lab) ref(file string) site.Ref { return site.Ref("file:" + filepath.Join(l.state.Dir, file)) }

func (l *Lab) siteYAML(pkg site.Package, change func(*site.Site)) (string, error) {
	doc := l.site(pkg, time.Now())
	if change != nil {
		change(doc)
	}
	data, err := yaml.Marshal(doc)
	if err != nil {
		return "", fmt.Errorf("lab: site document: %w", err)
	}
	return siteHead + string(data), nil
}
