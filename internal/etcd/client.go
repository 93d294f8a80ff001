package etcd

import (
	"context"
	"fmt"
	"net"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"

	"github.com/acpflow/acpflow/internal/secret"
)

// How long each may take when ctx allows more.
const (
	requestTimeout = 30 * time.Second
	dialTimeout    = 10 * time.Second
	listenTimeout  = 2 * time.Second // for an alert, after a connection broke
)

// DialFunc opens connections, for example through SSH.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Options of a client.
type Options struct {
	Address     string       // host:port; TLS verifies the host
	Dial        DialFunc     // nil = the worker's own network
	CA          []byte       // PEM, of the etcd server; empty = plain text, which only tests and benchmarks use
	Certificate []byte       // PEM, the client's
	Key         secret.Value // PEM, of Certificate
}

// Client reads one etcd through one of its members. It is safe for concurrent use.
type Client struct {
	kv     *clientv3.Client
	dialer *dialer
	place  string
}

// Open connects and asks for the position, so that a wrong certificate or a
// wrong program behind the port shows at once. Close the client at the end.
// Errors: fault.BadInput, Unreachable, HostKey, Auth, Protocol, Failed.
func Open(ctx context.Context, o Options) (*Client, error) {
	d, err := newDialer(o)
	if err != nil {
		return nil, err
	}
	config := clientv3.Config{
		// TLS is the dialer's business: it knows why a handshake failed, gRPC only says "unavailable".
		Endpoints:            []string{"http://" + o.Address},
		DialTimeout:          dialTimeout,
		DialKeepAliveTime:    20 * time.Second,
		DialKeepAliveTimeout: 20 * time.Second,
		MaxUnaryRetries:      1, // tries: clients don't retry
		Logger:               zap.NewNop(),
		Context:              context.Background(), // of a client that may outlive who opened it
		DialOptions: []grpc.DialOption{
			grpc.WithContextDialer(d.dial), grpc.WithNoProxy(), grpc.WithDisableServiceConfig(),
			grpc.WithChainUnaryInterceptor(failFast),
			grpc.WithInitialWindowSize(4 << 20), grpc.WithInitialConnWindowSize(8 << 20), // a distant etcd must not wait for us
		},
	}
	kv, err := clientv3.New(config)
	if err != nil {
		return nil, d.classify(ctx, "connect to etcd", err)
	}
	c := &Client{kv: kv, dialer: d, place: d.place}
	if _, err := c.Position(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// failFast undoes etcd's own choice to wait for a connection until the time is over.
func failFast(ctx context.Context, method string, request, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker, o ...grpc.CallOption) error {
	return invoke(ctx, method, request, reply, conn, append(o, grpc.WaitForReady(false))...)
}

// Close ends the connection.
func (c *Client) Close() { _ = c.kv.Close() } // it only ever says that the context ended

// Place names the member in errors and evidence.
func (c *Client) Place() string { return c.place }

// Position is where the etcd as a whole stands now, not only this member.
func (c *Client) Position(ctx context.Context) (Position, error) {
	out, err := c.get(ctx, "read etcd's revision", "/", clientv3.WithCountOnly())
	if err != nil {
		return Position{}, err
	}
	return Position{ClusterID: fmt.Sprintf("%016x", out.Header.ClusterId), Revision: out.Header.Revision, Term: out.Header.RaftTerm}, nil
}

// get is the one way to read: one request, bounded in time.
func (c *Client) get(ctx context.Context, op, key string, o ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	bounded, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	out, err := c.kv.Get(bounded, key, o...)
	if err != nil {
		return nil, c.fault(ctx, op, err)
	}
	return out, nil
}

// fault classifies an error; that of an ended ctx stays what it is.
func (c *Client) fault(ctx context.Context, op string, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %s: interrupted: %w", op, c.place, context.Cause(ctx))
	}
	return c.dialer.classify(ctx, op, err)
}

// txn reads several keys in one request.
func (c *Client) txn(ctx context.Context, op string, reads []clientv3.Op) (*clientv3.TxnResponse, error) {
	bounded, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	out, err := c.kv.Txn(bounded).Then(reads...).Commit()
	if err != nil {
		return nil, c.fault(ctx, op, err)
	}
	return out, nil
}
