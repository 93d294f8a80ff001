// Package syncplugin holds what is publicly known of the vendor's etcd
// synchronizer: its names, which procedure each of its versions needs, its
// parameters, and what its check prints. It does no I/O. What it does not know
// is never good: an unknown version is refused, an answer that is not
// understood is "not consistent".
package syncplugin

// The plugin and what belongs to it on the standby.
const (
	Name        = "etcd-sync"
	Display     = "Alauda Container Platform etcd Synchronizer" // in Marketplace > Cluster Plugins
	Namespace   = "cpaas-system"
	PodSelector = "app=etcd-sync"
	Deployment  = "etcd-sync"
	Service     = "etcd-sync-monitor" // answers GET /check (DR-33)
	LeaseName   = "etcd-sync-mirror"  // names the leader Pod, from 4.3 (DR-35)
)

// What the token way (DR-36) needs and makes.
const (
	AdminSecret  = "k8sadmin"                       // on the primary
	TokenSecret  = "etcd-sync-active-cluster-token" // on the standby
	TokenKey     = "token"                          // in both
	BootstrapJob = "etcd-sync-bootstrap"
	RemoteCA     = "remote-etcd-ca"     // Secret
	RemoteIssuer = "remote-etcd-issuer" // Issuer
	RemoteClient = "remote-etcd-client" // Certificate and Secret
)

// Lines of the Pods' log, searched for in any case as the document does.
const (
	FirstSyncDone = "Start Sync update"     // the first copy is done (DR-32)
	BecameLeader  = "Acquired leader lease" // from 4.3 (DR-35)
)

// EtcdPort is what both load balancers forward for the plugin (DR-30).
const EtcdPort = 2379
