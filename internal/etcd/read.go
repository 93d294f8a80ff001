package etcd

import (
	"context"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Bounds of one page. What is in memory at a time is some ten pages.
const (
	pageBytes = 768 << 10
	pageFirst = 256 // keys, of a resource whose size isn't known yet
	pageMost  = 3000
	batch     = 100 // keys read by name in one request; etcd's --max-txn-ops is 128
)

// snapshot is one etcd at one revision.
type snapshot struct {
	client *Client
	at     Position
	sizes  *sizes
}

// sizes remembers how large the values of a resource are, so that a page has a
// bounded size.
type sizes struct {
	mu    sync.Mutex
	limit map[string]int64 // keys of the next page, by resource
}

func newSizes() *sizes { return &sizes{limit: map[string]int64{}} }

func (s *sizes) next(resource string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, ok := s.limit[resource]; ok {
		return n
	}
	return pageFirst
}

func (s *sizes) learn(resource string, keys, bytes int64) {
	if keys < 16 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit[resource] = min(max(pageBytes*keys/max(bytes, 1), 16), pageMost)
}

// now pins the etcd's present.
func (c *Client) now(ctx context.Context) (snapshot, error) {
	at, err := c.Position(ctx)
	return snapshot{client: c, at: at, sizes: newSizes()}, err
}

// options read at the pinned revision. The member has it, because it gave it;
// so it need not ask the leader again.
func (s snapshot) options(more ...clientv3.OpOption) []clientv3.OpOption {
	return append(more, clientv3.WithRev(s.at.Revision), clientv3.WithSerializable())
}

// count counts the keys of a range.
func (s snapshot) count(ctx context.Context, from, to string) (int64, error) {
	out, err := s.client.get(ctx, "count keys", from, s.options(clientv3.WithRange(to), clientv3.WithCountOnly())...)
	if err != nil {
		return 0, err
	}
	return out.Count, nil
}

// probe implements the planner's question.
func (s snapshot) probe(ctx context.Context, from, to string) (int64, string, error) {
	out, err := s.client.get(ctx, "count keys", from, s.options(clientv3.WithRange(to), clientv3.WithLimit(1), clientv3.WithKeysOnly())...)
	if err != nil || len(out.Kvs) == 0 {
		return 0, "", err
	}
	return out.Count, string(out.Kvs[0].Key), nil
}

// cursor reads a band in pages.
type cursor struct {
	snapshot snapshot
	from, to string
	page     []*mvccpb.KeyValue
	done     bool // the page is the last one
}

// peek returns the next pair, nil at the end.
func (c *cursor) peek(ctx context.Context) (*mvccpb.KeyValue, error) {
	for len(c.page) == 0 {
		if c.done {
			return nil, nil
		}
		if err := c.fetch(ctx); err != nil {
			return nil, err
		}
	}
	return c.page[0], nil
}

// step goes behind the pair that peek returned.
func (c *cursor) step() { c.page = c.page[1:] }

func (c *cursor) fetch(ctx context.Context) error {
	s := c.snapshot
	resource := parseKey(c.from).kind()
	out, err := s.client.get(ctx, "read keys", c.from, s.options(clientv3.WithRange(c.to), clientv3.WithLimit(s.sizes.next(resource)))...)
	if err != nil {
		return err
	}
	c.page, c.done = out.Kvs, !out.More
	if n := len(out.Kvs); n > 0 {
		var bytes int64
		for _, kv := range out.Kvs {
			bytes += int64(len(kv.Key) + len(kv.Value))
		}
		last := string(out.Kvs[n-1].Key)
		s.sizes.learn(parseKey(last).kind(), int64(n), bytes)
		c.from = last + "\x00"
	}
	return nil
}

// pairs reads some keys by name; what isn't there is missing in the result.
func (s snapshot) pairs(ctx context.Context, keys []string) (map[string]*mvccpb.KeyValue, error) {
	out := make(map[string]*mvccpb.KeyValue, len(keys))
	for len(keys) > 0 {
		n := min(batch, len(keys))
		ops := make([]clientv3.Op, n)
		for i, key := range keys[:n] {
			ops[i] = clientv3.OpGet(key, s.options()...)
		}
		keys = keys[n:]
		answer, err := s.client.txn(ctx, "read keys", ops)
		if err != nil {
			return nil, err
		}
		for _, r := range answer.Responses {
			for _, kv := range r.GetResponseRange().GetKvs() {
				out[string(kv.Key)] = kv
			}
		}
	}
	return out, nil
}
