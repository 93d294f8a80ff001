package workflows

import "time"

// pace spaces the looks of waits whose every look is ten to thirty events of
// history: the server ends a run at 51,200 of them, undoing nothing. A wait has
// some 40 looks at most, however long it is; and the more looks its run has spent,
// the slower all later waits are, so that a hundred tries cost a few hundred looks.
type pace struct{ looks int }

const (
	looksInAWait  = 30          // at least a wait's 30th part lies between two looks, once it has begun
	longestPause  = time.Minute // but for that
	looksUnslowed = 30          // of a run; as many again double every pause
)

// next is the pause before another look, at least a second and at first the given
// one. A wait of limit has lasted for waited; its last look comes at its end.
func (p *pace) next(first, waited, limit time.Duration) time.Duration {
	slower := 1 + p.looks/looksUnslowed
	p.looks++
	pause := time.Duration(slower) * min(max(waited/2, first), max(longestPause, limit/looksInAWait))
	return max(min(pause, limit-waited), time.Second)
}
