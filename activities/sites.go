package activities

import (
	"context"
	"fmt"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/installer"
	"github.com/acpflow/acpflow/internal/sitestore"
	"github.com/acpflow/acpflow/site"
)

// Sites reads the worker's site store, a folder of <name>.yaml documents.
type Sites struct{ Dir string }

// LoadSiteInput names a site and one of its clusters ("" = the only one).
type LoadSiteInput struct {
	Site    string `json:"site"`
	Cluster string `json:"cluster,omitempty"`
	Pair    bool   `json:"pair,omitempty"`  // the site must have two clusters, and both must be installable
	Roles   bool   `json:"roles,omitempty"` // the site must have two clusters; who is who is observed, so none need be named, and nothing is installed
}

// LoadSite reads and validates a site. Its result carries references to secrets
// only; every problem of the document is in the one BadInput error.
func (s *Sites) LoadSite(_ context.Context, in LoadSiteInput) (site.Snapshot, error) {
	snapshot, err := sitestore.Load(s.Dir, in.Site)
	if err != nil {
		return site.Snapshot{}, err
	}
	if in.Roles && in.Cluster == "" {
		return snapshot, isPair(&snapshot.Site)
	}
	if _, ok := snapshot.Site.Cluster(in.Cluster); !ok {
		names := make([]string, len(snapshot.Site.Clusters))
		for i, c := range snapshot.Site.Clusters {
			names[i] = c.Name
		}
		return site.Snapshot{}, fault.New(fault.BadInput, "choose cluster", "site "+in.Site,
			"name one of: "+strings.Join(names, ", "), fmt.Errorf("there is no cluster %q", in.Cluster))
	}
	if !in.Pair {
		return snapshot, expressible(&snapshot.Site, in.Cluster)
	}
	if err := isPair(&snapshot.Site); err != nil || in.Roles {
		return snapshot, err
	}
	var errs []error
	for _, c := range snapshot.Site.Clusters {
		errs = append(errs, expressible(&snapshot.Site, c.Name))
	}
	return snapshot, joined(errs...)
}

// isPair refuses a site that has not two clusters which protect each other.
func isPair(s *site.Site) error {
	if len(s.Clusters) == 2 && s.DR.Planned {
		return nil
	}
	return fault.New(fault.BadInput, "find the pair", "site "+s.Name, "describe both clusters and set dr.planned",
		fmt.Errorf("it has %d cluster, a disaster recovery pair has two (DR-01)", len(s.Clusters)))
}

// expressible refuses, before anything is done, what the installer's interface
// can't express; the values of the secrets don't matter for that.
func expressible(s *site.Site, cluster string) error {
	c, ok := s.Cluster(cluster)
	if !ok {
		return nil
	}
	secrets, err := installer.StandIns(*s, c.Name)
	if err != nil {
		return err
	}
	_, err = installer.Build(*s, c.Name, secrets)
	return err
}
