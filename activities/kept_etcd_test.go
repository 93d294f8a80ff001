package activities

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/ssh/sshtest"
)

// A client of etcd is closed once, by its last user, and none is given away that
// failed, is out of date or has lost its connection.
func TestKeptEtcds(t *testing.T) {
	server := sshtest.Start(t)
	conn := server.Dial(t)
	now := time.Now()
	for name, end := range map[string]func(k *keptEtcds, mine *keptEtcd){
		"it failed": func(k *keptEtcds, mine *keptEtcd) { k.release(mine, true) },
		"it failed while another uses it": func(k *keptEtcds, mine *keptEtcd) {
			other := k.get(conn, now)
			k.release(mine, true)
			defer k.release(other, false)
		},
		"it is out of date": func(k *keptEtcds, mine *keptEtcd) {
			k.release(mine, false)
			assert.Nil(t, k.get(conn, now.Add(keptFor)))
		},
		"it gets out of date in use": func(k *keptEtcds, mine *keptEtcd) {
			assert.Nil(t, k.get(conn, now.Add(keptFor)))
			defer k.release(mine, false)
		},
		"another proof was as fast": func(k *keptEtcds, mine *keptEtcd) {
			other := k.put(conn, nil, func() {}, now)
			defer k.release(other, true)
			defer k.release(mine, false)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var k keptEtcds
			closed := 0
			mine := k.put(conn, nil, func() { closed++ }, now)
			again := k.get(conn, now.Add(keptFor-time.Second))
			require.Same(t, mine, again)
			k.release(again, false)
			assert.Zero(t, closed)
			end(&k, mine)
			assert.Equal(t, 1, closed)
			assert.Nil(t, k.get(conn, now))
		})
	}
}

func TestAKeptEtcdGoesWithItsConnection(t *testing.T) {
	conn := sshtest.Start(t).Dial(t)
	var k keptEtcds
	closed := 0
	k.release(k.put(conn, nil, func() { closed++ }, time.Now()), false)
	require.NoError(t, conn.Close())
	<-conn.Done()
	assert.Nil(t, k.get(conn, time.Now()))
	assert.Equal(t, 1, closed)
}
