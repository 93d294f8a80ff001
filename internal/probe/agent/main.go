// Command agent is what a probe puts on a node for a minute: it listens on the
// platform's ports, tries those of the other nodes, and goes away. It leaves
// when its stdin ends, when its parent dies, and when its time is over.
//
// Usage: agent SECONDS [PARENT-PID]
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"github.com/acpflow/acpflow/internal/probe/wire"
)

// maxOrder bounds one order, in bytes; the largest names hundreds of targets.
const maxOrder = 4 << 20

// The kernel ties the parent's death to the thread that asks for it.
func init() { runtime.LockOSThread() }

func main() {
	if err := live(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "acpflow probe agent:", err)
		os.Exit(1)
	}
}

func live(args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("how many seconds may it live?")
	}
	seconds, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	time.AfterFunc(time.Duration(seconds)*time.Second, func() { os.Exit(3) })
	title() // its file has no name
	if len(args) > 1 {
		if err := dieWith(args[1]); err != nil {
			return err
		}
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	a := &agent{out: json.NewEncoder(os.Stdout), tcp: map[int]listener{}, slots: make(chan struct{}, maxConnections)}
	a.say(wire.Hello{Version: wire.Version, PID: os.Getpid()})
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(make([]byte, 0, 64<<10), maxOrder)
	for lines.Scan() {
		var order wire.Order
		if err := json.Unmarshal(lines.Bytes(), &order); err != nil {
			return err
		}
		if order.Listen != nil { // the others rely on it
			a.do(order)
			continue
		}
		go a.do(order)
	}
	return lines.Err()
}

// What prctl does, from linux/prctl.h.
const (
	setParentDeathSignal = 1
	setName              = 15
)

// title is what ps and ss show.
func title() {
	name := []byte("acpflow-probe\x00")
	_, _, _ = syscall.RawSyscall(syscall.SYS_PRCTL, setName, uintptr(unsafe.Pointer(&name[0])), 0) // it lives as well without
}

// dieWith ends the process when its parent does, also when that happened already.
func dieWith(parent string) error {
	_, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, setParentDeathSignal, uintptr(syscall.SIGKILL), 0)
	if errno != 0 {
		return errno
	}
	if strconv.Itoa(os.Getppid()) != parent {
		return fmt.Errorf("the shell that started it is gone")
	}
	return nil
}

// agent is the state of the process.
type agent struct {
	mu    sync.Mutex // guards out, tcp
	out   *json.Encoder
	tcp   map[int]listener
	slots chan struct{}
	me    wire.Listen // set once by the first order, before any other
}

func (a *agent) say(what any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.out.Encode(what); err != nil { // nobody listens any more
		os.Exit(2)
	}
}

func (a *agent) do(order wire.Order) {
	answer := wire.Answer{ID: order.ID}
	switch {
	case order.Listen != nil:
		answer.Busy = a.listen(*order.Listen)
	case order.Release != nil:
		a.release(order.Release.TCP)
	case order.Reach != nil:
		answer.Seen = a.reach(*order.Reach)
	case order.Measure != nil:
		answer.Seen = a.measure(*order.Measure)
	case order.Send != nil:
		sent, err := a.send(*order.Send)
		answer.Sent = sent
		if err != nil {
			answer.Error = wire.Cause(err)
		}
	case order.Knock != nil:
		answer.Knock = wire.KnockAll(*order.Knock, a.me.Token, dialTCP)
	default:
		answer.Error = "an order that this agent does not know"
	}
	a.say(answer)
}
