// Package etcdfile reads etcd's database files for tests.
package etcdfile

import (
	"go.etcd.io/etcd/api/v3/mvccpb"
	"google.golang.org/protobuf/proto"

	bolt "go.etcd.io/bbolt"
)

// Pairs opens a snapshot as etcd's own restore does, checks its pages, and returns
// all keys that were ever written since the last compaction with their last values.
func Pairs(path string) (map[string]string, error) {
	db, err := bolt.Open(path, 0o400, &bolt.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }() // it was only read
	out := map[string]string{}
	err = db.View(func(tx *bolt.Tx) error {
		for err := range tx.Check() {
			return err
		}
		return tx.Bucket([]byte("key")).ForEach(func(_, value []byte) error {
			var kv mvccpb.KeyValue
			if err := proto.Unmarshal(value, &kv); err != nil {
				return err
			}
			out[string(kv.Key)] = string(kv.Value)
			return nil
		})
	})
	return out, err
}
