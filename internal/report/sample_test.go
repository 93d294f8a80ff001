package report

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/site"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares with a file; -update rewrites it after a wanted change.
func golden(t *testing.T, file, got string) {
	t.Helper()
	file = "testdata/" + file
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), got)
}

// sample has every outcome, a node that is well, one that could not be read,
// findings about the whole cluster, a conflict and waivers.
func sample() checks.Report {
	r := checks.Report{
		Site: "moscow", Cluster: "west", Profile: "acp-4.1-seed", Judged: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC),
		Findings: []checks.Finding{
			{Rule: "CHK-03", Title: "The ip_vs kernel modules are loaded", Node: "cp-1", Outcome: checks.Pass, Seen: "all loaded", Want: "ip_vs, ip_vs_rr, ip_vs_wrr and ip_vs_sh loaded or built in", Source: "Node preprocessing › OS and kernel"},
			{Rule: "CHK-04", Title: "The conntrack kernel modules of old kernels are loaded", Node: "cp-1", Outcome: checks.Skipped, Reason: "kernel 5.15.0 has one module for both families", Source: "Node preprocessing › OS and kernel"},
			{Rule: "CHK-03", Title: "The ip_vs kernel modules are loaded", Node: "cp-2", Outcome: checks.Pass, Seen: "all loaded"},
			{Rule: "CHK-07", Title: "Swap is off", Node: "cp-2", Outcome: checks.Fail, Seen: "in use: /dev/sda2, /swapfile", Want: "no swap area in use or in /etc/fstab", Fix: "swapoff -a, and comment out the swap lines of /etc/fstab", Source: "Node preprocessing › OS and kernel"},
			{Rule: "CHK-10", Title: "systemd allows enough tasks", Node: "cp-2", Outcome: checks.Warn, Seen: "4194304", Want: "infinity or a very large number", Fix: "set DefaultTasksMax=infinity in /etc/systemd/system.conf\nsystemctl daemon-reexec", Source: "Node preprocessing › Users and permissions"},
			{Rule: "CHK-23", Title: "/tmp allows programs to run", Node: "cp-2", Outcome: checks.Waived, Seen: "noexec", Want: "/tmp without noexec", Reason: "accepted by Ivanova until 2026-12-31: hardened image, CHG-7", Fix: "mount -o remount,exec /tmp", Source: "Node preprocessing › Software and directories"},
			{Rule: "CHK-24", Title: "No conflicting packages", Node: "cp-2", Outcome: checks.Error, Reason: "packages: rpm was killed", Want: "none of the listed packages", Fix: "find out on the node why this can't be told, then check again", Source: "Node preprocessing › Software and directories"},
		},
		Notes: []checks.Conflict{{Rule: "CHK-13", Text: "The document forbids name servers that begin with 172 and tells to disable systemd-resolved, whose stub is 127.0.0.53. acpflow warns of the stub too."}},
		Waivers: []site.Waiver{
			{Rule: "CHK-23", Nodes: []string{"cp-2"}, Reason: "hardened image, CHG-7", Author: "Ivanova", Expires: "2026-12-31"},
			{Rule: "HW-02", Reason: "until the new machines come", Author: "Petrov", Expires: "2026-01-31"},
		},
	}
	for _, id := range []string{"CHK-03", "CHK-04", "CHK-07"} {
		r.Findings = append(r.Findings, checks.Finding{Rule: id, Title: "Rule " + id, Node: "w-1", Outcome: checks.Error,
			Reason: "w-1 (192.0.2.21:22): no route to host", Want: "what " + id + " wants", Fix: "find out on the node why this can't be told, then check again"})
	}
	r.Findings = append(r.Findings,
		checks.Finding{Rule: "CHK-27", Title: "Host names are unique", Nodes: []string{"cp-1", "cp-2"}, Outcome: checks.Fail, Seen: "both say node", Want: "another name for each", Fix: "hostnamectl set-hostname NAME"},
		checks.Finding{Rule: "LB-06", Title: "The load balancer checks its ports", Outcome: checks.Skipped, Reason: "the load balancer was not probed in this run"})
	return r
}

// well is the sample without what is wrong.
func well() checks.Report {
	r := sample()
	r.Findings = r.Findings[:3]
	r.Notes, r.Waivers = nil, nil
	return r
}

func written(t *testing.T, f Format, r checks.Report, o Options) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, Write(&b, f, r, o))
	return b.String()
}
