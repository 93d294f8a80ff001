package probe

import (
	"fmt"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/checks"
	"github.com/acpflow/acpflow/internal/probe/wire"
)

// door is one port at one address, and what came of trying it.
type door struct {
	port    int
	behind  []*member // control planes whose agents listen there
	taken   []string  // "cp-1: in use by nginx (pid 9)"
	unknown []string  // control planes that don't listen for the probe
	reached []string
	spread  int // how many the last round reached while all listened
	layer   string
	causes  map[string]int // in the last round
	last    int            // nodes that the last round reached
	wrong   string         // forwarded to another port
	done    bool
	checked string
}

// doors are the forwarded ports, with who should be behind them.
func (f *Fleet) doors() []*door {
	var out []*door
	for _, m := range f.members {
		for _, port := range m.Ports.TCP {
			i := slices.IndexFunc(out, func(d *door) bool { return d.port == port })
			if i < 0 {
				i, out = len(out), append(out, &door{port: port})
			}
			d := out[i]
			j := slices.IndexFunc(m.taken, func(t wire.Fault) bool { return t.Network == "tcp" && t.Port == port })
			switch err := m.fault(); {
			case err != nil:
				d.unknown, d.taken = append(d.unknown, m.Name), append(d.taken, m.Name+": "+short(err))
			case j >= 0:
				d.unknown, d.taken = append(d.unknown, m.Name), append(d.taken, m.Name+": "+m.taken[j].Cause)
			default:
				d.behind = append(d.behind, m)
			}
		}
	}
	for _, d := range out {
		d.done = len(d.behind) == 0
	}
	return out
}

// hear adds what one round of connections told.
func (d *door) hear(k wire.Knocks) {
	d.causes, d.last = k.Cause, len(k.Nodes)
	for node := range k.Nodes {
		switch {
		case k.Ports[node] != d.port:
			d.wrong = fmt.Sprintf("it leads to port %d of %s", k.Ports[node], node)
		case !slices.Contains(d.reached, node):
			d.reached = append(d.reached, node)
		}
		d.layer = "tcp"
	}
	if d.layer == "" {
		d.layer = layer(k.First)
	}
}

// full reports whether nothing more is to be learned of who is behind a door.
func (d *door) full() bool {
	return d.done || d.layer == "http" || d.layer == "tls" ||
		!slices.ContainsFunc(d.behind, func(m *member) bool { return !slices.Contains(d.reached, m.Name) })
}

// common is what went wrong most often.
func common(causes map[string]int) string {
	most, times := "nothing was tried", 0
	for cause, n := range causes {
		if n > times || n == times && cause < most {
			most, times = cause, n
		}
	}
	return most
}

// result writes what is known of a door.
func (d *door) result() checks.BalancerPort {
	out := checks.BalancerPort{Port: d.port, Reached: d.reached, Unknown: d.unknown, Layer: d.layer, Checked: d.checked}
	slices.Sort(out.Reached)
	var why []string
	if d.wrong != "" {
		why = append(why, d.wrong)
	}
	if !d.full() {
		out.Checked = ""
		switch {
		case len(d.reached) == 0:
			why = append(why, "connections: "+common(d.causes))
		case d.spread == 1 && len(d.reached) == 1:
			for _, m := range d.behind {
				if m.Name != d.reached[0] {
					out.Unknown = append(out.Unknown, m.Name)
				}
			}
			why = append(why, fmt.Sprintf("all connections go to %s, and none to others when it listens no longer (%s)", d.reached[0], common(d.causes)))
		default:
			why = append(why, "no connection was led there, though to the others")
		}
	}
	out.Error = strings.Join(append(why, d.taken...), "; ")
	return out
}
