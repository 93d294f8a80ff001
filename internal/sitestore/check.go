package sitestore

import (
	"errors"
	"time"

	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/site"
)

// Check parses and validates a document with the certificate and the secrets
// as this machine sees them at now. The site is nil when the document can't be
// read at all.
func Check(name string, data []byte, now time.Time) (*site.Site, site.Problems) {
	s, err := site.Parse(name, data)
	if err != nil {
		p, _ := errors.AsType[site.Problems](err)
		return nil, p
	}
	return s, site.Validate(s, material(s, now))
}

// material resolves every reference. Values stay in memory only as long as the
// rules need them; the redactor learns them on the way.
func material(s *site.Site, now time.Time) site.Material {
	m := site.Material{Now: now, Unresolved: map[site.Ref]error{}}
	resolve := func(ref site.Ref) []byte {
		v, err := secret.Resolve(string(ref))
		if err != nil {
			m.Unresolved[ref] = err
		}
		return v.Reveal()
	}
	for _, ref := range s.Refs() {
		resolve(ref)
	}
	if c := s.Platform.Certificate; c != nil {
		m.Certificate, m.PrivateKey = resolve(c.Certificate), resolve(c.PrivateKey)
	}
	return m
}
