package fix

import (
	"bufio"
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

//go:embed fingerprint.sh
var fingerprint string

//go:embed survey.sh
var survey string

// Fingerprint is a bash function that names what lies at a path in one word.
func Fingerprint() string { return fingerprint }

// Surveyor returns the bash script that reads what Build needs; run it as root
// over stdin. It changes nothing.
func Surveyor() string { return fingerprint + survey }

// maxFile is the longest file that a fix edits, in bytes.
const maxFile = 256 << 10

// Survey is what the files and services of a node hold that repairs change.
type Survey struct {
	files  map[string]entry
	states map[string]string
	failed map[string]int
}

// entry is one path as surveyed.
type entry struct {
	real    string // where links lead
	print   string // fingerprint of the path itself
	content string
	long    bool
}

// ParseSurvey reads the output of Surveyor. Noise before the header is passed
// over; a survey that is cut or malformed is an error.
func ParseSurvey(out string) (Survey, error) {
	s := Survey{files: map[string]entry{}, states: map[string]string{}, failed: map[string]int{}}
	lines := bufio.NewScanner(strings.NewReader(out))
	lines.Buffer(nil, 4<<20)
	begun, count := false, 0
	for lines.Scan() {
		line := lines.Text()
		switch {
		case line == "acpflow-survey 1":
			begun = true
		case !begun:
		case strings.HasPrefix(line, "end "):
			if line != "end "+strconv.Itoa(count) {
				return s, fmt.Errorf("survey: %d values came, the node says %q", count, line)
			}
			return s, nil
		default:
			if err := s.add(line); err != nil {
				return s, err
			}
			count++
		}
	}
	if err := lines.Err(); err != nil {
		return s, fmt.Errorf("survey: %w", err)
	}
	return s, errors.New("survey: the output ends early, or bash did not run it")
}

func (s *Survey) add(line string) error {
	w := strings.Split(line, " ")
	switch {
	case w[0] == "file" && len(w) == 5:
		path, err1 := unbase64(w[1])
		real, err2 := unbase64(w[2])
		content, err3 := unbase64(w[4])
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		s.files[path] = entry{real: real, print: w[3], content: content, long: len(content) > maxFile}
		return nil
	case w[0] == "state" && len(w) == 4:
		status, err1 := strconv.Atoi(w[2])
		value, err2 := unbase64(w[3])
		if err := errors.Join(err1, err2); err != nil {
			return fmt.Errorf("survey: %w", err)
		}
		s.states[w[1]] = value
		if status != 0 {
			s.failed[w[1]] = status
		}
		return nil
	}
	return fmt.Errorf("survey: malformed line %.60q", line)
}

func unbase64(s string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "", fmt.Errorf("survey: %w", err)
	}
	return string(b), nil
}

// state returns what a command said, "" when it failed.
func (s Survey) state(name string) string {
	if s.failed[name] != 0 {
		return ""
	}
	return s.states[name]
}

// rows returns the words of each line of a state.
func (s Survey) rows(name string) [][]string {
	var out [][]string
	for line := range strings.Lines(s.state(name)) {
		if w := strings.Fields(line); len(w) > 0 {
			out = append(out, w)
		}
	}
	return out
}

// has reports whether a state has a line of just this word.
func (s Survey) has(name, word string) bool {
	for _, w := range s.rows(name) {
		if len(w) == 1 && w[0] == word {
			return true
		}
	}
	return false
}

// unit is a systemd service as surveyed.
type unit struct{ load, active, file string }

func (u unit) exists() bool { return u.load == "loaded" || u.load == "masked" }
func (u unit) runs() bool {
	return u.active == "active" || u.active == "activating" || u.active == "reloading"
}
func (u unit) starts() bool { return strings.HasPrefix(u.file, "enabled") }

func (s Survey) unit(name string) unit {
	for block := range strings.SplitSeq(s.state("units"), "\n\n") {
		set := map[string]string{}
		for line := range strings.Lines(block) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			set[key] = value
		}
		if set["Id"] == name+".service" {
			return unit{set["LoadState"], set["ActiveState"], set["UnitFileState"]}
		}
	}
	return unit{}
}

// Zone is the time zone /etc/localtime links to; empty when it is no such link.
func (s Survey) Zone() string {
	_, zone, _ := strings.Cut(s.files["/etc/localtime"].real, "/zoneinfo/")
	return zone
}
