package dns

import (
	"context"

	"github.com/acpflow/acpflow/internal/program"
)

// Exec lets a program of the worker change the records. It reads one JSON
// object, {"action":"upsert","name":…,"a":[…],"aaaa":[…],"ttl":N}, and must
// replace all address records of the name by these in one change, or exit with
// another code than 0. Its output is not read.
type Exec struct{ program.Program }

type execRequest struct {
	Action string   `json:"action"`
	Name   string   `json:"name"` // without a final dot
	A      []string `json:"a"`
	AAAA   []string `json:"aaaa"`
	TTL    int      `json:"ttl"` // seconds
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
