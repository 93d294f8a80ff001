package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
)

// report is what a whole run found.
type report struct {
	Machine string    `json:"machine"`
	Noisy   int       `json:"noisyRounds"` // rounds that count though others used the machine
	Rows    []*row    `json:"rows"`
	Goals   []verdict `json:"goals"`
}

// row sums up one entrant's samples; times in seconds.
type row struct {
	Contest string   `json:"contest"`
	Name    string   `json:"name"`
	Median  float64  `json:"median"`
	Min     float64  `json:"min"`
	Max     float64  `json:"max"`
	Client  float64  `json:"clientCPU"`
	Server  float64  `json:"serverCPU"`
	Foreign float64  `json:"foreign"`
	Bytes   int64    `json:"bytes"` // the most of any run
	Samples []sample `json:"samples"`

	Peaks map[string]float64 `json:"peaks,omitempty"` // the most of any run
}

type verdict struct {
	ID    string  `json:"id"`
	Text  string  `json:"text"`
	Value float64 `json:"value"`
	Bound float64 `json:"bound"`
	Met   bool    `json:"met"`
}

func summarize(contest, name string, samples []sample) *row {
	r := &row{Contest: contest, Name: name, Samples: samples}
	of := func(f func(sample) float64) []float64 {
		var out []float64
		for _, s := range samples {
			out = append(out, f(s))
		}
		slices.Sort(out)
		return out
	}
	walls := of(func(s sample) float64 { return s.Wall })
	r.Median, r.Min, r.Max = median(walls), walls[0], walls[len(walls)-1]
	r.Client = median(of(func(s sample) float64 { return s.Client }))
	r.Server = median(of(func(s sample) float64 { return s.Server }))
	r.Foreign = median(of(func(s sample) float64 { return s.Foreign }))
	for _, s := range samples {
		r.Bytes = max(r.Bytes, s.Bytes)
		for name, value := range s.Peaks {
			if r.Peaks == nil {
				r.Peaks = map[string]float64{}
			}
			r.Peaks[name] = max(r.Peaks[name], value)
		}
	}
	return r
}

func median(sorted []float64) float64 {
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func printRows(entrants []entrant, rows map[string]*row) {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\tmedian s\tmin\tmax\truns\tclient CPU s\tserver CPU s\tothers' CPU")
	for _, e := range entrants {
		r := rows[e.name]
		fmt.Fprintf(w, "  %s\t%.3f\t%.3f\t%.3f\t%d\t%.2f\t%.2f\t%.0f %%\n", r.Name, r.Median, r.Min, r.Max, len(r.Samples), r.Client, r.Server, 100*r.Foreign)
	}
	_ = w.Flush() // to the terminal
	for _, e := range entrants {
		for _, name := range slices.Sorted(maps.Keys(rows[e.name].Peaks)) {
			fmt.Printf("    %s: %s up to %.0f\n", e.name, name, rows[e.name].Peaks[name])
		}
	}
}

func (rep *report) judge(g goal, value float64) {
	v := verdict{ID: g.ID, Text: g.Text, Value: value, Bound: g.Bound, Met: value >= g.Bound}
	if g.Most {
		v.Met = value <= g.Bound
	}
	rep.Goals = append(rep.Goals, v)
}

// summary prints the verdicts and reports whether all goals are met.
func (rep *report) summary(to io.Writer) bool {
	met := true
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\ngoal\tmeasured\tbound\t")
	for _, v := range rep.Goals {
		word := "met"
		if !v.Met {
			word, met = "MISSED", false
		}
		fmt.Fprintf(w, "%s %s\t%.3g\t%.3g\t%s\n", v.ID, v.Text, v.Value, v.Bound, word)
	}
	_ = w.Flush() // to the terminal
	if rep.Noisy > 0 {
		fmt.Fprintf(to, "%d rounds count although others used over %.0f %% of the machine meanwhile.\n", rep.Noisy, 100*tooBusy)
	}
	return met
}

// machine describes where this runs.
func machine() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // missing: then the model is unknown
	model := "unknown CPU"
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			model = strings.TrimSpace(value)
			break
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%s, %d CPUs, Linux %s, %s", model, runtime.NumCPU(), strings.TrimSpace(string(kernel)), runtime.Version())
}
