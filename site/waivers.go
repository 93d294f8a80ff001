package site

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// waivable are the rules about machines that a person may take responsibility
// for, by prefix and number: those of package checks that are judged and not
// strict. Rules of the document, of the package's integrity and of disaster
// recovery can't be waived, nor can what guards against the loss of data. The
// one exception is DR-31: the synchronizer may be absent for a while on purpose.
var waivable = []struct {
	prefix string
	list   []int
}{
	{"CAP", []int{1, 4, 5, 6, 8, 10, 18, 20}},
	{"HW", numbers(1, 4)},
	{"ARM", numbers(1, 3)},
	{"OS", []int{1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13}},
	{"NET", numbers(7, 10)},
	{"LB", numbers(1, 6)},
	{"PKG", []int{3}},
	{"CHK", numbers(1, 28)},
	{"RM", []int{0, 5}},
	{"DNS", numbers(1, 3)},
	{"EXE", []int{4}},
	{"DR", []int{31}},
}

func numbers(first, last int) []int {
	var out []int
	for n := first; n <= last; n++ {
		out = append(out, n)
	}
	return out
}

// Waivable lists the ids a waiver may name, in the order of the catalogue.
func Waivable() []string {
	var out []string
	for _, w := range waivable {
		for _, n := range w.list {
			out = append(out, fmt.Sprintf("%s-%02d", w.prefix, n))
		}
	}
	return out
}

func checkWaivers(j *judge) {
	known := Waivable()
	for i, w := range j.site.Waivers {
		at := item("waivers", i)
		if w.Rule != "" && !slices.Contains(known, w.Rule) {
			j.fail(child(at, "rule"), j.waiverFix(w.Rule, known), "%q is no rule that can be waived", shorten(w.Rule))
		}
		checkWaivedNodes(j, w, child(at, "nodes"))
		for _, f := range []struct{ name, value string }{{"reason", w.Reason}, {"author", w.Author}} {
			if f.value != "" && strings.TrimSpace(f.value) == "" {
				j.fail(child(at, f.name), "write it out", "the %s is blank", f.name)
			}
		}
		checkExpiry(j, w, child(at, "expires"))
	}
}

func (j *judge) waiverFix(id string, known []string) string {
	if id == "OS" { // what older documents say
		return "name the rule that fails, mostly OS-13"
	}
	if slices.ContainsFunc(j.rules, func(r rule) bool { return r.ID == id }) {
		return "correct the document instead: this rule is about the document itself"
	}
	if near := closest(id, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "name a rule about machines, for example CHK-03"
}

func checkWaivedNodes(j *judge, w Waiver, at string) {
	var names []string
	for _, c := range j.site.Clusters {
		for _, n := range c.Nodes {
			names = append(names, n.Name)
		}
	}
	for i, n := range w.Nodes {
		if !slices.Contains(names, n) {
			j.fail(item(at, i), suggest(n, names), "there is no node %q", shorten(n))
		}
	}
}

// checkExpiry only warns of an ended waiver: the rule then counts again, and
// that may hold by now.
func checkExpiry(j *judge, w Waiver, at string) {
	if w.Expires == "" {
		return
	}
	last, err := time.Parse(time.DateOnly, w.Expires)
	switch {
	case err != nil:
		j.fail(at, "write the last valid day as YYYY-MM-DD", "%q is no date", shorten(w.Expires))
	case !j.material.Now.IsZero() && !j.material.Now.Before(last.AddDate(0, 0, 1)):
		j.warn(at, "renew or drop the waiver", "the waiver of %s ended on %s, the rule counts again", w.Rule, w.Expires)
	}
}
