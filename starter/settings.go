package main

import (
	"os/user"

	"github.com/caarlos0/env/v10"
)

// settings of the CLI come from the environment; flags win over them.
type settings struct {
	SitesDir    string `env:"ACPFLOW_SITES_DIR" envDefault:"/etc/acpflow/sites"`
	RequestedBy string `env:"ACPFLOW_REQUESTED_BY"` // default: the login name
}

func loadSettings() (settings, error) {
	var s settings
	if err := env.Parse(&s); err != nil {
		return s, fail(exitBadInput, err)
	}
	if s.RequestedBy == "" {
		if u, err := user.Current(); err == nil {
			s.RequestedBy = u.Username
		}
	}
	return s, nil
}
