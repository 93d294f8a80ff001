package synchronizer

import (
	"context"
	"encoding/json"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// change is what happens to one key.
type change struct {
	key, value string
	removed    bool
	owned      bool // the object names owners
}

const (
	pageSize   = 2000
	batchOps   = 64
	batchBytes = 512 << 10
)

// listAll calls do for every mirrored key with its value.
func listAll(ctx context.Context, c *clientv3.Client, do func(key, value string), extra ...clientv3.OpOption) error {
	key, revision := root, int64(0)
	for {
		opts := append([]clientv3.OpOption{clientv3.WithRange(clientv3.GetPrefixRangeEnd(root)), clientv3.WithLimit(pageSize), clientv3.WithRev(revision)}, extra...)
		resp, err := c.Get(ctx, key, opts...)
		if err != nil {
			return err
		}
		for _, kv := range resp.Kvs {
			if k := string(kv.Key); Mirrored(k) {
				do(k, string(kv.Value))
			}
		}
		if !resp.More {
			return nil
		}
		revision = resp.Header.Revision
		key = string(resp.Kvs[len(resp.Kvs)-1].Key) + "\x00"
	}
}

// write applies changes in their order, many in one transaction. etcd takes a
// key once in a transaction.
func write(ctx context.Context, c *clientv3.Client, changes []change) error {
	var ops []clientv3.Op
	seen, size := map[string]bool{}, 0
	flush := func() error {
		if len(ops) == 0 {
			return nil
		}
		_, err := c.Txn(ctx).Then(ops...).Commit()
		ops, seen, size = nil, map[string]bool{}, 0
		if err != nil {
			return fmt.Errorf("write to the standby: %w", err)
		}
		return nil
	}
	for _, ch := range changes {
		if seen[ch.key] || len(ops) == batchOps || size+len(ch.value) > batchBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		seen[ch.key], size = true, size+len(ch.value)
		if ch.removed {
			ops = append(ops, clientv3.OpDelete(ch.key))
		} else {
			ops = append(ops, clientv3.OpPut(ch.key, ch.value))
		}
	}
	return flush()
}

// protobuf is how values of built-in kinds begin.
const protobuf = "k8s\x00"

// owned tells whether a stored object names owners. Of a value that can't be
// read, an encrypted Secret for example, it does not.
func owned(value string) bool {
	var meta struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
	}
	if len(value) > len(protobuf) && value[:len(protobuf)] == protobuf {
		var outer runtime.Unknown
		var inner metav1.PartialObjectMetadata
		// Every built-in kind has its metadata where PartialObjectMetadata has it.
		if outer.Unmarshal([]byte(value[len(protobuf):])) != nil || inner.Unmarshal(outer.Raw) != nil {
			return false
		}
		return len(inner.OwnerReferences) > 0
	}
	return json.Unmarshal([]byte(value), &meta) == nil && len(meta.Metadata.OwnerReferences) > 0
}

// configMap is a stored ConfigMap without content.
func configMap(p part) string {
	return fmt.Sprintf(`{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":%q,"namespace":%q,"uid":"00000000-0000-4000-8000-%012x","creationTimestamp":"2020-01-01T00:00:00Z"}}`,
		p.name, p.namespace, len(p.name)<<16+len(p.namespace))
}
