package checks

import (
	_ "embed"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

//go:embed collect.sh
var collector string

// Collector returns the bash script that prints a node's facts on stdout. Run
// it once per node, as root, over stdin. It changes nothing on the node.
func Collector() string { return collector }

// maxValue is the most of one value that is kept, in bytes; collect.sh sends
// one byte more of a longer one.
const maxValue = 64 << 10

// Exit statuses with a meaning of their own.
const (
	statusAbsent   = 66 // collect.sh: no such file
	statusTimedOut = 124
	statusBroken   = 125 // collect.sh: the value could not be encoded
	statusNoExec   = 126
	statusNotFound = 127
	statusKilled   = 137
)

// Facts are what one node said about itself, to be judged now or later.
type Facts struct {
	Machine        string    // uname -m, for example x86_64
	Sent, Received time.Time // by the caller: when the script was sent, and its output had come (CHK-28)

	values map[string]value
}

type value struct {
	text   string
	status int
}

// header is the first line of the collector's output; its number is that of the format.
const header = "acpflow-facts 2"

// ParseFacts reads the collector's output. What stands before the header or
// between the lines (a banner, say) is passed over, but no fact may be missing,
// double or malformed.
func ParseFacts(out []byte) (Facts, error) {
	var packed string
	begun, told := false, false
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSuffix(line, "\n")
		rest, facts := strings.CutPrefix(line, "facts ")
		switch {
		case line == header:
			if begun {
				return Facts{}, errors.New("node facts: two headers")
			}
			begun = true
		case !begun:
		case facts:
			if told {
				return Facts{}, errors.New("node facts: they came twice")
			}
			packed, told = rest, true
		case strings.HasPrefix(line, "end "):
			return unpackFacts(packed, line)
		}
	}
	if !begun {
		return Facts{}, errors.New("node facts: the output has no header: did the script run in bash?")
	}
	return Facts{}, errors.New("node facts: the output ends early")
}

func unpackFacts(packed, end string) (Facts, error) {
	raw, err := base64.StdEncoding.DecodeString(packed)
	if err != nil {
		return Facts{}, fmt.Errorf("node facts: %w", err)
	}
	f := Facts{values: map[string]value{}}
	for rest := string(raw); rest != ""; {
		if rest, err = f.add(rest); err != nil {
			return Facts{}, err
		}
	}
	if end != "end "+strconv.Itoa(len(f.values)) {
		return Facts{}, fmt.Errorf("node facts: %d facts came, the node says %s", len(f.values), clip(end))
	}
	machine, err := f.line("machine")
	f.Machine = machine
	return f, err
}

// add takes one fact off the front: "NAME STATUS LENGTH\n", the value, "\n".
func (f *Facts) add(text string) (rest string, err error) {
	head, rest, ok := strings.Cut(text, "\n")
	fields := strings.Split(head, " ")
	if !ok || len(fields) != 3 {
		return "", fmt.Errorf("node facts: malformed fact %s", clip(head))
	}
	name := fields[0]
	status, err1 := strconv.Atoi(fields[1])
	length, err2 := strconv.Atoi(fields[2])
	if err1 != nil || err2 != nil {
		return "", fmt.Errorf("node facts: malformed fact %s", clip(head))
	}
	if length < 0 || length >= len(rest) || rest[length] != '\n' {
		return "", fmt.Errorf("node facts: %s: the value is not %d bytes long", clip(name), length)
	}
	if _, double := f.values[name]; double {
		return "", fmt.Errorf("node facts: %s came twice", clip(name))
	}
	f.values[name] = value{rest[:length], status}
	return rest[length+1:], nil
}

// Value returns what the node said under a name of collect.sh; exists is false
// when there is no such file. Its error says why it is not known.
func (f Facts) Value(name string) (text string, exists bool, err error) { return f.file(name) }

// text returns a value as it came, or why it is not known.
func (f Facts) text(name string) (string, error) {
	text, exists, err := f.file(name)
	if err == nil && !exists {
		return "", fmt.Errorf("%s: there is no such file", name)
	}
	return text, err
}

// file returns a value that may rightly be absent.
func (f Facts) file(name string) (text string, exists bool, err error) {
	v, known := f.values[name]
	switch {
	case !known:
		return "", false, fmt.Errorf("%s: the collector did not report it", name)
	case len(v.text) > maxValue:
		return "", false, fmt.Errorf("%s: longer than %d KiB", name, maxValue>>10)
	}
	switch v.status {
	case 0:
		return v.text, true, nil
	case statusAbsent:
		return "", false, nil
	case statusTimedOut:
		return "", false, fmt.Errorf("%s: no answer within 10 s", name)
	case statusKilled: // timeout's last resort, too
		return "", false, fmt.Errorf("%s: killed: no answer within 10 s, or no memory", name)
	case statusBroken:
		return "", false, fmt.Errorf("%s: the node could not encode it", name)
	case statusNoExec, statusNotFound:
		return "", false, fmt.Errorf("%s: the command to read it is not installed", name)
	default:
		return "", false, fmt.Errorf("%s: reading it ended with status %d", name, v.status)
	}
}

// line returns a value that is one non-empty line.
func (f Facts) line(name string) (string, error) {
	text, err := f.text(name)
	if err != nil {
		return "", err
	}
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return "", fmt.Errorf("%s: expected one line, got %s", name, clip(text))
	}
	return text, nil
}

// words returns the fields of each non-empty line.
func (f Facts) words(name string) ([][]string, error) {
	text, err := f.text(name)
	return split(text), err
}

func split(text string) [][]string {
	var out [][]string
	for line := range strings.Lines(text) {
		if w := strings.Fields(line); len(w) > 0 {
			out = append(out, w)
		}
	}
	return out
}
