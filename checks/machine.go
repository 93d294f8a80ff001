package checks

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/acpflow/acpflow/site"
)

// gigabyte is what the document's GB count; see limits.
const gigabyte = 1e9

// measured is the size of a machine as it tells it.
type measured struct {
	cores int
	bytes float64 // of memory
}

func (m measured) String() string {
	return fmt.Sprintf("%d cores, %.1f GB", m.cores, m.bytes/gigabyte)
}

func (m measured) reaches(s Size) bool { return m.reachesPercent(s, 100) }

func (m measured) reachesPercent(s Size, percent int) bool {
	return m.cores*100 >= s.Cores*percent && m.bytes*100 >= float64(s.Memory*percent)*gigabyte
}

func (s subject) size() (measured, error) {
	cores, err := s.cores()
	if err != nil {
		return measured{}, err
	}
	bytes, err := s.memory()
	return measured{cores, bytes}, err
}

// cores counts the processors that are online, threads included: a virtual
// machine has nothing else to count.
func (f Facts) cores() (int, error) {
	online, err := f.line("cpus")
	if err != nil {
		return 0, err
	}
	total := 0
	for part := range strings.SplitSeq(online, ",") {
		first, last, span := strings.Cut(part, "-")
		if !span {
			last = first
		}
		a, err1 := strconv.Atoi(first)
		b, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || a < 0 || b < a || b > 1<<20 {
			return 0, fmt.Errorf("cpus: not understood: %s", clip(online))
		}
		total += b - a + 1
	}
	return total, nil
}

// memory is what the kernel has, in bytes.
func (f Facts) memory() (float64, error) {
	lines, err := f.words("memory")
	if err != nil {
		return 0, err
	}
	for _, w := range lines {
		if w[0] == "MemTotal:" && len(w) == 3 && w[2] == "kB" {
			if kb, err := strconv.ParseUint(w[1], 10, 50); err == nil {
				return float64(kb) * 1024, nil
			}
		}
	}
	return 0, errors.New("memory: names no MemTotal")
}

// cpu returns the named lines of the first processor.
func (f Facts) cpu() (map[string]string, error) {
	text, err := f.text("cpu")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		out[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	return out, nil
}

var nominalClock = regexp.MustCompile(`@ *(\d{1,2}(?:\.\d{1,3})?) *GHz`)

// megahertz is the processor's nominal clock; 0 when the machine does not
// tell. Its name says it best, then what it may run at, then what it runs at.
func (f Facts) megahertz() (float64, error) {
	cpu, err := f.cpu()
	if err != nil {
		return 0, err
	}
	if m := nominalClock.FindStringSubmatch(cpu["model name"]); m != nil {
		ghz, err := strconv.ParseFloat(m[1], 64)
		return ghz * 1000, err
	}
	rows, err := f.words("cpufreq")
	if err != nil {
		return 0, err
	}
	for _, w := range rows {
		if khz, err := strconv.ParseUint(w[len(w)-1], 10, 40); err == nil && khz > 0 {
			return float64(khz) / 1000, nil
		}
	}
	if mhz, err := strconv.ParseFloat(cpu["cpu MHz"], 64); err == nil && mhz > 0 && mhz < 1e6 {
		return mhz, nil
	}
	return 0, nil
}

// governors are how the processors choose their clock; none when that is not
// this machine's to choose.
func (f Facts) governors() ([]string, error) {
	rows, err := f.words("cpufreq")
	var out []string
	for _, w := range rows {
		if !slices.Contains(out, w[0]) {
			out = append(out, w[0])
		}
	}
	return out, err
}

// iron reports whether the machine is surely no virtual one, and what it is.
func (f Facts) iron() (surely bool, kind string) {
	kind, err := f.line("virtualization")
	switch {
	case err != nil:
		return false, "perhaps a virtual machine"
	case kind == "none":
		return true, "no virtual machine"
	}
	return false, "a virtual machine (" + clip(kind) + ")"
}

// least is the size that the document wants at least of the node, as an x86
// machine; false when it names none.
func (s subject) least() (Size, bool) {
	p := s.edition.limits.plan
	control := s.node.Role == site.ControlPlane
	switch {
	case s.site.Scenario == site.SingleNode:
		return p.single, true
	case !control:
		return p.worker, s.site.Scenario == site.MultiCluster && p.worker != (Size{})
	case s.site.Scenario == site.MultiCluster && p.tiers != nil:
		return p.tierOf(s.site.Capacity.WorkloadClusters).size, true
	}
	return p.control, true
}

// tierOf is the tier for so many clusters, or the largest.
func (p plan) tierOf(clusters int) tier {
	if t, ok := p.tierFor(clusters); ok {
		return t
	}
	return p.tiers[len(p.tiers)-1]
}
