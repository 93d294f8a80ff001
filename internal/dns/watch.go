package dns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
)

// How a change is confirmed: one right answer may come from one of several
// machines behind an address, so each server must give three in a row.
const (
	inARow     = 3
	roundEvery = 250 * time.Millisecond
	// sparedPatience is for a server that was silent before, in each round: who lives
	// answers at once, also when one packet is lost. All time-outs would keep users waiting.
	sparedPatience = udpTimeout + 500*time.Millisecond
)

// Watch knows which servers must answer what.
type Watch struct {
	Name          string
	Want          Records
	Gone          bool     // Want has no address: the name shall have none
	Authoritative []string // host[:port]; all must have the records, with a TTL not above the wanted
	Resolvers     []string // host[:port]; all must give the addresses
	// Spared are servers of both kinds that gave no answer when a failover began. Their
	// silence is no reason to wait; what they do answer must be right like every
	// other's, and one authoritative server must always be right.
	Spared []string
	// Ask is how a server is asked; nil = Ask, from the worker's own network.
	Ask func(ctx context.Context, server string) (Answer, error)
}

// Seen is what one server said. Err is set when it said nothing.
type Seen struct {
	Server   string
	Resolver bool
	Answer   Answer
	Err      error
}

// String is for people: "198.18.0.3 answers 198.18.0.10 (TTL 12)".
func (s Seen) String() string {
	if s.Err != nil {
		cause := s.Err
		if f, ok := errors.AsType[*fault.Error](s.Err); ok && f.Err != nil {
			cause = f.Err
		}
		return fmt.Sprintf("%s gives no answer (%s)", s.Server, strings.ReplaceAll(cause.Error(), "\n", "; "))
	}
	return s.Server + " answers " + s.Answer.String()
}

// Look asks every server once, all at the same time, authoritative ones first
// in the result.
func (w Watch) Look(ctx context.Context) []Seen {
	seen := make([]Seen, 0, len(w.Authoritative)+len(w.Resolvers))
	for _, s := range w.Authoritative {
		seen = append(seen, Seen{Server: Server(s)})
	}
	for _, s := range w.Resolvers {
		seen = append(seen, Seen{Server: Server(s), Resolver: true})
	}
	var wait sync.WaitGroup
	for i := range seen {
		wait.Go(func() { seen[i].Answer, seen[i].Err = w.ask(ctx, seen[i].Server) })
	}
	wait.Wait()
	return seen
}

func (w Watch) ask(ctx context.Context, server string) (Answer, error) {
	if w.spares(server) {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, sparedPatience)
		defer cancel()
	}
	if w.Ask == nil {
		return Ask(ctx, server, w.Name)
	}
	return w.Ask(ctx, server)
}

func (w Watch) spares(server string) bool {
	return slices.ContainsFunc(w.Spared, func(s string) bool { return Server(s) == Server(server) })
}

// Excused reports that a server was silent and may be. An answer that makes no
// sense is no silence.
func (w Watch) Excused(s Seen) bool { return fault.Is(s.Err, fault.Unreachable) && w.spares(s.Server) }

// Wrong says what is wrong with what a server said; "" when it is right.
func (w Watch) Wrong(s Seen) string {
	a := s.Answer
	switch {
	case s.Err != nil:
		return s.String()
	case w.Gone:
		return w.stillThere(s)
	case a.RCode != "NOERROR" || !w.Want.SameAddresses(a.A, a.AAAA):
		return s.String()
	case s.Resolver:
		return ""
	case a.Alias != "":
		return s.String()
	case !a.Authoritative:
		return s.String() + ", and is not authoritative for the zone"
	case a.TTL > w.Want.TTL:
		return fmt.Sprintf("%s, and the TTL may be %d at most", s, w.Want.TTL)
	}
	return ""
}

// stillThere says what a server still knows of a name that shall have no address.
func (w Watch) stillThere(s Seen) string {
	a := s.Answer
	switch {
	case len(a.A)+len(a.AAAA) > 0, a.Alias != "", a.RCode != "NOERROR" && a.RCode != "NXDOMAIN":
		return s.String()
	case !s.Resolver && !a.Authoritative:
		return s.String() + ", and is not authoritative for the zone"
	}
	return ""
}

// wanted is for people.
func (w Watch) wanted() string {
	if w.Gone {
		return "without an address"
	}
	return w.Want.String()
}

// Right reports whether every authoritative server is right (and every resolver,
// when they are asked for), but for those that are excused. One must be right.
func (w Watch) Right(seen []Seen, resolversToo bool) bool {
	sure := false
	for _, s := range seen {
		switch {
		case s.Resolver && !resolversToo:
		case w.Wrong(s) == "":
			sure = sure || !s.Resolver
		case !w.Excused(s):
			return false
		}
	}
	return sure
}

// Alias finds an authoritative server for which the name is an alias. A server
// ignores an update that adds addresses to one without a word (RFC 2136,
// section 3.4.2.2).
func Alias(seen []Seen) (Seen, bool) {
	for _, s := range seen {
		if !s.Resolver && s.Err == nil && s.Answer.Alias != "" {
			return s, true
		}
	}
	return Seen{}, false
}

// Memory is how long caches may go on giving what was seen: the longest TTL of
// the addresses, or of the statement that there are none.
func (w Watch) Memory(seen []Seen) time.Duration {
	longest := w.Want.TTL
	for _, s := range seen {
		longest = max(longest, s.Answer.TTL, s.Answer.NegativeTTL)
	}
	return time.Duration(longest) * time.Second
}

// Confirm waits until every server was right three times in a row, at most for
// the limit; one that is spared may be silent for as long as it has not answered
// here. say gets what is still wrong. It returns the last answers; its error is
// fault.Stalled and names each server that is not right.
func (w Watch) Confirm(ctx context.Context, limit time.Duration, say func(string)) ([]Seen, error) {
	if len(w.Authoritative) == 0 {
		return nil, fault.New(fault.BadInput, "confirm "+w.Name, "", "name the zone's servers in dr.dns.authoritative", errors.New("no authoritative server is known"))
	}
	start := time.Now()
	row := make(streaks, len(w.Authoritative)+len(w.Resolvers))
	for {
		seen := w.Look(ctx)
		if err := ctx.Err(); err != nil {
			return seen, fmt.Errorf("confirm %s: interrupted: %w", w.Name, context.Cause(ctx))
		}
		done, wrong := row.add(w, seen)
		if done {
			return seen, nil
		}
		if len(wrong) > 0 && time.Since(start) > limit {
			return seen, w.late(limit, wrong)
		}
		if len(wrong) > 0 && say != nil {
			say(fmt.Sprintf("%s shall be %s: %s", w.Name, w.wanted(), strings.Join(wrong, "; ")))
		}
		timer := time.NewTimer(roundEvery)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
		}
	}
}

// streaks count, for each server, the right answers in a row.
type streaks []struct {
	right int
	heard bool // it has answered, so its silence is no longer excused
}

// add takes one round: is every server right for long enough, and what is wrong?
func (row streaks) add(w Watch, seen []Seen) (done bool, wrong []string) {
	var excused []string
	done = true
	sure := false // an authoritative server is right
	for i, s := range seen {
		row[i].heard = row[i].heard || s.Err == nil
		why := w.Wrong(s)
		switch {
		case why == "":
			row[i].right++
			done = done && row[i].right >= inARow
			sure = sure || !s.Resolver
		case w.Excused(s) && !row[i].heard:
			excused = append(excused, why)
		default:
			row[i].right, done = 0, false
			wrong = append(wrong, why)
		}
	}
	if !sure { // nobody at all who could know says so
		return false, append(wrong, excused...)
	}
	return done, wrong
}

func (w Watch) late(limit time.Duration, wrong []string) error {
	op := fmt.Sprintf("point %s at %s", w.Name, w.Want)
	if w.Gone {
		op = "remove " + w.Name
	}
	return fault.New(fault.Stalled, op, "",
		"correct the named servers (a secondary copies the zone from its primary, a resolver may have a minimum TTL: flush it), then retry",
		fmt.Errorf("after %s: %s", limit.Round(time.Second), strings.Join(wrong, "; ")))
}
