package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/kube"
	"github.com/acpflow/acpflow/internal/ssh"
	"github.com/acpflow/acpflow/internal/ssh/sshtest"
)

// A client lives as long as its connection, and no longer than it may.
func TestKeptClients(t *testing.T) {
	server := sshtest.Start(t)
	one, two := server.Dial(t), server.Dial(t)
	now := time.Now()
	var k kept
	assert.Nil(t, keptOf(&k, one, now))
	a, b := kube.NewFromClients(nil, nil, "a"), kube.NewFromClients(nil, nil, "b")
	k.put(one, a, now)
	k.put(two, b, now)
	assert.Same(t, a, keptOf(&k, one, now))
	assert.Same(t, b, keptOf(&k, two, now.Add(keptFor-time.Second)))
	require.NoError(t, one.Close())
	<-one.Done()
	assert.Nil(t, keptOf(&k, one, now))
	assert.Len(t, k.clients, 1, "nothing is kept of a lost connection")
	assert.Nil(t, keptOf(&k, two, now.Add(keptFor)))
	k.put(two, b, now)
	k.drop(two)
	assert.Nil(t, keptOf(&k, two, now))
}

func keptOf(k *kept, conn *ssh.Client, now time.Time) *kube.Client {
	client, _ := k.get(conn, now)
	return client
}
