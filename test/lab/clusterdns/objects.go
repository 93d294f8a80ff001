// Package clusterdns is the name service inside a cluster of the lab: Pods that
// run the real CoreDNS, the Service in front of them, and what Pods have in
// their /etc/resolv.conf.
package clusterdns

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

// Where everything is, as kubeadm has it.
const (
	Namespace = "kube-system"
	ConfigMap = "coredns"
	Service   = "kube-dns"
	Program   = "coredns" // value of podnet.ProgramLabel
	Label     = "kube-dns"
	domain    = "cluster.local"
	cacheTime = 30 * time.Second // how long CoreDNS keeps an answer at most, by default
)

// Address of the Service: the tenth of the range of Services, "" when there is
// no such address.
func Address(serviceRange string) string {
	p, err := netip.ParsePrefix(strings.TrimSpace(strings.Split(serviceRange, ",")[0]))
	if err != nil {
		return ""
	}
	a := p.Masked().Addr()
	for range 10 {
		a = a.Next()
	}
	return a.String()
}

// ResolvConf is /etc/resolv.conf of a Pod.
func ResolvConf(address, namespace string) string {
	return fmt.Sprintf("nameserver %[1]s\nsearch %[2]s.svc.%[3]s svc.%[3]s %[3]s\noptions ndots:5\n", address, namespace, domain)
}

// Faults make CoreDNS answer wrongly. The zero value is a healthy Corefile.
type Faults struct {
	MinTTL time.Duration     `json:"minTTL,omitempty"` // answers are kept at least this long, whatever their TTL; a restart empties the cache
	Pins   map[string]string `json:"pins,omitempty"`   // name → address that is answered for ever
}

// Corefile as kubeadm has it, without what needs the API: the lab's clusters
// have no names of their own to serve.
func Corefile(f Faults) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".:53 {\n    errors\n    template ANY ANY %s in-addr.arpa ip6.arpa {\n        rcode NXDOMAIN\n    }\n", domain)
	if len(f.Pins) > 0 {
		b.WriteString("    hosts {\n")
		for name, address := range f.Pins {
			fmt.Fprintf(&b, "        %s %s\n", address, name)
		}
		b.WriteString("        fallthrough\n    }\n")
	}
	b.WriteString("    forward . /etc/resolv.conf\n")
	if s := int(f.MinTTL.Seconds()); s > 0 {
		fmt.Fprintf(&b, "    cache {\n        success 9984 %[1]d %[1]d\n        denial 9984 %[1]d %[1]d\n    }\n", s)
	} else {
		fmt.Fprintf(&b, "    cache %d\n", int(cacheTime.Seconds()))
	}
	b.WriteString("    loadbalance\n}\n")
	return b.String()
}

// Config is the ConfigMap that CoreDNS reads when it starts.
func Config(f Faults) kubeapi.Object {
	return kubeapi.Object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": kubeapi.Object{"name": ConfigMap, "namespace": Namespace},
		"data": kubeapi.Object{"Corefile": Corefile(f)}}
}

// ServiceObject is the Service in front of the Pods.
func ServiceObject(address string) kubeapi.Object {
	port := func(name, protocol string) kubeapi.Object {
		return kubeapi.Object{"name": name, "port": 53, "protocol": protocol}
	}
	return kubeapi.Object{"apiVersion": "v1", "kind": "Service",
		"metadata": kubeapi.Object{"name": Service, "namespace": Namespace, "labels": map[string]string{"k8s-app": Label}},
		"spec": kubeapi.Object{"clusterIP": address, "selector": map[string]string{"k8s-app": Label},
			"ports": []kubeapi.Object{port("dns", "UDP"), port("dns-tcp", "TCP")}}}
}
