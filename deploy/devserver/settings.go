package main

import (
	"flag"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v10"
)

// settings come from DEVSERVER_* variables; a flag of the same meaning wins.
type settings struct {
	DB        string        `env:"DB" envDefault:"temporal.db"`
	Address   string        `env:"ADDRESS" envDefault:"127.0.0.1:7233"`
	UIPort    int           `env:"UI_PORT" envDefault:"8233"`
	Namespace string        `env:"NAMESPACE" envDefault:"default"`
	Retention time.Duration `env:"RETENTION" envDefault:"2160h"`
	LogLevel  string        `env:"LOG_LEVEL" envDefault:"warn"`
	ReadyFile string        `env:"READY_FILE"`
	Upgrade   bool          `env:"UPGRADE"`

	host string // of Address and of the UI
	port int    // of Address; 0 = any free port
}

func parseSettings(args []string) (settings, error) {
	var s settings
	if err := env.ParseWithOptions(&s, env.Options{Prefix: "DEVSERVER_"}); err != nil {
		return s, fmt.Errorf("read settings from the environment: %w", err)
	}
	flags := flag.NewFlagSet("devserver", flag.ContinueOnError)
	flags.StringVar(&s.DB, "db", s.DB, "SQLite `FILE`; made when absent")
	flags.StringVar(&s.Address, "address", s.Address, "`HOST:PORT` of the Temporal frontend; port 0 takes a free one")
	flags.IntVar(&s.UIPort, "ui-port", s.UIPort, "`PORT` of the web UI on the same host; 0 takes a free one")
	flags.StringVar(&s.Namespace, "namespace", s.Namespace, "namespace that holds the runs")
	flags.Var(days{&s.Retention}, "retention", "how long finished runs are kept, for example 90d or 36h")
	flags.StringVar(&s.LogLevel, "log-level", s.LogLevel, "debug, info, warn or error")
	flags.StringVar(&s.ReadyFile, "ready-file", s.ReadyFile, "write the addresses as JSON to `FILE` once ready")
	flags.BoolVar(&s.Upgrade, "upgrade", s.Upgrade, "accept a database last used by another server version of the same schema")
	if err := flags.Parse(args); err != nil {
		return s, err
	}
	if flags.NArg() > 0 {
		return s, fmt.Errorf("unexpected argument %q: every setting is a flag, see --help", flags.Arg(0))
	}
	return s, s.check()
}

func (s *settings) check() error {
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		return fmt.Errorf("--address %q: %w; write it as 127.0.0.1:7233", s.Address, err)
	}
	if net.ParseIP(host) == nil {
		return fmt.Errorf("--address %q: the host must be an IP address of this machine", s.Address)
	}
	if s.port, err = strconv.Atoi(port); err != nil || !isPort(s.port) {
		return fmt.Errorf("--address %q: the port must be 0 to 65535", s.Address)
	}
	if !isPort(s.UIPort) {
		return fmt.Errorf("--ui-port %d: the port must be 0 to 65535", s.UIPort)
	}
	if s.Retention < 24*time.Hour {
		return fmt.Errorf("--retention %v: Temporal keeps finished runs for a day at least", s.Retention)
	}
	s.host = host
	return nil
}

func isPort(n int) bool { return n >= 0 && n <= 65535 }

// days is a duration flag that also reads whole days, the unit people think in.
type days struct{ d *time.Duration }

func (v days) String() string {
	if v.d == nil {
		return ""
	}
	return v.d.String()
}

func (v days) Set(text string) (err error) {
	if n, ok := strings.CutSuffix(text, "d"); ok {
		count, err := strconv.Atoi(n)
		*v.d = time.Duration(count) * 24 * time.Hour
		return err
	}
	*v.d, err = time.ParseDuration(text)
	return err
}
