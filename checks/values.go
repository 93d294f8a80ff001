package checks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// cut reports that a value was longer than what is kept.
func (f Facts) cut(name string) bool { return len(f.values[name].text) > maxValue }

// pathState is what lies at a path: absent, file, empty or full (directories).
type pathState struct {
	path, state string
	mount       bool // a mount point
}

const (
	absent = "absent"
	empty  = "empty"
)

func (f Facts) paths(name string) ([]pathState, error) {
	lines, err := f.words(name)
	if err != nil {
		return nil, err
	}
	var out []pathState
	for _, w := range lines {
		if len(w) < 2 || !slices.Contains([]string{absent, empty, "file", "full"}, w[1]) {
			return nil, fmt.Errorf("%s: not understood: %s", name, clip(strings.Join(w, " ")))
		}
		out = append(out, pathState{w[0], w[1], len(w) > 2 && w[2] == "mount"})
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: empty", name)
	}
	return out, nil
}

// pairs reads lines of two words into a map that must hold all wanted keys.
func (f Facts) pairs(name string, wanted ...string) (map[string]string, error) {
	lines, err := f.words(name)
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(lines))
	for _, w := range lines {
		if len(w) != 2 {
			return nil, fmt.Errorf("%s: not understood: %s", name, clip(strings.Join(w, " ")))
		}
		out[w[0]] = w[1]
	}
	for _, key := range wanted {
		if _, ok := out[key]; !ok {
			return nil, fmt.Errorf("%s: says nothing about %s", name, key)
		}
	}
	return out, nil
}

// settings reads NAME=value lines as shells write them, quoted or not.
func settings(text string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(name, "#") {
			out[strings.TrimSpace(name)] = strings.Trim(strings.TrimSpace(value), `"'`)
		}
	}
	return out
}

// unit is the state of a systemd unit, in systemd's words.
type unit struct{ load, active, file string }

// runs reports whether the unit is at work, starts whether it will be after a boot.
func (u unit) runs() bool {
	return slices.Contains([]string{"active", "activating", "reloading"}, u.active)
}
func (u unit) starts() bool { return strings.HasPrefix(u.file, "enabled") }

// units returns the named services; all must be known to systemd or told to be
// no unit of this node.
func (f Facts) units(names ...string) (map[string]unit, error) {
	text, err := f.text("units")
	if err != nil {
		return nil, err
	}
	out := map[string]unit{}
	for block := range strings.SplitSeq(text, "\n\n") {
		set := settings(block)
		out[strings.TrimSuffix(set["Id"], ".service")] = unit{set["LoadState"], set["ActiveState"], set["UnitFileState"]}
	}
	for _, n := range names {
		if u := out[n]; u.load == "" || u.active == "" {
			return nil, fmt.Errorf("units: systemctl says nothing about %s", n)
		}
	}
	return out, nil
}

// several joins what was found, for a person: the first few and a count.
func several(found []string) string {
	const most = 5
	if len(found) <= most {
		return strings.Join(found, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(found[:most], ", "), len(found)-most)
}

// clip makes a node's text safe and short enough for a message.
func clip(s string) string {
	const most = 120
	quote := strconv.QuoteToASCII(s)
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "…"
	}
	if quote == `"`+s+`"` && s != "" {
		return s
	}
	return quote
}
