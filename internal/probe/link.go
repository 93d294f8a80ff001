package probe

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/probe/wire"
)

// Launcher runs an agent: it feeds stdin to it, writes its output to stdout,
// and returns when it has ended. When ctx ends it ends the agent.
type Launcher func(ctx context.Context, stdin io.Reader, stdout io.Writer) error

// Agent is a running agent. Its methods may be used from several goroutines.
type Agent struct {
	Node string
	PID  int // on the node

	stdin *io.PipeWriter
	kill  context.CancelFunc
	ended chan struct{} // closed when the agent is gone; err is set then

	mu      sync.Mutex
	err     error
	last    int
	waiting map[int]chan wire.Answer
}

// Start runs an agent and waits for its first word. ctx bounds the agent's
// whole life. Errors: those of the launcher, fault.Protocol.
func Start(ctx context.Context, node string, launch Launcher) (*Agent, error) {
	ctx, kill := context.WithCancel(ctx)
	in, stdin := io.Pipe()
	out, stdout := io.Pipe()
	a := &Agent{Node: node, stdin: stdin, kill: kill, ended: make(chan struct{}), waiting: map[int]chan wire.Answer{}}
	hello := make(chan error, 1)
	listened := make(chan struct{})
	go func() {
		defer close(listened)
		err := a.listen(out, hello)
		_ = out.CloseWithError(errOr(err, io.ErrClosedPipe)) // an agent that babbles is ended
	}()
	go func() {
		err := launch(ctx, in, stdout)
		_ = stdout.Close() // never fails
		_ = in.Close()     // never fails
		kill()
		<-listened
		a.end(err)
	}()
	select {
	case err := <-hello:
		if err == nil {
			return a, nil
		}
		a.Stop()
		return nil, err
	case <-a.ended:
		return nil, a.Err()
	}
}

func errOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// Bounds of what an agent says in one line, in bytes.
const (
	maxHello  = 1 << 10
	maxAnswer = 16 << 20
)

// readLine returns a line of bounded length, io.EOF at the end.
func readLine(r *bufio.Reader, limit int) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if line = append(line, part...); len(line) > limit {
			return nil, bufio.ErrTooLong
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}

// listen hands the agent's answers to those who wait for them.
func (a *Agent) listen(out io.Reader, hello chan<- error) error {
	r := bufio.NewReader(out)
	line, err := readLine(r, maxHello)
	if errors.Is(err, io.EOF) {
		return nil // it ended; the launcher says why
	}
	var first wire.Hello
	if err != nil || json.Unmarshal(line, &first) != nil || first.Version != wire.Version {
		err := fault.New(fault.Protocol, "start the probe agent", a.Node, "build the worker and its agents together: make build",
			fmt.Errorf("it is not %s", wire.Version))
		hello <- err
		return err
	}
	a.PID = first.PID
	hello <- nil
	for {
		line, err := readLine(r, maxAnswer)
		if errors.Is(err, io.EOF) {
			return nil
		}
		var answer wire.Answer
		if err == nil {
			err = json.Unmarshal(line, &answer)
		}
		if err != nil {
			return fault.New(fault.Protocol, "talk to the probe agent", a.Node, "", err)
		}
		a.mu.Lock()
		waiting := a.waiting[answer.ID]
		delete(a.waiting, answer.ID)
		a.mu.Unlock()
		if waiting != nil {
			waiting <- answer
		}
	}
}

func (a *Agent) end(err error) {
	a.mu.Lock()
	a.err = errOr(err, errors.New("the probe agent ended before its time"))
	a.mu.Unlock()
	close(a.ended)
}

// Err is why the agent is gone; nil while it lives.
func (a *Agent) Err() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.err
}

// Ask sends an order and waits for its answer.
func (a *Agent) Ask(ctx context.Context, order wire.Order) (wire.Answer, error) {
	answer := make(chan wire.Answer, 1)
	a.mu.Lock()
	a.last++
	order.ID = a.last
	a.waiting[order.ID] = answer
	a.mu.Unlock()
	line, err := json.Marshal(order)
	if err != nil {
		return wire.Answer{}, err
	}
	if _, err := a.stdin.Write(append(line, '\n')); err != nil {
		<-a.ended
		return wire.Answer{}, a.Err()
	}
	select {
	case got := <-answer:
		if got.Error != "" {
			return got, errors.New(got.Error)
		}
		return got, nil
	case <-a.ended:
		return wire.Answer{}, a.Err()
	case <-ctx.Done():
		return wire.Answer{}, context.Cause(ctx)
	}
}

// goodbye is how long an agent may take to leave by itself.
const goodbye = 5 * time.Second

// Stop lets the agent go and waits until it is gone, or out of reach: then its
// own deadline ends it.
func (a *Agent) Stop() {
	_ = a.stdin.Close() // never fails
	late := time.AfterFunc(goodbye, a.kill)
	defer late.Stop()
	<-a.ended
}
