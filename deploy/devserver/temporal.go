package main

import (
	"fmt"
	"net"
	"os"
	"strconv"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/common/testing/freeport"
	schema "go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
)

const clusterName = "active"

// temporalServer is the running server; address is what clients dial.
type temporalServer struct {
	address string
	server  temporal.Server
	log     *serverLog
}

// ready lets the server's log through from here on.
func (t *temporalServer) ready() { t.log.speak() }

func startTemporal(s settings, db *store) (*temporalServer, error) {
	if s.port == 0 {
		s.port = freeport.MustGetFreePort()
	}
	sql := sqlConfig(db.path)
	if err := createNamespace(s, sql); err != nil {
		return nil, err
	}
	logger, err := newServerLog(s.LogLevel)
	if err != nil {
		return nil, err
	}
	if !net.ParseIP(s.host).IsLoopback() {
		fmt.Fprintf(os.Stderr, "devserver: WARNING: %s is open to the network and asks nobody for credentials\n", s.Address)
	}
	conf := serverConfig(s, sql)
	server, err := temporal.NewServer(
		temporal.WithConfig(conf),
		temporal.WithStaticHosts(staticHosts(conf)),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithLogger(logger.Logger),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithDynamicConfigClient(dynamicSettings()),
	)
	if err != nil {
		return nil, fmt.Errorf("set up the Temporal server: %w", err)
	}
	if err := server.Start(); err != nil {
		return nil, fmt.Errorf("start the Temporal server: %w", err)
	}
	return &temporalServer{address: hostPort(dialHost(s.host), s.port), server: server, log: logger}, nil
}

// Stop ends the services in order; what was acknowledged is in the file.
func (t *temporalServer) Stop() {
	t.log.hush()
	if err := t.server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "devserver: stop the Temporal server:", err)
	}
}

// createNamespace writes the namespace straight into the file: made through the
// API it would be usable only after the caches' next refresh.
func createNamespace(s settings, sql *config.SQL) error {
	namespace, err := schema.NewNamespaceConfig(clusterName, s.Namespace, false, searchAttributes())
	if err != nil {
		return fmt.Errorf("define namespace %s: %w", s.Namespace, err)
	}
	namespace.Detail.Config.Retention = retention(s)
	if err := schema.CreateNamespaces(sql, namespace); err != nil {
		return fmt.Errorf("create namespace %s: %w", s.Namespace, err)
	}
	return nil
}

// dynamicSettings differ from the defaults where one shard on one machine, or
// people waiting for a run, need it.
func dynamicSettings() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		// The defaults of 20 polls a second cost 30 ms on every activity when
		// there is one shard.
		dynamicconfig.TransferProcessorMaxPollRPS.Key():   1000,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():      1000,
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key(): 1000,
		// The events of a thousand schedules don't fit into the default of 512 KiB.
		dynamicconfig.EventsCacheMaxSizeBytes.Key(): 64 << 20,
		// An over-long workflow id is refused at the start, not deep in a run.
		dynamicconfig.MaxIDLengthLimit.Key(): 255,
		// A worker that stops gives its polls back: no task waits for a timeout.
		dynamicconfig.EnableCancelWorkerPollsOnShutdown.Key(): true,
		// One process reads its own file: search attributes added now count now.
		dynamicconfig.ForceSearchAttributesCacheRefreshOnRead.Key(): true,
	}
}

func serverConfig(s settings, sql *config.SQL) *config.Config {
	address := hostPort(dialHost(s.host), s.port)
	conf := &config.Config{
		Persistence: config.Persistence{
			DefaultStore:     sqlite.PluginName,
			VisibilityStore:  sqlite.PluginName,
			NumHistoryShards: 1,
			DataStores:       map[string]config.DataStore{sqlite.PluginName: {SQL: sql}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{
				clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: address},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: config.ArchivalDisabled},
			Visibility: config.VisibilityArchival{State: config.ArchivalDisabled},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: config.ArchivalDisabled},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: config.ArchivalDisabled},
		}},
		PublicClient: config.PublicClient{HostPort: address},
		Services:     map[string]config.Service{},
	}
	for _, name := range temporal.DefaultServices {
		conf.Services[name] = service(freeport.MustGetFreePort(), "")
	}
	conf.Services[string(primitives.FrontendService)] = service(s.port, s.host)
	return conf
}

// service listens on one address, or on loopback when ip is empty.
func service(port int, ip string) config.Service {
	return config.Service{RPC: config.RPC{
		GRPCPort:        port,
		BindOnLocalHost: ip == "",
		BindOnIP:        ip,
	}}
}

// staticHosts tells every service where the others are. The members that the
// dynamic membership keeps in the database would be dead ones after a kill, and
// the first seconds of a restart would be lost on them.
func staticHosts(conf *config.Config) map[primitives.ServiceName]static.Hosts {
	hosts := map[primitives.ServiceName]static.Hosts{}
	for name, service := range conf.Services {
		host := "127.0.0.1"
		if service.RPC.BindOnIP != "" {
			host = dialHost(service.RPC.BindOnIP)
		}
		hosts[primitives.ServiceName(name)] = static.SingleLocalHost(hostPort(host, service.RPC.GRPCPort))
	}
	return hosts
}

// dialHost is where clients on this machine reach a listener on host.
func dialHost(host string) string {
	switch ip := net.ParseIP(host); {
	case ip.IsUnspecified() && ip.To4() != nil:
		return "127.0.0.1"
	case ip.IsUnspecified():
		return "::1"
	}
	return host
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
