package etcd

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
)

const machines = root + "platform.tkestack.io/machines/"

// Machines are the objects of kind machines.platform.tkestack.io, in order of
// their names (DR-41). Errors: as Open's, and fault.Corrupt for an object that
// cannot be read.
func (c *Client) Machines(ctx context.Context) ([]Machine, error) {
	at, err := c.now(ctx)
	if err != nil {
		return nil, err
	}
	var out []Machine
	for all := (&cursor{snapshot: at, from: machines, to: after(machines)}); ; all.step() {
		kv, err := all.peek(ctx)
		if err != nil || kv == nil {
			return out, err
		}
		m, err := readMachine(kv.Value)
		if err != nil {
			return nil, fault.New(fault.Corrupt, "read a Machine", c.place+" "+string(kv.Key), "look at the object with kubectl", err)
		}
		out = append(out, m)
	}
}

func readMachine(value []byte) (Machine, error) {
	var object struct {
		Metadata struct {
			Name              string    `json:"name"`
			UID               string    `json:"uid"`
			DeletionTimestamp time.Time `json:"deletionTimestamp"`
		} `json:"metadata"`
		Status struct {
			Phase string `json:"phase"`
		} `json:"status"`
	}
	if err := json.Unmarshal(value, &object); err != nil {
		return Machine{}, err
	}
	if object.Metadata.Name == "" || object.Metadata.UID == "" {
		return Machine{}, fmt.Errorf("it has no name or no uid")
	}
	return Machine{Name: object.Metadata.Name, UID: object.Metadata.UID, Phase: object.Status.Phase, Deleting: object.Metadata.DeletionTimestamp}, nil
}
