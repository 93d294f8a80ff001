package etcd

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"
)

// Values hands every key with a prefix and its value to f, all at one revision,
// in the order of the keys. An error of f ends it. The value belongs to f's call.
func (c *Client) Values(ctx context.Context, prefix string, f func(key string, value []byte) error) error {
	s, err := c.now(ctx)
	if err != nil {
		return err
	}
	for from, end := prefix, after(prefix); ; {
		out, err := c.get(ctx, "read "+prefix, from, s.options(clientv3.WithRange(end), clientv3.WithLimit(pageFirst))...)
		if err != nil {
			return err
		}
		for _, kv := range out.Kvs {
			if err := f(string(kv.Key), kv.Value); err != nil {
				return err
			}
		}
		if !out.More || len(out.Kvs) == 0 {
			return nil
		}
		from = string(out.Kvs[len(out.Kvs)-1].Key) + "\x00"
	}
}
