package checks

// Difference is one rule that two profiles state differently.
type Difference struct {
	Rule   string `json:"rule"`
	Title  string `json:"title"`
	First  string `json:"first"` // what each demands; "" = it has no such rule
	Second string `json:"second"`
}

// Demand is what the rule demands in a profile, for a person, with the
// profile's own numbers; "" when the profile does not have the rule or does not
// exist.
func (r Rule) Demand(profile string) string {
	e, err := editionOf(profile)
	if err != nil || !r.In(profile) {
		return ""
	}
	return r.demand(e)
}

func (r Rule) demand(e edition) string {
	if r.wants != nil {
		return r.wants(e)
	}
	return r.Want
}

// Diff lists what two profiles demand differently, in the order of the rules.
// An unknown profile is an error.
func Diff(first, second string) ([]Difference, error) {
	for _, p := range []string{first, second} {
		if _, err := editionOf(p); err != nil {
			return nil, err
		}
	}
	var out []Difference
	for _, r := range Rules() {
		d := Difference{r.ID, r.Title, r.Demand(first), r.Demand(second)}
		if d.First != d.Second || r.In(first) != r.In(second) {
			out = append(out, d)
		}
	}
	return out, nil
}
