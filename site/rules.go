package site

// Sources of the rules: headings of the vendor's document, its unattended
// interface, or this document's own format.
const (
	fromFormat     = "format of the site document"
	fromInterface  = "installer interface"
	fromScope      = "Installation method"
	fromCapacity   = "Capacity planning"
	fromNetwork    = "Network resources"
	fromForwarding = "LoadBalancer forwarding rules"
	fromPackage    = "Core Package download"
	fromExecute    = "Installation"
	fromNode       = "Node network checks"
	fromParameters = "Installation parameters"
	fromDR         = "Global disaster recovery"
)

// rules are all rules of the document, each with its requirement id. DOC-01 to
// DOC-04 are Parse's; API-* are gaps of the installer's own checks.
var rules = []rule{
	{"DOC-05", "every required field is set", fromFormat, checkRequired},
	{"DOC-06", "names and values are well-formed, and names are unique", fromFormat, checkNames},
	{"DOC-07", "secrets are references, and the worker can read them", fromFormat, checkRefs},
	{"DOC-08", "the worker and the installer can log in, host keys are pinned or known", fromFormat, checkSSH},
	{"DOC-09", "waivers name a rule that can be waived, known nodes, an author, a reason and an end", fromFormat, checkWaivers},
	{"DOC-10", "approvals can be given, by people who are named once", fromFormat, checkApprovals},
	{"DOC-11", "a drill has a name of its own and knows when not to run", fromFormat, checkDrill},
	{"GEN-05", "a second cluster only in a disaster recovery pair", fromScope, checkPair},
	{"GEN-06", "the package directory is an absolute path", fromScope, checkDirectory},
	{"GEN-07", "the network plugin is one the profile knows", fromScope, checkCNI},
	{"CAP-01", "a single node site has one node", fromCapacity, checkSingleNode},
	{"CAP-04", "a single cluster site has three control planes", fromCapacity, checkSingleCluster},
	{"CAP-08", "a multi cluster site has three control planes and two workers", fromCapacity, checkMultiCluster},
	{"NET-02", "the VIP is an address of its own", fromNetwork, checkVIP},
	{"NET-03", "the external IP is an address of its own", fromNetwork, checkExternalIP},
	{"NET-05", "a trusted certificate is recommended", fromNetwork, checkTrusted},
	{"NET-10", "node addresses stay outside the container tool's range", fromNetwork, checkReserved},
	{"CHK-15", "node addresses are unicast", fromNode, checkNodeAddresses},
	{"LB-01", "the HTTPS port is free for the platform", fromForwarding, checkHTTPSPort},
	{"LB-04", "the HTTP port is free for the platform", fromForwarding, checkHTTPPort},
	{"PKG-03", "the package's architecture is known", fromPackage, checkArchitecture},
	{"PKG-04", "the package can be found and verified", fromPackage, checkPackage},
	{"EXE-13", "the patience with a stalled installer is a duration", fromExecute, checkPolicy},
	{"PAR-01", "the Kubernetes version is one the profile offers", fromParameters, checkVersion},
	{"PAR-02", "addresses and ranges fit the network protocol", fromParameters, checkFamily},
	{"PAR-03", "the cluster address is a name or the VIP", fromParameters, checkEndpointDomain},
	{"PAR-05", "the conditions of a self-built VIP hold", fromParameters, checkSelfBuilt},
	{"PAR-06", "a single control plane is a decision for good", fromParameters, checkSingleControlPlane},
	{"PAR-07", "the platform address is a name or an address users reach", fromParameters, checkPlatformAddress},
	{"PAR-08", "HTTP is off unless it must be on", fromParameters, checkHTTP},
	{"PAR-09", "IPv6 access needs a domain", fromParameters, checkIPv6Access},
	{"PAR-10", "other platform addresses are names or addresses, each once", fromParameters, checkOtherAddresses},
	{"PAR-11", "the certificate is valid, complete and covers the platform address", fromParameters, checkCertificate},
	{"PAR-12", "the image registry is complete", fromParameters, checkRegistry},
	{"PAR-13", "pod, service and join ranges don't overlap", fromParameters, checkContainerRanges},
	{"PAR-14", "container ranges and host segments don't overlap", fromParameters, checkHostRanges},
	{"PAR-15", "node names serve as host names", fromParameters, checkHostnames},
	{"PAR-30", "1 or 3 control planes", fromParameters, checkControlPlanes},
	{"PAR-31", "platform-exclusive control planes run no applications", fromParameters, checkExclusiveControlPlanes},
	{"PAR-32", "whether workers run applications follows from the isolation", fromParameters, checkWorkers},
	{"PAR-33", "the network device is a device name", fromParameters, checkDevice},
	{"API-10", "every node is listed once", fromInterface, checkDuplicates},
	{"API-11", "log and metric stores are on nodes of the cluster, one metric store", fromInterface, checkMonitoring},
	{"API-14", "the products include base and acp", fromInterface, checkProducts},
	{"DR-09", "each cluster of the pair has a VIP of its own", fromDR, checkOwnVIP},
	{"DR-12", "the clusters of the pair are installed alike", fromDR, checkAlike},
	{"DR-13", "no self-built VIP", fromDR, checkNoSelfBuilt},
	{"DR-14", "the platform address is a domain, the cluster address the VIP", fromDR, checkDRAddresses},
	{"DR-15", "an own certificate", fromDR, checkDRCertificate},
	{"DR-16", "the platform's registry has credentials", fromDR, checkDRRegistry},
	{"DR-17", "HTTP port 80 and HTTPS port 443", fromDR, checkDRPorts},
	{"DR-18", "each cluster's VIP is among its other platform addresses", fromDR, checkDROther},
	{"DR-20", "how the platform's name is moved is known", fromDR, checkDNS},
	{"DR-22", "both clusters answer to the same names", fromDR, checkSameNames},
	{"DR-30", "how the ports of the VIPs are opened and closed is known", fromDR, checkBalancers},
	{"DR-33", "the settings of the watch are sound", fromDR, checkSync},
	{"DR-42", "the patience and the proofs of a switchover and a failover are sound", fromDR, checkTakeover},
	{"DR-43", "the workload clusters whose monitoring follows the platform are named once", fromDR, checkWorkloads},
}

// RuleInfo describes a rule for people.
type RuleInfo struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Source string `json:"source"`
}

// Rules lists every rule of the document, those of its form first.
func Rules() []RuleInfo {
	out := []RuleInfo{
		{"DOC-01", "one readable YAML document", fromFormat},
		{"DOC-02", "known fields only", fromFormat},
		{"DOC-03", "every value has the right type", fromFormat},
		{"DOC-04", "no field twice", fromFormat},
	}
	for _, r := range rules {
		out = append(out, RuleInfo{r.ID, r.Title, r.Source})
	}
	return out
}
