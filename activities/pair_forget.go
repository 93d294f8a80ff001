package activities

import (
	"context"
	"fmt"
)

// ForgetRecordInput names a side and the run that undoes what it has recorded there.
type ForgetRecordInput struct {
	Scope
	Run string `json:"run"`
}

// ForgetPairRecord takes back the record of a run that ended before anything had
// changed, on a side that remembered nothing before. A record of another run stays.
func (a *Sides) ForgetPairRecord(ctx context.Context, in ForgetRecordInput) (Evidence, error) {
	client, _, err := (&Cluster{Hosts: a.Hosts}).openKept(ctx, in.Scope)
	if err != nil {
		return Evidence{}, err
	}
	text := fmt.Sprintf("%s remembers nothing of this run (configmap %s)", in.Cluster, RecordConfigMap)
	now, err := recordOf(ctx, client)
	if err != nil {
		return Evidence{}, err
	}
	if now.Run != in.Run {
		return Evidence{Summary: text, Host: in.Cluster}, nil
	}
	_, err = client.EditConfigMap(ctx, platformNamespace, recordName, func(data map[string]string) error {
		old, err := readRecord(data, client.Place())
		if err == nil && old.Run == in.Run {
			delete(data, recordKey)
		}
		return err
	})
	return Evidence{Summary: text, Host: in.Cluster, Facts: map[string]string{"changed": yesNo(err == nil)}}, err
}
