package etcd

import (
	"context"
	"errors"
	"io"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
)

// Snapshot is a stream of a member's whole database, as `etcdctl snapshot save`
// writes it: bbolt pages, and at the end the SHA-256 of all before. It holds every
// Secret of the cluster: never let it rest on the worker's disk.
type Snapshot struct {
	Size     int64  // bytes of the database; the stream is about as long, what was written in the last tenth of a second may add to it
	Revision int64  // that the database holds at least
	Version  string // of the member's etcd, "" before 3.6: whose etcdutl restores it

	client *Client
	ctx    context.Context //nolint:containedctx // a reader has no other way to know it
	from   io.ReadCloser
}

// Snapshot begins to read the database of this member. What the cluster had agreed
// on before the call is in it. Close it at the end. Errors, also those of Read: as
// Open's.
func (c *Client) Snapshot(ctx context.Context) (*Snapshot, error) {
	const op = "take a snapshot of etcd"
	at, err := c.Position(ctx) // the member answers once it has got so far itself
	if err != nil {
		return nil, err
	}
	bounded, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	status, err := pb.NewMaintenanceClient(c.kv.ActiveConnection()).Status(bounded, &pb.StatusRequest{})
	if err != nil {
		return nil, c.fault(ctx, op, err)
	}
	stream, err := c.kv.SnapshotWithVersion(ctx)
	if err != nil {
		return nil, c.fault(ctx, op, err)
	}
	return &Snapshot{Size: status.DbSize, Revision: at.Revision, Version: stream.Version, client: c, ctx: ctx, from: stream.Snapshot}, nil
}

// Read implements io.Reader.
func (s *Snapshot) Read(p []byte) (int, error) {
	n, err := s.from.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = s.client.fault(s.ctx, "take a snapshot of etcd", err)
	}
	return n, err
}

// Close ends the stream.
func (s *Snapshot) Close() { _ = s.from.Close() } // a pipe's end: never fails
