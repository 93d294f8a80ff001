package ssh_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
)

func logins(s *sshtest.Server) int { return strings.Count(s.Log(), "Accepted publickey") }

func TestPoolSharesOneConnection(t *testing.T) {
	s := sshtest.Start(t)
	pool := ssh.NewPool()
	defer pool.Close()
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			c, err := pool.Get(t.Context(), s.Target())
			if err == nil {
				_, err = c.Run(t.Context(), ssh.Command{Script: "true"})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 1, logins(s))
}

func TestPoolReplacesDeadConnections(t *testing.T) {
	s := sshtest.Start(t)
	p, err := sshtest.NewProxy(s.Addr, 0)
	require.NoError(t, err)
	defer p.Close()
	pool := ssh.NewPool()
	defer pool.Close()
	target := s.Target()
	target.Address = p.Addr
	first, err := pool.Get(t.Context(), target)
	require.NoError(t, err)
	p.Cut()
	<-first.Done()
	second, err := pool.Get(t.Context(), target)
	require.NoError(t, err)
	_, err = second.Run(t.Context(), ssh.Command{Script: "true"})
	require.NoError(t, err)
}

func TestPoolDoesNotReuseAcrossCredentials(t *testing.T) {
	s := sshtest.Start(t)
	pool := ssh.NewPool()
	defer pool.Close()
	target := s.Target()
	_, err := pool.Get(t.Context(), target)
	require.NoError(t, err)
	target.PrivateKey, target.Password = secret.Value{}, secret.NewValue([]byte("certainly wrong"))
	_, err = pool.Get(t.Context(), target)
	fails(t, err, fault.Auth)
	target = s.Target()
	target.HostKeys = sshtest.Start(t).HostKeys
	_, err = pool.Get(t.Context(), target)
	fails(t, err, fault.HostKey)
}

func TestPoolSharesTheJumpHost(t *testing.T) {
	bastion, a, b := sshtest.Start(t), sshtest.Start(t), sshtest.Start(t)
	pool := ssh.NewPool()
	defer pool.Close()
	jump := bastion.Target()
	for _, node := range []*sshtest.Server{a, b} {
		target := node.Target()
		target.Jump = &jump
		c, err := pool.Get(t.Context(), target)
		require.NoError(t, err)
		_, err = c.Run(t.Context(), ssh.Command{Script: "true"})
		require.NoError(t, err)
	}
	require.Equal(t, 1, logins(bastion))
}

func TestClosedPool(t *testing.T) {
	s := sshtest.Start(t)
	pool := ssh.NewPool()
	c, err := pool.Get(t.Context(), s.Target())
	require.NoError(t, err)
	pool.Close()
	<-c.Done()
	_, err = pool.Get(t.Context(), s.Target())
	require.ErrorIs(t, err, ssh.ErrPoolClosed)
}
