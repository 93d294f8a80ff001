package activities

import (
	"context"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/acpflow/acpflow/internal/balancer"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/ssh"
)

// outcome of one connection.
type outcome struct {
	word string // one of the words below; "" = it can't be told
	why  string // then
}

// What a connection can come to.
const (
	takes   = "takes connections"
	refuses = "refuses connections"
	hollow  = "closes connections at once"
	silent  = "silent"
)

func (o outcome) clear() bool { return o.word != "" }

// answered reports whether something lives there. A load balancer that refuses or
// hangs up tells only of itself.
func (o outcome) answered(t reachTarget) bool {
	return o.word == takes || !t.vip && (o.word == refuses || o.word == hollow)
}

// connectTime is how long one connection may take.
const connectTime = 3 * time.Second

// fromHere asks from the worker itself.
func (r reach) fromHere(ctx context.Context) []outcome {
	out := make([]outcome, len(r.targets))
	var group sync.WaitGroup
	for i, t := range r.targets {
		group.Go(func() {
			out[i] = dialOutcome(ctx, t)
			if out[i].word == silent && t.node != nil && t.node.SSH.Jump != nil {
				out[i] = r.jumpOutcome(ctx, *t.node)
			}
		})
	}
	group.Wait()
	return out
}

func dialOutcome(ctx context.Context, t reachTarget) outcome {
	dial := (&net.Dialer{Timeout: connectTime}).DialContext
	address := net.JoinHostPort(t.host, strconv.Itoa(t.port))
	if t.vip {
		return sightOutcome(balancer.Look(ctx, dial, address, "", true))
	}
	conn, err := dial(ctx, "tcp", address)
	if err != nil {
		return errOutcome(err)
	}
	_ = conn.Close() // it was only to see whether there is one
	return outcome{word: takes}
}

func sightOutcome(s balancer.Sight) outcome {
	switch {
	case s.Refused:
		return outcome{word: refuses}
	case s.Hollow:
		return outcome{word: hollow}
	case s.Silent:
		return errOutcome(s.Err)
	}
	return outcome{word: takes}
}

// errOutcome counts as silence only what the network says; a fault of this
// machine, such as too many open files, tells nothing.
func errOutcome(err error) outcome {
	var timeout net.Error
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return outcome{word: refuses}
	case errors.Is(err, syscall.ECONNRESET):
		return outcome{word: hollow}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTDOWN), errors.Is(err, syscall.ETIMEDOUT),
		errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return outcome{word: silent}
	}
	return outcome{why: err.Error()}
}

// jumpOutcome logs in where nodes can be reached only through a jump host.
func (r reach) jumpOutcome(ctx context.Context, n Node) outcome {
	ctx, cancel := context.WithTimeout(ctx, 2*connectTime)
	defer cancel()
	_, err := r.hosts.connect(ctx, n)
	switch class := fault.ClassOf(err); {
	case err == nil, class == fault.Auth, class == fault.HostKey:
		return outcome{word: takes}
	case class == fault.Unreachable, ctx.Err() != nil:
		return outcome{word: silent}
	}
	return outcome{why: err.Error()}
}

// probeFrom connects to each "HOST PORT KIND" of its input, all at once, and
// prints "NUMBER WORD". The last line says that it came to its end. At a VIP a
// connection tells nothing yet: a line goes out, to which a server behind the
// balancer would say at least that it is no TLS.
const probeFrom = `one() {
  why=$(timeout "$5" bash -c 'exec 3<>"/dev/tcp/$1/$2" || exit 1
    [ "$3" = vip ] || exit 0
    trap "" PIPE
    printf "GET / HTTP/1.0\r\n\r\n" >&3 2>/dev/null || exit 7
    IFS= read -r -t 2 -N 1 -u 3 x && exit 0
    [ $? -gt 128 ] && exit 124
    exit 7' probe "$2" "$3" "$4" 2>&1)
  r=$?
  case "$r:$why" in
    0:*) word=open ;;
    7:*|*"reset by peer"*) word=hollow ;;
    124:*|*"No route to host"*|*"Network is unreachable"*|*"timed out"*|*"Host is down"*) word=silent ;;
    *"Connection refused"*) word=refused ;;
    *) word="unknown $(printf %s "$why" | tr '\n' ' ' | head -c 200)" ;;
  esac
  echo "$1 $word"
}
i=0
while read -r host port kind; do
  limit=3; [ "$kind" = vip ] && limit=5
  one "$i" "$host" "$port" "$kind" "$limit" &
  i=$((i+1))
done
wait
echo end
`

// fromNode asks from a node, without anything but bash on it.
func (r reach) fromNode(ctx context.Context, n Node) ([]outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, sideRead)
	defer cancel()
	conn, err := r.hosts.connect(ctx, n)
	if err != nil {
		return nil, err
	}
	var ask strings.Builder
	for _, t := range r.targets {
		kind := "node"
		if t.vip {
			kind = "vip"
		}
		ask.WriteString(t.host + " " + strconv.Itoa(t.port) + " " + kind + "\n")
	}
	answer, err := conn.Run(ctx, ssh.Command{Op: "connect to the other side", Script: probeFrom, Stdin: strings.NewReader(ask.String())})
	if err != nil {
		return nil, err
	}
	return readOutcomes(answer.Stdout, len(r.targets))
}

var words = map[string]string{"open": takes, "refused": refuses, "hollow": hollow, "silent": silent}

// readOutcomes understands what probeFrom prints. What it does not say can't be told.
func readOutcomes(text string, count int) ([]outcome, error) {
	out := make([]outcome, count)
	for i := range out {
		out[i].why = "no result"
	}
	ended := false
	for line := range strings.Lines(text) {
		number, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		if ended = number == "end"; ended {
			break
		}
		word, why, _ := strings.Cut(rest, " ")
		if i, err := strconv.Atoi(number); err == nil && i >= 0 && i < count {
			out[i] = outcome{word: words[word], why: strings.TrimSpace(why)}
		}
	}
	if !ended {
		return out, fault.New(fault.Protocol, "connect to the other side", "", "", errors.New("the node's answer has no end"))
	}
	return out, nil
}
