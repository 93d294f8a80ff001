package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/acpflow/acpflow/test/gobuild"
	"github.com/acpflow/acpflow/test/lab/binaries"
)

// How the etcds of the comparison are filled, like those of a large platform.
const (
	valueSize = 256
	putAtOnce = 1000 // keys in one transaction
)

// folders are compared resources, built-in and custom ones.
var folders = []string{"configmaps", "secrets", "serviceaccounts", "rolebindings", "deployments",
	"platform.tkestack.io/machines", "auth.alauda.io/userbindings", "app.k8s.io/applications", "alauda.io/projects", "cluster.alauda.io/features"}

// etcds are the two etcds that are compared; index 0 is the primary.
type etcds struct {
	options
	tmp     string
	both    *exec.Cmd // parent of the two: its tree is the server side
	address [2]string
	client  [2]*clientv3.Client
	program string   // that makes the proof
	planted []string // keys that differ on purpose
	round   int
}

func newEtcds(ctx context.Context, o options) (e *etcds, err error) {
	bin, err := binaries.Directory(ctx, binaries.Options{Log: os.Stdout})
	if err != nil {
		return nil, err
	}
	e = &etcds{options: o}
	if e.tmp, err = os.MkdirTemp(o.dir, "acpflow-bench-etcd-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			e.close()
		}
	}()
	root, err := gobuild.Root()
	if err != nil {
		return nil, err
	}
	e.program = filepath.Join(e.tmp, "proof")
	build := gobuild.Program{Name: "proof", Dir: filepath.Join(root, "test", "bench", "proof"), Takes: "a few seconds", Log: os.Stdout}
	if err := gobuild.Compile(ctx, build, e.program); err != nil {
		return nil, err
	}
	if err := e.start(ctx, filepath.Join(bin, "etcd")); err != nil {
		return nil, err
	}
	began := time.Now()
	var group errgroup.Group
	for side := range e.client {
		group.Go(func() error { return e.fill(ctx, e.client[side]) })
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	fmt.Printf("two etcds with %d keys each, filled in %s\n", e.keys, time.Since(began).Round(time.Second))
	return e, e.plant(ctx)
}

// start runs both etcds below one shell, on tmpfs.
func (e *etcds) start(ctx context.Context, program string) error {
	script := ""
	for side := range e.address {
		var peer string
		for _, into := range []*string{&e.address[side], &peer} {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			*into = l.Addr().String()
			_ = l.Close() // only its number is wanted
		}
		script += fmt.Sprintf("%q --name=e --data-dir=%q --log-level=error --listen-client-urls=http://%s --advertise-client-urls=http://%s "+
			"--listen-peer-urls=http://%s --initial-advertise-peer-urls=http://%s --initial-cluster=e=http://%s --unsafe-no-fsync "+
			"--max-txn-ops=%d --max-request-bytes=%d --quota-backend-bytes=8589934592 &\n",
			program, filepath.Join(e.tmp, fmt.Sprint(side)), e.address[side], e.address[side], peer, peer, peer, 2*putAtOnce, 16<<20)
	}
	e.both = exec.Command("bash", "-c", script+"wait")
	e.both.Stderr = os.Stderr
	e.both.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := e.both.Start(); err != nil {
		return err
	}
	for side, address := range e.address {
		c, err := clientv3.New(clientv3.Config{Endpoints: []string{"http://" + address}, Logger: zap.NewNop(), DialTimeout: 10 * time.Second})
		if err != nil {
			return err
		}
		e.client[side] = c
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
			short, cancel := context.WithTimeout(ctx, time.Second)
			_, err = c.Get(short, "/")
			cancel()
			if err == nil {
				break
			}
			if time.Now().After(end) {
				return fmt.Errorf("etcd does not come up: %w", err)
			}
		}
	}
	return nil
}

func (e *etcds) close() {
	for _, c := range e.client {
		if c != nil {
			_ = c.Close() // the end
		}
	}
	if e.both != nil && e.both.Process != nil {
		_ = syscall.Kill(-e.both.Process.Pid, syscall.SIGKILL) // the group is this run's own
		_ = e.both.Wait()
	}
	_ = os.RemoveAll(e.tmp) // best effort
}

// key is the name of the n-th object: some 45 bytes, a hundred namespaces.
func (e *etcds) key(n int) string {
	per := max(1, e.keys/len(folders))
	folder, i := folders[min(n/per, len(folders)-1)], n%per
	return fmt.Sprintf("/registry/%s/project-%02d/object-%08d", folder, i*100/per, i)
}

// value is the same on both sides for the same name and round.
func value(key string, round int) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key)) // cannot fail
	r := rand.New(rand.NewPCG(h.Sum64(), uint64(round)))
	b := make([]byte, valueSize)
	for i := range b {
		b[i] = byte(' ' + r.IntN(95))
	}
	return string(b)
}

// fill writes all keys to one side.
func (e *etcds) fill(ctx context.Context, c *clientv3.Client) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for from := 0; from < e.keys; from += putAtOnce {
		group.Go(func() error {
			var keys []string
			for n := from; n < min(from+putAtOnce, e.keys); n++ {
				keys = append(keys, e.key(n))
			}
			return write(ctx, c, keys, 0)
		})
	}
	return group.Wait()
}

func write(ctx context.Context, c *clientv3.Client, keys []string, round int) error {
	ops := make([]clientv3.Op, len(keys))
	for i, k := range keys {
		ops[i] = clientv3.OpPut(k, value(k, round))
	}
	_, err := c.Txn(ctx).Then(ops...).Commit()
	return err
}

// plant makes the sides differ: seven keys each that are missing on the
// standby, only there, and changed there, spread over everything.
func (e *etcds) plant(ctx context.Context) error {
	const each = 7
	for i := range each {
		at := func(third int) string { return e.key((3*i + third) * e.keys / (3 * each)) }
		missing, surplus, changed := at(0), at(1)+"-surplus", at(2)
		e.planted = append(e.planted, missing, surplus, changed)
		gone, err := e.client[1].Delete(ctx, missing)
		if err != nil || gone.Deleted != 1 {
			return errors.Join(err, fmt.Errorf("%d keys %s deleted", gone.Deleted, missing))
		}
		if err := write(ctx, e.client[1], []string{surplus}, 0); err != nil {
			return err
		}
		if err := write(ctx, e.client[1], []string{changed}, -1); err != nil {
			return err
		}
	}
	return nil
}

// change rewrites n random keys on both sides, the last few of them on the
// primary only, and returns those.
func (e *etcds) change(ctx context.Context, n, stale int) ([]string, error) {
	e.round++
	seen := map[string]bool{}
	for len(seen) < n {
		k := e.key(rand.IntN(e.keys))
		seen[k] = true
	}
	for _, k := range e.planted { // they differ already
		delete(seen, k)
	}
	keys := make([]string, 0, len(seen))
	for k := range seen {
		keys = append(keys, k)
	}
	if err := write(ctx, e.client[0], keys, e.round); err != nil {
		return nil, err
	}
	return keys[len(keys)-stale:], write(ctx, e.client[1], keys[:len(keys)-stale], e.round)
}
