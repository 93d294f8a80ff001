package dns

import (
	"context"

	"github.com/acpflow/acpflow/internal/program"
)

// Exec lets a program of the worker change the records. It reads one JSON
// object, {"action":"upsert","name":…,"a":[…],"aaaa":[…],"ttl":N}, and must
// replace all address records of the name by these in one change, or exit with
// another code than 0. For {"action":"remove","name":…} it must take all address
// records of the name away; that there are none is fine. Its output is not read.
type Exec struct{ program.Program }

type execRequest struct {
	Action string   `json:"action"`
	Name   string   `json:"name"` // without a final dot
	A      []string `json:"a"`
	AAAA   []string `json:"aaaa"`
	TTL    int      `json:"ttl"` // seconds
}

type execRemoval struct {
	Action string `json:"action"`
	Name   string `json:"name"` // without a final dot
}

// Upsert runs the program.
func (d Exec) Upsert(ctx context.Context, name string, want Records) error {
	if err := want.check(name); err != nil {
		return err
	}
	if err := inZone("update "+name, name, ".", d.Path()); err != nil {
		return err
	}
	_, err := d.Call(ctx, "update "+name, execRequest{
		Action: "upsert", Name: name, A: canonical(want.A), AAAA: canonical(want.AAAA), TTL: want.TTL,
	})
	return err
}

// Remove runs the program.
func (d Exec) Remove(ctx context.Context, name string) error {
	if err := inZone("remove "+name, name, ".", d.Path()); err != nil {
		return err
	}
	_, err := d.Call(ctx, "remove "+name, execRemoval{Action: "remove", Name: name})
	return err
}
