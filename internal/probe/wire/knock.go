package wire

import (
	"errors"
	"net"
	"strconv"
	"sync"
	"time"
)

// Dial connects to a port.
type Dial func(address string, port int, patience time.Duration) (net.Conn, error)

// parallelKnocks bounds the connections to one door at a time: balancers count
// them, and some spread only those that are open together.
const parallelKnocks = 4

// KnockAll tries all doors at once, each as often as it says.
func KnockAll(order Knock, token []byte, dial Dial) []Knocks {
	out := make([]Knocks, len(order.Doors))
	patience := time.Duration(order.Millis) * time.Millisecond
	var all sync.WaitGroup
	for i, door := range order.Doors {
		all.Go(func() { out[i] = knock(door, token, patience, dial) })
	}
	all.Wait()
	return out
}

func knock(d Door, token []byte, patience time.Duration, dial Dial) Knocks {
	k := Knocks{Nodes: map[string]int{}, Ports: map[string]int{}, Cause: map[string]int{}}
	var mu sync.Mutex
	var all sync.WaitGroup
	slots := make(chan struct{}, parallelKnocks)
	for range d.Times {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			peer, err := Try(func() (net.Conn, error) { return dial(d.Address, d.Port, patience) }, token, d.Opening, patience)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				k.Nodes[peer.Node]++
				k.Ports[peer.Node] = peer.Port
				return
			}
			k.Cause[Cause(err)]++
			if s, ok := errors.AsType[*StrangerError](err); ok {
				k.First = s.First
			}
		})
	}
	all.Wait()
	return k
}

// At writes an address and a port as dialers want them.
func At(address string, port int) string { return net.JoinHostPort(address, strconv.Itoa(port)) }
