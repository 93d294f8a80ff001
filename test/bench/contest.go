package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// sample is one measured run.
type sample struct {
	Wall    float64 `json:"wall"`    // seconds
	Client  float64 `json:"client"`  // CPU seconds of the client processes
	Server  float64 `json:"server"`  // CPU seconds of sshd and what it started
	Foreign float64 `json:"foreign"` // share of the machine that others used, 0…1
	Bytes   int64   `json:"bytes"`   // towards the server on the wire; 0 = not counted

	Peaks map[string]float64 `json:"peaks,omitempty"` // what else was counted, by name and unit
}

// entrant is one way to do the job of a contest.
type entrant struct {
	name string
	run  func(context.Context) (sample, error)
	slow bool     // too slow for every round: see contest.slowRuns
	only []string // goals it is needed for; empty = always
}

// contest compares entrants that run in turn, in random order.
type contest struct {
	name     string
	runs     int
	slowRuns int // rounds that slow entrants take part in
	entrants []entrant
	goals    []goal
}

// wanted reduces a contest to some goals and the entrants that these need. It
// reports whether any is left.
func (c contest) wanted(goals []string) (contest, bool) {
	c.goals = slices.DeleteFunc(slices.Clone(c.goals), func(g goal) bool { return !slices.Contains(goals, g.ID) })
	c.entrants = slices.DeleteFunc(slices.Clone(c.entrants), func(e entrant) bool {
		return len(e.only) > 0 && !slices.ContainsFunc(e.only, func(id string) bool { return slices.Contains(goals, id) })
	})
	return c, len(c.goals) > 0
}

// goal demands a bound of something the contest shows.
type goal struct {
	ID    string
	Text  string
	Bound float64
	Most  bool // the bound is the most that is allowed; otherwise the least
	Value func(map[string]*row) float64
}

// tooBusy is the share of the machine used by others that spoils a round; such
// a round is done again, as often as there are rounds.
const tooBusy = 0.25

func (c contest) run(ctx context.Context, rep *report) error {
	fmt.Printf("\n%s\n", c.name)
	kept, noisy, spare, slowRuns := map[string][]sample{}, map[string][]sample{}, c.runs, c.slowRuns
	for round := 0; round < c.runs; round++ {
		slow, quick, err := c.round(ctx, slowRuns > 0)
		if err != nil {
			return err
		}
		slowRuns--
		for name, s := range slow { // too dear to be done again
			kept[name] = append(kept[name], s)
		}
		into := kept
		if busiest(quick) > tooBusy && spare > 0 {
			spare--
			round--
			into = noisy
		}
		if busiest(slow) > tooBusy || busiest(quick) > tooBusy && spare == 0 {
			rep.Noisy++
		}
		for name, s := range quick {
			into[name] = append(into[name], s)
		}
	}
	// Not enough quiet rounds: then all of them count, more is better than fewer.
	rows := map[string]*row{}
	for _, e := range c.entrants {
		samples := kept[e.name]
		if spare == 0 {
			samples = append(samples, noisy[e.name]...)
		}
		rows[e.name] = summarize(c.name, e.name, samples)
		rep.Rows = append(rep.Rows, rows[e.name])
	}
	printRows(c.entrants, rows)
	for _, g := range c.goals {
		rep.judge(g, g.Value(rows))
	}
	return nil
}

// round runs every entrant once, the slow ones when told.
func (c contest) round(ctx context.Context, withSlow bool) (slow, quick map[string]sample, err error) {
	order := slices.Clone(c.entrants)
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	slow, quick = map[string]sample{}, map[string]sample{}
	for _, e := range order {
		into := quick
		if e.slow {
			into = slow
		}
		if e.slow && !withSlow {
			continue
		}
		s, err := e.run(ctx)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", e.name, err)
		}
		into[e.name] = s
		select {
		case <-ctx.Done():
			return nil, nil, ctx.Err()
		case <-time.After(200 * time.Millisecond): // sshd's children end
		}
	}
	return slow, quick, nil
}

// busiest is the most that others used of the machine.
func busiest(samples map[string]sample) float64 {
	most := 0.0
	for _, s := range samples {
		most = max(most, s.Foreign)
	}
	return most
}

// faster is how many times the median of slow is that of quick.
func faster(quick, slow string) func(map[string]*row) float64 {
	return func(rows map[string]*row) float64 { return rows[slow].Median / rows[quick].Median }
}

// share is the median of part as a share of that of whole.
func share(part, whole string) func(map[string]*row) float64 {
	return func(rows map[string]*row) float64 { return rows[part].Median / rows[whole].Median }
}
