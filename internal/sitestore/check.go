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
	return check(name, data, func(s *site.Site) site.Material { return material(s, now) })
}

// CheckForm is Check without reading the secrets and the certificate, for a
// machine that does not have them.
func CheckForm(name string, data []byte, now time.Time) (*site.Site, site.Problems) {
	return check(name, data, func(*site.Site) site.Material { return site.Material{Now: now} })
}

func check(name string, data []byte, read func(*site.Site) site.Material) (*site.Site, site.Problems) {
	s, err := site.Parse(name, data)
	if err != nil {
		p, _ := errors.AsType[site.Problems](err) // Parse has no other error
		return nil, p
	}
	return s, site.Validate(s, read(s))
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
