package site

import (
	"fmt"
	"time"
)

// Material is what rules need besides the document. The caller reads it,
// because this package does no I/O.
type Material struct {
	Now         time.Time     // for expiry; zero = certificate dates and waivers are not judged
	Certificate []byte        // PEM behind platform.certificate.certificate; nil = certificate rules are not judged
	PrivateKey  []byte        // PEM behind platform.certificate.privateKey
	Unresolved  map[Ref]error // references that could not be read where the worker runs
}

// Validate judges a document with its defaults applied by every rule that
// needs nothing but the document and m. All problems come at once; see
// Problems.Err for whether the document may be used.
func Validate(s *Site, m Material) Problems {
	j := &judge{site: s, material: m, rules: rules}
	for _, r := range j.rules {
		j.rule = r
		r.judge(j)
	}
	return Problems{File: s.places.name(), Issues: sorted(j.issues)}
}

// rule is one requirement that the document alone can break.
type rule struct {
	ID     string // requirement id
	Title  string // what the rule demands
	Source string // heading of the vendor's document, or where else it comes from
	judge  func(*judge)
}

// judge collects what the rules find.
type judge struct {
	site     *Site
	material Material
	rules    []rule // all of them
	rule     rule   // the one at work
	issues   []Issue
}

func (j *judge) fail(path, fix, format string, args ...any) {
	j.add(SeverityError, path, fix, format, args...)
}

func (j *judge) warn(path, fix, format string, args ...any) {
	j.add(SeverityWarning, path, fix, format, args...)
}

func (j *judge) add(severity Severity, path, fix, format string, args ...any) {
	at := j.site.places.find(path)
	j.issues = append(j.issues, Issue{Rule: j.rule.ID, Source: j.rule.Source, Severity: severity, Path: path,
		Line: at.line, Column: at.column, Message: fmt.Sprintf(format, args...), Fix: fix})
}

// clusters calls f for each cluster with its path.
func (j *judge) clusters(f func(c *Cluster, path string)) {
	for i := range j.site.Clusters {
		f(&j.site.Clusters[i], item("clusters", i))
	}
}
