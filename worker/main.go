// Command worker executes acpflow's runbooks: it polls Temporal and holds the
// connections to nodes and clusters. It is the one place that knows all parts.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/caarlos0/env/v10"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"

	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/workflows"
)

// settings come from the environment; the Temporal connection has its own
// TEMPORAL_* variables and profiles, telemetry its OTEL_* ones.
type settings struct {
	SitesDir       string        `env:"ACPFLOW_SITES_DIR" envDefault:"/etc/acpflow/sites"`
	LogLevel       slog.Level    `env:"ACPFLOW_LOG_LEVEL" envDefault:"INFO"`
	LogFormat      string        `env:"ACPFLOW_LOG_FORMAT" envDefault:"text"`
	StopTimeout    time.Duration `env:"ACPFLOW_STOP_TIMEOUT" envDefault:"20s"`
	Activities     int           `env:"ACPFLOW_MAX_ACTIVITIES" envDefault:"50"`
	DeploymentName string        `env:"ACPFLOW_DEPLOYMENT_NAME"`
	BuildID        string        `env:"ACPFLOW_BUILD_ID"`

	Violet          string `env:"ACPFLOW_VIOLET" envDefault:"violet"` // the vendor's upload tool: a path, or a name in PATH
	VioletArguments bool   `env:"ACPFLOW_VIOLET_ARGUMENTS"`           // it may get passwords as arguments
}

// progressEvery is how fresh the progress of an activity is for its watchers.
const progressEvery = time.Second

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "acpflow worker:", secret.Redact(err.Error()))
		os.Exit(1)
	}
}

func run() error {
	var cfg settings
	if err := env.Parse(&cfg); err != nil {
		return err
	}
	if info, err := os.Stat(cfg.SitesDir); err != nil || !info.IsDir() {
		return fmt.Errorf("ACPFLOW_SITES_DIR %q is not a folder. Fix: set it to the folder with the site documents", cfg.SitesDir)
	}
	logger := secret.NewLogger(os.Stderr, cfg.LogLevel, cfg.LogFormat == "json")
	telemetry, err := startTelemetry(context.Background())
	if err != nil {
		return err
	}
	defer telemetry.stop(logger)
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return err
	}
	options.Logger = log.NewStructuredLogger(logger)
	options.Interceptors = append(options.Interceptors, telemetry.interceptors...)
	options.MetricsHandler = telemetry.metrics
	temporal, err := client.Dial(options)
	if err != nil {
		return fmt.Errorf("no connection to Temporal at %q: %w. Fix: set TEMPORAL_ADDRESS or a profile in temporal.toml", options.HostPort, err)
	}
	defer temporal.Close()
	w, closeAll, err := newWorker(temporal, cfg)
	if err != nil {
		return err
	}
	defer closeAll()
	logger.Info("worker starts", "queue", workflows.TaskQueue, "sites", cfg.SitesDir, "namespace", options.Namespace)
	return w.Run(worker.InterruptCh())
}

func (c settings) deployment() (worker.DeploymentOptions, error) {
	if (c.DeploymentName == "") != (c.BuildID == "") {
		return worker.DeploymentOptions{}, errors.New("ACPFLOW_DEPLOYMENT_NAME and ACPFLOW_BUILD_ID go together")
	}
	if c.BuildID == "" {
		return worker.DeploymentOptions{}, nil
	}
	return worker.DeploymentOptions{UseVersioning: true, Version: worker.WorkerDeploymentVersion{DeploymentName: c.DeploymentName, BuildID: c.BuildID}}, nil
}
