package site

import (
	"slices"
	"time"
)

// WaiverFor returns the waiver that covers a rule on a node at a time. A waiver
// holds through its last day (UTC); one whose date can't be read covers nothing.
func WaiverFor(waivers []Waiver, rule, node string, now time.Time) (Waiver, bool) {
	for _, w := range waivers {
		if w.Rule != rule || (len(w.Nodes) > 0 && !slices.Contains(w.Nodes, node)) {
			continue
		}
		last, err := time.Parse(time.DateOnly, w.Expires)
		if err == nil && now.UTC().Before(last.AddDate(0, 0, 1)) {
			return w, true
		}
	}
	return Waiver{}, false
}
