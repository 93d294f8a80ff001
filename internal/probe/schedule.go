package probe

// maxFull is the largest number of nodes between which every pair's rate is
// measured; the time grows with it, and the bytes with its square.
const maxFull = 10

// pair is a sender and a receiver, by number.
type pair struct{ from, to int }

// transfers says which pairs measure their rate, round by round: within a
// round no node takes part twice. More than ten nodes form a ring, each sending
// to the next one.
func transfers(n int) (rounds [][]pair, sampled bool) {
	switch {
	case n < 2:
		return nil, false
	case n > maxFull:
		return ring(n), true
	}
	for _, round := range tournament(n) {
		back := make([]pair, len(round))
		for i, p := range round {
			back[i] = pair{p.to, p.from}
		}
		rounds = append(rounds, round, back)
	}
	return rounds, false
}

func ring(n int) [][]pair {
	rounds := make([][]pair, 2, 3)
	for i := range n {
		round := i % 2
		if i == n-1 && n%2 == 1 { // the last one meets nodes of both rounds
			round, rounds = 2, append(rounds, nil)
		}
		rounds[round] = append(rounds[round], pair{i, (i + 1) % n})
	}
	return rounds
}

// tournament is the circle method: everybody meets everybody once. With an odd
// number somebody rests in each round.
func tournament(n int) [][]pair {
	m := n + n%2
	circle := make([]int, m)
	for i := range circle {
		circle[i] = i
	}
	var rounds [][]pair
	for range m - 1 {
		var round []pair
		for i := range m / 2 {
			if a, b := circle[i], circle[m-1-i]; a < n && b < n {
				round = append(round, pair{a, b})
			}
		}
		rounds = append(rounds, round)
		last := circle[m-1]
		copy(circle[2:], circle[1:m-1])
		circle[1] = last
	}
	return rounds
}
