package checks

import (
	"bufio"
	"bytes"
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

// ParseFacts reads the collector's output. What stands before the header or
// between the lines (a banner, say) is passed over, but no fact may be missing,
// double or malformed.
func ParseFacts(out []byte) (Facts, error) {
	f := Facts{values: map[string]value{}}
	begun := false
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 16<<20) // noise may have long lines
	for lines.Scan() {
		line := lines.Text()
		switch {
		case line == "acpflow-facts 1":
			if begun {
				return Facts{}, errors.New("node facts: two headers")
			}
			begun = true
		case !begun:
		case strings.HasPrefix(line, "fact "):
			if err := f.add(line); err != nil {
				return Facts{}, err
			}
		case strings.HasPrefix(line, "end "):
			if line != "end "+strconv.Itoa(len(f.values)) {
				return Facts{}, fmt.Errorf("node facts: %d facts came, the node says %s", len(f.values), clip(line))
			}
			machine, err := f.line("machine")
			f.Machine = machine
			return f, err
		}
	}
	if err := lines.Err(); err != nil {
		return Facts{}, fmt.Errorf("node facts: %w", err)
	}
	if !begun {
		return Facts{}, errors.New("node facts: the output has no header: did the script run in bash?")
	}
	return Facts{}, errors.New("node facts: the output ends early")
}

func (f *Facts) add(line string) error {
	fields := strings.Split(line, " ")
	if len(fields) != 4 {
		return fmt.Errorf("node facts: malformed line %s", clip(line))
	}
	name := fields[1]
	status, err := strconv.Atoi(fields[2])
	if err != nil {
		return fmt.Errorf("node facts: %s: malformed status %s", clip(name), clip(fields[2]))
	}
	text, err := base64.StdEncoding.DecodeString(fields[3])
	if err != nil {
		return fmt.Errorf("node facts: %s: %w", clip(name), err)
	}
	if _, double := f.values[name]; double {
		return fmt.Errorf("node facts: %s came twice", clip(name))
	}
	f.values[name] = value{string(text), status}
	return nil
}

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
