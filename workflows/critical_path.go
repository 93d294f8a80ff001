package workflows

// CriticalPath is what a plan takes at least, because steps wait by design: of
// steps that run side by side only the longest counts.
type CriticalPath struct {
	Seconds float64  `json:"seconds"`
	Steps   []string `json:"steps"` // ids in order, of each group one
}

// CriticalPath sums what the steps wait. How long they work is not in a plan.
func (p Plan) CriticalPath() CriticalPath {
	out := CriticalPath{Steps: []string{}}
	for _, g := range groups(p.Steps) {
		longest := p.Steps[g.from]
		for _, s := range p.Steps[g.from:g.to] {
			if s.Waits > longest.Waits {
				longest = s
			}
		}
		out.Seconds += longest.Waits
		out.Steps = append(out.Steps, longest.ID)
	}
	return out
}
