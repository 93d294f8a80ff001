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
}

// entrant is one way to do the job of a contest.
type entrant struct {
	name string
	run  func(context.Context) (sample, error)
}

// contest compares entrants that run in turn, in random order.
type contest struct {
	name     string
	runs     int
	entrants []entrant
	goals    []goal
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
	kept, noisy, spare := map[string][]sample{}, map[string][]sample{}, c.runs
	for round := 0; round < c.runs; round++ {
		samples, busiest, err := c.round(ctx)
		if err != nil {
			return err
		}
		into := kept
		if busiest > tooBusy && spare > 0 {
			spare--
			round--
			into = noisy
		} else if busiest > tooBusy {
			rep.Noisy++
		}
		for name, s := range samples {
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

// round runs every entrant once.
func (c contest) round(ctx context.Context) (map[string]sample, float64, error) {
	order := slices.Clone(c.entrants)
	rand.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	samples, busiest := map[string]sample{}, 0.0
	for _, e := range order {
		s, err := e.run(ctx)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", e.name, err)
		}
		samples[e.name] = s
		busiest = max(busiest, s.Foreign)
		select {
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		case <-time.After(200 * time.Millisecond): // sshd's children end
		}
	}
	return samples, busiest, nil
}

// faster is how many times the median of slow is that of quick.
func faster(quick, slow string) func(map[string]*row) float64 {
	return func(rows map[string]*row) float64 { return rows[slow].Median / rows[quick].Median }
}

// share is the median of part as a share of that of whole.
func share(part, whole string) func(map[string]*row) float64 {
	return func(rows map[string]*row) float64 { return rows[part].Median / rows[whole].Median }
}
