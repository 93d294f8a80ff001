package balancer

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/program"
)

// Exec lets a program of the worker change the load balancer. It reads one JSON
// object and prints one:
//
//	{"action":"list","vip":…}                                      → {"forwards":[{"port":443,"mode":"tcp","backends":["host:port"]}]}
//	{"action":"open","vip":…,"port":N,"mode":"tcp","backends":[…]} → {"changed":true}
//	{"action":"close","vip":…,"port":N}                            → {"changed":true}
//
// It exits with another code than 0 when it cannot, and must not rewrite a
// forward that leads elsewhere.
type Exec struct {
	program.Program
	VIP string
}

type execRequest struct {
	Action   string   `json:"action"`
	VIP      string   `json:"vip"`
	Port     int      `json:"port,omitempty"`
	Mode     string   `json:"mode,omitempty"`
	Backends []string `json:"backends,omitempty"`
}

type execAnswer struct {
	Forwards []Forward `json:"forwards"`
	Changed  *bool     `json:"changed"`
}

// Forwards lists what the program knows.
func (d Exec) Forwards(ctx context.Context) ([]Forward, error) {
	answer, err := d.call(ctx, "list the forwarded ports of "+d.VIP, execRequest{Action: "list"})
	if err != nil {
		return nil, err
	}
	for i := range answer.Forwards {
		answer.Forwards[i].Backends = canonical(answer.Forwards[i].Backends)
	}
	slices.SortFunc(answer.Forwards, func(a, b Forward) int { return a.Port - b.Port })
	return answer.Forwards, nil
}

// Open looks first, so that a program that knows no gate has one.
func (d Exec) Open(ctx context.Context, f Forward) (bool, error) {
	op := fmt.Sprintf("open port %d of %s", f.Port, d.VIP)
	if err := f.check(op, d.Path()); err != nil {
		return false, err
	}
	known, err := d.Forwards(ctx)
	if err != nil {
		return false, err
	}
	for _, other := range known {
		if other.Port == f.Port && !other.Same(f) {
			return false, unlike(op, d.Path(), other, f)
		}
	}
	return d.changed(ctx, op, execRequest{Action: "open", Port: f.Port, Mode: f.Mode, Backends: canonical(f.Backends)})
}

// Close runs the program.
func (d Exec) Close(ctx context.Context, port int) (bool, error) {
	return d.changed(ctx, fmt.Sprintf("close port %d of %s", port, d.VIP), execRequest{Action: "close", Port: port})
}

func (d Exec) changed(ctx context.Context, op string, request execRequest) (bool, error) {
	answer, err := d.call(ctx, op, request)
	if err != nil {
		return false, err
	}
	if answer.Changed == nil {
		return false, fault.New(fault.Protocol, op, d.Path(), "let it print {\"changed\":true} or {\"changed\":false}", nil)
	}
	return *answer.Changed, nil
}

func (d Exec) call(ctx context.Context, op string, request execRequest) (execAnswer, error) {
	request.VIP = d.VIP
	out, err := d.Call(ctx, op, request)
	if err != nil {
		return execAnswer{}, err
	}
	var answer execAnswer
	decoder := json.NewDecoder(bytes.NewReader(out))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&answer); err != nil {
		return execAnswer{}, fault.New(fault.Protocol, op, d.Path(), "let it print one JSON object as documented", err)
	}
	return answer, nil
}
