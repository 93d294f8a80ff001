package checks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/site"
)

// sizes are the cases of a least size: met, a core and a tenth of a GB short.
func sizes(name string, least Size, short Outcome, input func(*Input)) []ruleCase {
	return []ruleCase{
		{name, built(least.Cores, float64(least.Memory)), input, Pass, ""},
		{name + ", a core short", built(least.Cores-1, float64(least.Memory)), input, short, fmt.Sprintf("%d cores", least.Cores-1)},
		{name + ", too little memory", built(least.Cores, float64(least.Memory)-0.1), input, short, "GB"},
	}
}

// advised are the cases of a least size below an advised one.
func advised(name string, least, better Size, short Outcome, input func(*Input)) []ruleCase {
	return slices.Concat(sizes(name+" as advised", better, Warn, input), []ruleCase{
		{name, built(least.Cores, float64(least.Memory)), input, Warn, ""},
		{name + ", a core short", built(least.Cores-1, 99), input, short, ""},
		{name + ", too little memory", built(99, float64(least.Memory)-0.1), input, short, ""},
	})
}

var (
	unknownSize = ruleCase{"unknown", said{"memory": "!1"}, nil, Error, "memory"}

	_ = cases("CAP-01", slices.Concat(
		sizes("the seed", Size{16, 32}, Fail, scenario(site.SingleNode)),
		sizes("4.1", Size{12, 24}, Fail, all(scenario(site.SingleNode), profile(acp41))),
		[]ruleCase{
			{"another scenario", built(1, 1), nil, Skipped, "multi-cluster"},
			{"unknown", said{"memory": "!1"}, scenario(site.SingleNode), Error, "memory"},
		}))
	_ = cases("CAP-04", slices.Concat(
		advised("the seed", Size{8, 16}, Size{12, 24}, Skipped, scenario(site.SingleCluster)),
		sizes("4.1", Size{8, 16}, Fail, all(scenario(site.SingleCluster), profile(acp41))),
		[]ruleCase{
			{"another scenario", built(1, 1), nil, Skipped, "multi-cluster"},
			{"a worker", built(1, 1), all(onNode("w-1"), scenario(site.SingleCluster)), Skipped, "control-plane"},
			{"unknown", said{"memory": "!1"}, scenario(site.SingleCluster), Error, "memory"},
		}))
	_ = cases("CAP-08", slices.Concat(
		advised("a control plane", Size{8, 16}, Size{16, 32}, Skipped, nil),
		advised("a worker", Size{12, 24}, Size{24, 48}, Fail, onNode("w-1")),
		[]ruleCase{unknownSize, {"another scenario", built(1, 1), scenario(site.SingleCluster), Skipped, "single-cluster"}}))
	_ = cases("CAP-18", slices.Concat(
		sizes("no cluster", Size{8, 16}, Fail, profile(acp41)),
		sizes("10 clusters", Size{8, 16}, Fail, all(profile(acp41), clusters(10))),
		sizes("11 clusters", Size{16, 32}, Fail, all(profile(acp41), clusters(11))),
		sizes("50 clusters", Size{16, 32}, Fail, all(profile(acp42), clusters(50))),
		sizes("51 clusters", Size{24, 48}, Fail, all(profile(acp41), clusters(51))),
		sizes("100 clusters", Size{24, 48}, Fail, all(profile(acp41), clusters(100))),
		sizes("101 clusters", Size{32, 64}, Fail, all(profile(acp41), clusters(101))),
		sizes("500 clusters", Size{32, 64}, Fail, all(profile(acp41), clusters(500))),
		[]ruleCase{
			{"beyond the table", built(32, 64), all(profile(acp41), clusters(501)), Warn, "501 clusters are beyond"},
			{"beyond the table and small", built(31, 64), all(profile(acp41), clusters(501)), Fail, "31 cores"},
			{"another scenario", built(1, 1), all(profile(acp41), scenario(site.SingleCluster)), Skipped, "single-cluster"},
			{"a worker", built(1, 1), all(profile(acp41), onNode("w-1")), Skipped, "control-plane"},
			{"unknown", said{"memory": "!1"}, profile(acp41), Error, "memory"},
		}))
)

// mounted is what df says: mount points and their size in GB, each half used.
func mounted(sizes ...any) said {
	var b strings.Builder
	b.WriteString("Filesystem 1-blocks Used Available Capacity Mounted on\n")
	for i := 0; i < len(sizes); i += 2 {
		total := 0.0
		switch n := sizes[i+1].(type) {
		case int:
			total = float64(n) * 1e9
		case float64:
			total = n * 1e9
		}
		fmt.Fprintf(&b, "/dev/my disk %.0f %.0f %.0f 50%% %s\n", total, total/2, total/2, sizes[i])
	}
	return said{"spaces": b.String()}
}

func partitioned(etcd, containerd, cpaas, root any) said {
	return mounted("/var/lib/etcd", etcd, "/var/lib/containerd", containerd, "/cpaas", cpaas, "/", root)
}

// used is a root partition of which so many percent are used.
func used(percent int) said {
	return said{"spaces": partitioned(20, 150, 200, 0)["spaces"] + fmt.Sprintf("/dev/sda 1000000000000 %d0000000000 %d0000000000 %d%% /\n", percent, 100-percent, percent)}
}

var _ = cases("CAP-20", slices.Concat(
	diskCases("control plane", profile(acp41), []int{10, 100, 100, 50}, []int{20, 150, 200, 100}, Warn),
	diskCases("worker", all(profile(acp42), onNode("w-1")), []int{0, 100, 40, 50}, []int{0, 150, 200, 100}, Pass),
	[]ruleCase{
		{"speed of the etcd disk", partitioned(20, 150, 200, 100), profile(acp41), Warn, "write speed of the etcd disk is not measured"},
		{"a spinning disk", with(partitioned(20, 150, 200, 100), said{"disks": strings.Replace(spins["disks"], `MOUNTPOINT="/"`, `MOUNTPOINT="/var/lib/etcd"`, 1)}), profile(acp41), Warn, "etcd on a spinning disk: rhel-root"},
		{"all in one, large enough", mounted("/", 260), profile(acp41), Warn, "/cpaas has no partition of its own"},
		{"all in one, too small", mounted("/", 259), profile(acp41), Fail, "/ has 259.0 GB of 260"},
		{"a worker without partitions", mounted("/", 190), all(profile(acp41), onNode("w-1")), Warn, "/cpaas has no partition"},
		{"a worker's is too small", mounted("/", 189), all(profile(acp41), onNode("w-1")), Fail, "189.0 GB of 190"},
		{"a full root", used(80), all(profile(acp41), onNode("w-1")), Fail, "/ is 80 % used"},
		{"nearly full", used(79), all(profile(acp41), onNode("w-1")), Pass, ""},
		{"nothing told", said{"spaces": ""}, profile(acp41), Error, "names no file system"},
		{"unknown", said{"spaces": "!124"}, profile(acp41), Error, "spaces"},
		{"disks unknown", said{"disks": "!124"}, profile(acp41), Error, "disks"},
	}))

// diskCases go through etcd, containerd, cpaas and root: each as advised, a
// little less, at least, and a little less than that.
func diskCases(name string, input func(*Input), least, better []int, good Outcome) []ruleCase {
	at := []string{"/var/lib/etcd", "/var/lib/containerd", "/cpaas", "/"}
	plan := func(i int, size any) said {
		sizes := []any{better[0], better[1], better[2], better[3]}
		sizes[i] = size
		return partitioned(sizes[0], sizes[1], sizes[2], sizes[3])
	}
	var out []ruleCase
	for i, path := range at {
		if least[i] == 0 {
			continue
		}
		say := ""
		if good == Warn {
			say = "=the write speed of the etcd disk is not measured on a live system"
		}
		out = append(out,
			ruleCase{name + path + " as advised", plan(i, better[i]), input, good, say},
			ruleCase{name + path + " less than advised", plan(i, float64(better[i])-0.1), input, Warn, path + " has"},
			ruleCase{name + path + " least", plan(i, least[i]), input, Warn, path + " has"},
			ruleCase{name + path + " too small", plan(i, float64(least[i])-0.1), input, Fail, path + " has"})
	}
	return out
}

func at(dir string) func(*Input) { return func(in *Input) { in.Site.Package.Directory = dir } }

var _ = cases("EXE-04", []ruleCase{
	{"enough", mounted("/", 200), nil, Pass, "100.0 GB for /root/cpaas-install in /"},
	{"too little", mounted("/", 199.9), nil, Fail, "GB for /root/cpaas-install in /"},
	{"enough by 4.1", mounted("/", 200), profile(acp41), Pass, ""},
	{"too little by 4.1", mounted("/", 199.9), profile(acp41), Fail, ""},
	{"on a disk of its own", mounted("/", 10, "/data", 300), at("/data/acp"), Pass, "in /data"},
	{"a disk with a like name", mounted("/", 10, "/data", 300), at("/database"), Fail, "in /"},
	{"a blank in the name", mounted("/", 10, "/my data", 300), at("/my data/acp"), Pass, ""},
	{"one mount over the other", mounted("/", 300, "/", 10), nil, Fail, "5.0 GB"},
	{"another control plane", mounted("/", 1), onNode("cp-2"), Skipped, "installer"},
	{"nothing told", said{"spaces": "\n"}, nil, Error, "spaces"},
	{"unknown", said{"spaces": "!124"}, nil, Error, "spaces"},
})

func nodesOf(masters, workers int) func(*TogetherInput) {
	return func(in *TogetherInput) {
		c := &in.Site.Clusters[0]
		c.Nodes = nil
		in.Nodes = map[string]Shared{}
		for i := range masters + workers {
			n := site.Node{Name: fmt.Sprint("n-", i), Role: site.ControlPlane}
			if i >= masters {
				n.Role = site.Worker
			}
			c.Nodes = append(c.Nodes, n)
			in.Nodes[n.Name] = goodShared(n.Name)
		}
	}
}

func plans(name site.Scenario, clusters, pods int, more ...func(*TogetherInput)) func(*TogetherInput) {
	return func(in *TogetherInput) {
		in.Site.Scenario = name
		in.Site.Capacity = site.Capacity{WorkloadClusters: clusters, Pods: pods}
		for _, m := range more {
			m(in)
		}
	}
}

func edition4(name string) func(*TogetherInput) {
	return func(in *TogetherInput) { in.Site.Profile = name }
}

// compute gives three control planes and two workers so much in all.
func compute(cores int, gb float64) func(*TogetherInput) {
	return func(in *TogetherInput) {
		nodesOf(3, 2)(in)
		for i, c := range in.Site.Clusters[0].Nodes {
			s := in.Nodes[c.Name]
			s.Cores, s.Memory = 1, 1e9
			if i == 0 {
				s.Cores, s.Memory = cores-4, (gb-4)*1e9
			}
			in.Nodes[c.Name] = s
		}
	}
}

func withPackage(v PackageView) func(*TogetherInput) {
	return func(in *TogetherInput) { in.Package = &v }
}

func armWorker(in *TogetherInput) {
	s := in.Nodes["w-1"]
	s.Machine = arm64
	in.Nodes["w-1"] = s
}

func mixed(v PackageView, more ...func(*TogetherInput)) func(*TogetherInput) {
	return func(in *TogetherInput) {
		armWorker(in)
		in.Package = &v
		for _, m := range more {
			m(in)
		}
	}
}

func waives(rule string, nodes ...string) func(*TogetherInput) {
	return func(in *TogetherInput) {
		in.Site.Waivers = append(in.Site.Waivers, site.Waiver{Rule: rule, Nodes: nodes, Reason: "agreed", Author: "pat", Expires: "2026-03-10"})
	}
}

func unwantedProbe(in *TogetherInput) { in.Unprobed = "the request says so" }

var (
	single = site.SingleCluster
	multi  = site.MultiCluster
)

var acrossCases = []betweenCase{
	{"HW-01", "three", nodesOf(3, 0), Pass, "3"},
	{"HW-01", "two", nodesOf(2, 0), Fail, "2"},
	{"HW-01", "one", nodesOf(1, 0), Fail, "1"},
	{"HW-01", "one is a single node", plans(site.SingleNode, 0, 0, nodesOf(1, 0)), Pass, "1"},
	{"HW-01", "none", plans(site.SingleNode, 0, 0, nodesOf(0, 1)), Fail, "0"},
	{"HW-01", "five", nodesOf(5, 0), Warn, "PAR-30"},
	{"HW-01", "four", nodesOf(4, 0), Warn, "PAR-30"},
	{"HW-01", "two by 4.1", plans(multi, 0, 0, nodesOf(2, 0), edition4(acp41)), Fail, "2"},
	{"HW-01", "three by 4.1", plans(multi, 0, 0, nodesOf(3, 0), edition4(acp41)), Pass, "3"},
	{"HW-01", "four by 4.1", plans(multi, 0, 0, nodesOf(4, 0), edition4(acp42)), Warn, "4"},

	{"CAP-05", "no worker", plans(single, 0, 0, nodesOf(3, 0)), Pass, "0 workers"},
	{"CAP-05", "one worker", plans(single, 0, 0, nodesOf(3, 1)), Warn, "1 worker"},
	{"CAP-05", "two workers", plans(single, 0, 0, nodesOf(3, 2)), Pass, "2 workers"},
	{"CAP-05", "one worker by 4.1", plans(single, 0, 0, nodesOf(3, 1), edition4(acp41)), Warn, ""},
	{"CAP-05", "two workers by 4.1", plans(single, 0, 0, nodesOf(3, 2), edition4(acp41)), Pass, ""},
	{"CAP-05", "another scenario", nil, Skipped, "multi-cluster"},

	{"CAP-06", "no Pods planned", plans(single, 0, 0), Skipped, "capacity.pods"},
	{"CAP-06", "another scenario", nil, Skipped, "multi-cluster"},
	{"CAP-06", "few Pods", plans(single, 0, 1, nodesOf(3, 2)), Pass, "2 workers for 1 Pods"},
	{"CAP-06", "few Pods, one worker", plans(single, 0, 1, nodesOf(3, 1)), Warn, ""},
	{"CAP-06", "100 Pods", plans(single, 0, 100, nodesOf(3, 2)), Pass, ""},
	{"CAP-06", "101 Pods", plans(single, 0, 101, nodesOf(3, 2)), Warn, "2 workers for 101 Pods"},
	{"CAP-06", "100 Pods by 4.1", plans(single, 0, 100, nodesOf(3, 2), edition4(acp41)), Pass, ""},
	{"CAP-06", "101 Pods by 4.1", plans(single, 0, 101, nodesOf(3, 2), edition4(acp41)), Warn, ""},
	{"CAP-06", "1 Pod by 4.1", plans(single, 0, 1, nodesOf(3, 1), edition4(acp41)), Warn, ""},

	// The first plan is 3 × 8 and 2 × 12 cores, 3 × 16 and 2 × 24 GB.
	{"CAP-10", "nothing planned", nil, Skipped, "capacity.workloadClusters"},
	{"CAP-10", "another scenario", plans(single, 20, 0), Skipped, "single-cluster"},
	{"CAP-10", "9 clusters", plans(multi, 9, 0, compute(48, 96)), Pass, "48 cores, 96.0 GB"},
	{"CAP-10", "9 clusters, a core short", plans(multi, 9, 0, compute(47, 96)), Warn, ""},
	{"CAP-10", "9 clusters, too little memory", plans(multi, 9, 0, compute(48, 95.9)), Warn, ""},
	{"CAP-10", "10 clusters", plans(multi, 10, 0, compute(58, 116)), Pass, ""},
	{"CAP-10", "10 clusters, a core short", plans(multi, 10, 0, compute(57, 116)), Warn, "57 cores"},
	{"CAP-10", "50 clusters", plans(multi, 50, 0, compute(96, 192)), Pass, ""},
	{"CAP-10", "50 clusters, a core short", plans(multi, 50, 0, compute(95, 192)), Warn, ""},
	{"CAP-10", "50 clusters, too little memory", plans(multi, 50, 0, compute(96, 191.9)), Warn, ""},
	{"CAP-10", "a size is not told", plans(multi, 9, 0, compute(4, 96)), Error, "n-0 did not tell its size"},

	{"PKG-03", "the same", withPackage(PackageView{Architectures: []string{"amd64"}}), Pass, "amd64"},
	{"PKG-03", "another", withPackage(PackageView{Architectures: []string{"arm64"}}), Fail, "cp-1 is amd64"},
	{"PKG-03", "one node of another", mixed(PackageView{Architectures: []string{"amd64"}}), Fail, "w-1 is arm64"},
	{"PKG-03", "hybrid", mixed(PackageView{Architectures: []string{"amd64", "arm64"}}), Pass, "amd64, arm64"},
	{"PKG-03", "not told", withPackage(PackageView{}), Error, "does not tell"},
	{"PKG-03", "not inspected", nil, Error, "not inspected"},
	{"PKG-03", "not wanted", unwantedProbe, Skipped, "the request says so"},
	{"PKG-03", "accepted for the node at fault", mixed(PackageView{Architectures: []string{"amd64"}}, waives("PKG-03", "w-1")), Waived, "pat"},
	{"PKG-03", "accepted for another node", mixed(PackageView{Architectures: []string{"amd64"}}, waives("PKG-03", "cp-1")), Fail, "w-1"},

	{"PKG-04", "whole", withPackage(PackageView{SHA256: "abc"}), Pass, "sha256 abc"},
	{"PKG-04", "another checksum", func(in *TogetherInput) {
		in.Site.Package.Checksum = "sha256:ABD"
		in.Package = &PackageView{SHA256: "abc"}
	}, Fail, "sha256 abc"},
	{"PKG-04", "the document's checksum", func(in *TogetherInput) {
		in.Site.Package.Checksum = "sha256:ABC"
		in.Package = &PackageView{SHA256: "abc"}
	}, Pass, ""},
	{"PKG-04", "broken", withPackage(PackageView{Error: "unexpected EOF", SHA256: "abc"}), Fail, "unexpected EOF"},
	{"PKG-04", "broken, and no waiver helps", mixed(PackageView{Error: "unexpected EOF"}, waives("PKG-04")), Fail, "unexpected EOF"},
	{"PKG-04", "not told", withPackage(PackageView{}), Error, "not known"},
	{"PKG-04", "not inspected", nil, Error, "not inspected"},
	{"PKG-04", "not wanted", unwantedProbe, Skipped, "the request says so"},

	{"CHK-27", "well", nil, Pass, "hostnames"},
	{"CHK-27", "twins", func(in *TogetherInput) { in.Nodes["w-1"] = goodShared("cp-1") }, Fail, "cp-1 on cp-1, w-1"},
	{"CHK-27", "twins accepted", func(in *TogetherInput) {
		in.Nodes["w-1"] = goodShared("cp-1")
		waives("CHK-27", "w-1")(in)
		waives("CHK-27", "cp-1")(in)
	}, Waived, "pat"},
	{"CHK-27", "one twin accepted", func(in *TogetherInput) {
		in.Nodes["w-1"] = goodShared("cp-1")
		waives("CHK-27", "w-1")(in)
	}, Fail, "cp-1"},
	{"CHK-27", "no name", func(in *TogetherInput) { in.Nodes["w-1"] = Shared{} }, Error, "w-1"},
	{"CHK-28", "well", nil, Pass, ""},
	{"CHK-28", "another zone", func(in *TogetherInput) { on("w-1", func(s *Shared) { s.UTCOffset = "+0000" })(in.Nodes) }, Fail, "w-1"},
	{"CHK-28", "another zone, accepted", func(in *TogetherInput) {
		on("w-1", func(s *Shared) { s.UTCOffset = "+0000" })(in.Nodes)
		waives("CHK-28", "w-1")(in)
	}, Waived, "pat"},
	{"CHK-28", "10 s", func(in *TogetherInput) { on("w-1", clockOf(9.9, 0))(in.Nodes) }, Pass, ""},
	{"CHK-28", "11 s", func(in *TogetherInput) { on("w-1", clockOf(10.9, 0))(in.Nodes) }, Fail, "10.8 s"},
	{"CHK-28", "10 s by 4.1", plans(multi, 0, 0, edition4(acp41), func(in *TogetherInput) { on("w-1", clockOf(9.9, 0))(in.Nodes) }), Pass, ""},
	{"CHK-28", "11 s by 4.1", plans(multi, 0, 0, edition4(acp41), func(in *TogetherInput) { on("w-1", clockOf(10.9, 0))(in.Nodes) }), Fail, ""},
	{"NET-08", "a little too far", both(between("w-1", "cp-1", trip(2.01))), Fail, ""},
	{"NET-08", "a little too far by 4.2", both(edition0(acp42), between("w-1", "cp-1", trip(10.05))), Fail, ""},
	{"CHK-28", "no time", func(in *TogetherInput) { in.Nodes["w-1"] = Shared{UTCOffset: "+0300"} }, Error, "w-1"},
}
