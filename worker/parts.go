package main

import (
	"fmt"
	"os"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/interceptor"
	"go.temporal.io/sdk/worker"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/violet"
	"github.com/acpflow/acpflow/workflows"
)

// newWorker puts all parts together. The returned function closes the
// connections that activities share.
func newWorker(temporal client.Client, cfg settings) (worker.Worker, func(), error) {
	deployment, err := cfg.deployment()
	if err != nil {
		return nil, nil, err
	}
	w := worker.New(temporal, workflows.TaskQueue, worker.Options{
		Identity:                           identity(),
		MaxConcurrentActivityExecutionSize: cfg.Activities,
		// Routine checks look inside their workflow tasks; a thousand of them side
		// by side would each run out of time.
		MaxConcurrentLocalActivityExecutionSize: cfg.Activities,
		WorkerStopTimeout:                       cfg.StopTimeout,
		MaxHeartbeatThrottleInterval:            progressEvery,
		DisableRegistrationAliasing:             true,
		DeploymentOptions:                       deployment,
		Interceptors:                            []interceptor.WorkerInterceptor{&activities.Boundary{}},
	})
	workflows.Register(w)
	hosts := &activities.Hosts{Pool: ssh.NewPool()}
	for _, part := range []any{
		&activities.Sites{Dir: cfg.SitesDir},
		&activities.Records{Temporal: temporal},
		&activities.Nodes{Hosts: hosts},
		&activities.Probes{Hosts: hosts},
		&activities.Repairs{Hosts: hosts},
		&activities.CorePackage{Hosts: hosts},
		&activities.Installer{Hosts: hosts},
		&activities.Cluster{Hosts: hosts},
		&activities.Sides{Hosts: hosts},
		&activities.Encryption{Hosts: hosts},
		&activities.Contract{Hosts: hosts},
		&activities.Packages{Tool: violet.Tool{Path: cfg.Violet}, Arguments: cfg.VioletArguments},
		&activities.DNS{Hosts: hosts},
		&activities.Forwarding{Hosts: hosts},
		&activities.Consistency{Hosts: hosts},
		&activities.Sync{Hosts: hosts},
		&activities.Workloads{Hosts: hosts},
		&activities.Elastic{Hosts: hosts},
		&activities.Safety{Hosts: hosts},
		&activities.Page{Hosts: hosts},
	} {
		w.RegisterActivity(part)
	}
	return w, hosts.Pool.Close, nil
}

func identity() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown-host"
	}
	return fmt.Sprintf("acpflow-worker@%s:%d", host, os.Getpid())
}
