package harness

import (
	"context"
	"net"
	"sync"

	"go.temporal.io/api/proxy"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/acpflow/acpflow/internal/fault"
)

// Turnstile stands between a worker and Temporal. It lets the worker report one
// activity as done and then gives it nothing more to do, so that a test can kill
// it exactly there: with a report that Temporal has, and with no task in its hands
// for which Temporal would wait before it gives it to another worker.
type Turnstile struct {
	Address string          // for TEMPORAL_ADDRESS of the worker
	Done    <-chan struct{} // an activity was reported; the worker waits for its end

	done     chan struct{}
	server   *grpc.Server
	upstream *grpc.ClientConn

	mu    sync.Mutex
	shut  bool
	polls map[*poll]bool
}

// mostBytes is what the SDK takes as one message.
const mostBytes = 128 << 20

// poll is a worker's question for work, while Temporal has no answer.
type poll struct {
	cancel context.CancelFunc
	ended  chan struct{}
}

// NewTurnstile listens on a free port, in front of the server. It is open for one
// activity. The caller stops it.
func NewTurnstile(ctx context.Context, d *Devserver) (*Turnstile, error) {
	upstream, err := grpc.NewClient(d.Address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(mostBytes)))
	if err != nil {
		return nil, fault.New(fault.Internal, "connect to Temporal", d.Address, "", err)
	}
	service, err := proxy.NewWorkflowServiceProxyServer(proxy.WorkflowServiceProxyOptions{Client: workflowservice.NewWorkflowServiceClient(upstream)})
	if err != nil {
		return nil, fault.New(fault.Internal, "make a proxy of Temporal", d.Address, "", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fault.New(fault.Internal, "listen", "127.0.0.1", "", err)
	}
	t := &Turnstile{Address: listener.Addr().String(), done: make(chan struct{}, 1), upstream: upstream, polls: map[*poll]bool{}}
	t.Done = t.done
	t.server = grpc.NewServer(grpc.UnaryInterceptor(t.pass), grpc.MaxRecvMsgSize(mostBytes))
	workflowservice.RegisterWorkflowServiceServer(t.server, service)
	go func() { _ = t.server.Serve(listener) }()
	return t, nil
}

// Open lets the next worker work, until it has reported an activity.
func (t *Turnstile) Open() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shut = false
}

// Stop ends it.
func (t *Turnstile) Stop() {
	t.server.Stop()
	_ = t.upstream.Close()
}

func (t *Turnstile) pass(ctx context.Context, request any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	switch r := request.(type) {
	case *workflowservice.PollWorkflowTaskQueueRequest, *workflowservice.PollActivityTaskQueueRequest:
		return t.ask(ctx, request, next)
	case *workflowservice.RespondWorkflowTaskCompletedRequest:
		r.StickyAttributes = nil // Temporal would wait for the dead worker's own queue
	case *workflowservice.RespondActivityTaskCompletedRequest:
		return t.report(ctx, request, next)
	}
	return next(ctx, request)
}

// ask passes a question for work on, until the turnstile shuts.
func (t *Turnstile) ask(ctx context.Context, request any, next grpc.UnaryHandler) (any, error) {
	asked, cancel := context.WithCancel(ctx)
	defer cancel()
	p := &poll{cancel: cancel, ended: make(chan struct{})}
	if !t.admit(p) {
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	answer, err := next(asked, request)
	t.mu.Lock()
	delete(t.polls, p)
	t.mu.Unlock()
	close(p.ended)
	return answer, err
}

func (t *Turnstile) admit(p *poll) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.shut {
		t.polls[p] = true
	}
	return !t.shut
}

// report passes the report of an activity on, after every question for work was
// taken back, and does not come back to the worker.
func (t *Turnstile) report(ctx context.Context, request any, next grpc.UnaryHandler) (any, error) {
	t.mu.Lock()
	second := t.shut
	t.shut = true
	var open []*poll
	for p := range t.polls {
		open = append(open, p)
	}
	t.mu.Unlock()
	if second { // an activity that ran beside the first one: its report is lost, as it would be
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	}
	for _, p := range open {
		p.cancel()
		<-p.ended
	}
	answer, err := next(ctx, request)
	if err != nil {
		t.Open() // the worker tries again
		return answer, err
	}
	t.done <- struct{}{}
	<-ctx.Done()
	return answer, nil
}
