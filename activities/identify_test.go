package activities

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/site"
)

func sideLook(name, uid string, edit ...func(*identityLook)) identityLook {
	out := identityLook{cluster: &site.Cluster{Name: name, Endpoint: site.Endpoint{VIP: "192.0.2.1"}}, SideIdentity: SideIdentity{UID: uid, Reachable: true}}
	for _, f := range edit {
		f(&out)
	}
	return out
}

func lost(class fault.Class) func(*identityLook) {
	return func(l *identityLook) {
		l.err = fault.New(class, "connect", "node", "", errors.New("no route to host"))
		l.Reachable, l.Why, l.UID = false, l.err.Error(), ""
	}
}

func TestIdentityIsJudged(t *testing.T) {
	remembers := func(r PairRecord) func(*identityLook) { return func(l *identityLook) { l.Record = &r } }
	stranger := aRecord()
	stranger.PrimaryUID = "uid-of-before"
	for name, c := range map[string]struct {
		alone      bool
		west, east identityLook
		says       string // "" = fine
	}{
		"two sides":                        {west: sideLook("west", "uid-west"), east: sideLook("east", "uid-east", remembers(aRecord()))},
		"one cluster for both":             {west: sideLook("west", "uid-west"), east: sideLook("east", "uid-west"), says: "same cluster"},
		"primary lost in a switchover":     {west: sideLook("west", "", lost(fault.Unreachable)), east: sideLook("east", "uid-east"), says: "failover is for"},
		"primary lost in a failover":       {alone: true, west: sideLook("west", "", lost(fault.Unreachable)), east: sideLook("east", "uid-east")},
		"primary is sick":                  {alone: true, west: sideLook("west", "", lost(fault.Protocol)), east: sideLook("east", "uid-east")},
		"primary refuses the key":          {alone: true, west: sideLook("west", "", lost(fault.Auth)), east: sideLook("east", "uid-east"), says: "no route"},
		"standby lost":                     {alone: true, west: sideLook("west", "uid-west"), east: sideLook("east", "", lost(fault.Unreachable)), says: "can't become the primary"},
		"another cluster than remembered":  {west: sideLook("west", "uid-west"), east: sideLook("east", "uid-east", remembers(stranger)), says: "uid-of-before"},
		"the sides are mixed up":           {west: sideLook("west", "uid-east"), east: sideLook("east", "uid-west", remembers(aRecord())), says: "mixed up"},
		"remembered UID of a lost primary": {alone: true, west: sideLook("west", "", lost(fault.Unreachable)), east: sideLook("east", "uid-east", remembers(aRecord()))},
	} {
		t.Run(name, func(t *testing.T) {
			in := IdentifyInput{PairInput: PairInput{Primary: "west", Standby: "east"}, Alone: c.alone}
			err := in.judge([]identityLook{c.west, c.east})
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
			assert.True(t, fault.Is(err, fault.Gate))
		})
	}
}

func TestIdentityOfALostSideSaysNothing(t *testing.T) {
	in := IdentifyInput{PairInput: PairInput{Primary: "west", Standby: "east"}, Alone: true}
	half := sideLook("west", "", lost(fault.Unreachable))
	half.UID, half.Synchronizer = "uid-west", true // read before the connection was lost
	out := in.identity([]identityLook{half, sideLook("east", "uid-east")})
	assert.Equal(t, SideIdentity{Why: half.Why}, out.Sides["west"])
	assert.True(t, out.Sides["east"].Reachable)
	assert.Equal(t, "west can't be reached; east is uid-east, by its nodes and by its VIP 192.0.2.1", out.Summary)
}
