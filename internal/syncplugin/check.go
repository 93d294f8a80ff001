package syncplugin

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// CheckResult is what the plugin's /check says (DR-33). Its grammar is not
// published, so only an answer in which everything is understood may be clean.
type CheckResult struct {
	Understood  bool     `json:"understood"`
	Missed      int      `json:"missed"`                // keys on the primary that the standby lacks
	Surplus     int      `json:"surplus"`               // keys that only the standby has
	MissedKeys  []string `json:"missedKeys,omitempty"`  // the first of them
	SurplusKeys []string `json:"surplusKeys,omitempty"` // the first of them
	Reason      string   `json:"reason,omitempty"`      // why it is not understood
	Excerpt     string   `json:"excerpt,omitempty"`     // the start of an answer that is not understood
}

// Clean reports whether the plugin says that both sides have the same keys.
func (r CheckResult) Clean() bool { return r.Understood && r.Missed == 0 && r.Surplus == 0 }

// String tells the result in one line.
func (r CheckResult) String() string {
	if !r.Understood {
		return fmt.Sprintf("the answer is not understood, so not consistent: %s: %q", r.Reason, r.Excerpt)
	}
	return fmt.Sprintf("%d missed keys, %d surplus keys", r.Missed, r.Surplus)
}

// MaxCheck bounds an answer, in bytes; a longer one is not understood.
const MaxCheck = 4 << 20

const (
	sampleKeys = 20  // kept of each list
	maxExcerpt = 400 // bytes
)

// NotUnderstood is the result of an answer that says nothing about the keys.
func NotUnderstood(reason string, body []byte) CheckResult {
	return CheckResult{Reason: reason, Excerpt: excerpt(body)}
}

// ParseCheck reads an answer of /check. White space, upper or lower case, brackets,
// quotes and the form of a list (on one line, or a key a line) do not matter. An
// unknown text, a missing or repeated section, a count that is no number or that
// contradicts its list makes the whole answer not understood.
func ParseCheck(body []byte) CheckResult {
	missed, surplus, err := readSections(body)
	if err != nil {
		return NotUnderstood(err.Error(), body)
	}
	return CheckResult{
		Understood: true,
		Missed:     missed.count, MissedKeys: missed.sample(),
		Surplus: surplus.count, SurplusKeys: surplus.sample(),
	}
}

// section is one of the two lists while it is read.
type section struct {
	seen    bool
	counted bool // it has a number
	listed  bool // it has a list, perhaps an empty one
	count   int
	keys    []string
	more    int // keys that the answer says it left out

	bracket rune // that closes the list, while it is open
	closed  bool // the list had brackets and is over
}

func (s *section) sample() []string { return slices.Clone(s.keys[:min(len(s.keys), sampleKeys)]) }

var (
	heading  = regexp.MustCompile(`(?i)\blocal\s+etcd\s+(missed|surplus)\s+keys\b\s*[:=]?`)
	number   = regexp.MustCompile(`^\s*(\d+|\[\s*\d+\s*\]|\(\s*\d+\s*\))(?:$|[\s:,\[(])`)
	leftOut  = regexp.MustCompile(`(?i)^(?:…|\.\.\.)?\s*and\s+(\d+)\s+more\s*(?:…|\.\.\.)?$`)
	listItem = regexp.MustCompile(`^(?:[-*•]\s+|\d+[.)]\s+)`)
	key      = regexp.MustCompile(`^/[^\s"'\x60\[\](),;\x00-\x1f\x7f]+$`)
)

// readSections cuts the answer at the headings and reads what stands behind each.
func readSections(body []byte) (missed, surplus section, err error) {
	if len(body) > MaxCheck {
		return missed, surplus, errors.New("it is longer than any answer")
	}
	if !utf8.Valid(body) {
		return missed, surplus, errors.New("it is no text")
	}
	text := string(body)
	heads := heading.FindAllStringSubmatchIndex(text, -1)
	if len(heads) == 0 || strings.TrimSpace(text[:heads[0][0]]) != "" {
		return missed, surplus, errors.New("it does not begin with a section")
	}
	for i, h := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		name, s := strings.ToLower(text[h[2]:h[3]]), &missed
		if name == "surplus" {
			s = &surplus
		}
		if s.seen {
			return missed, surplus, fmt.Errorf("it has two sections of %s keys", name)
		}
		if err := s.read(text[h[1]:end]); err != nil {
			return missed, surplus, fmt.Errorf("in its section of %s keys %w", name, err)
		}
	}
	if !missed.seen || !surplus.seen {
		return missed, surplus, errors.New("it lacks a section")
	}
	return missed, surplus, nil
}

// read takes what stands behind a heading: a count, a list, or both.
func (s *section) read(text string) error {
	s.seen = true
	if m := number.FindStringSubmatchIndex(text); m != nil {
		n, err := strconv.Atoi(strings.Trim(text[m[2]:m[3]], "[]() \t\r\n"))
		if err != nil {
			return errors.New("the count is too large")
		}
		s.counted, s.count = true, n
		text = strings.TrimLeft(strings.TrimSpace(text[m[3]:]), ":,")
	}
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := s.readLine(line); err != nil {
			return err
		}
	}
	return s.judge()
}

// readLine takes keys from a line: one, or several with blanks or commas between.
func (s *section) readLine(line string) error {
	if m := leftOut.FindStringSubmatch(line); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil || s.more > 0 || n == 0 {
			return errors.New("what was left out is not clear")
		}
		s.more = n
		return nil
	}
	word := ""
	for _, r := range listItem.ReplaceAllString(line, "") + " " {
		if !strings.ContainsRune(" \t,;[]()", r) {
			word += string(r)
			continue
		}
		if err := s.add(word); err != nil {
			return err
		}
		if word = ""; !s.separate(r) {
			return errors.New("the brackets do not match")
		}
	}
	return nil
}

// separate takes a character between words; a bracket must open or close the list.
func (s *section) separate(r rune) bool {
	switch r {
	case '[', '(':
		if s.bracket != 0 || s.closed || len(s.keys) > 0 {
			return false
		}
		s.listed, s.bracket = true, map[rune]rune{'[': ']', '(': ')'}[r]
	case ']', ')':
		if s.bracket != r {
			return false
		}
		s.bracket, s.closed = 0, true
	}
	return true
}

func (s *section) add(word string) error {
	if word == "" {
		return nil
	}
	word = unquote(word)
	if !key.MatchString(word) {
		return errors.New("there is a text that is neither a count nor a key")
	}
	if s.closed || s.more > 0 {
		return errors.New("a key follows the end of the list")
	}
	s.listed = true
	s.keys = append(s.keys, word)
	return nil
}

func unquote(w string) string {
	for _, q := range []string{`"`, `'`, "`"} {
		if len(w) >= 2 && strings.HasPrefix(w, q) && strings.HasSuffix(w, q) {
			return w[1 : len(w)-1]
		}
	}
	return w
}

// judge makes one number of the count and the list.
func (s *section) judge() error {
	listed := len(s.keys) + s.more
	switch {
	case s.bracket != 0:
		return errors.New("the list does not end")
	case !s.counted && !s.listed:
		return errors.New("there is neither a count nor a list")
	case !s.counted:
		s.count = listed
	case (s.listed || s.more > 0) && listed != s.count:
		return fmt.Errorf("the count is %d and the list has %d", s.count, listed)
	}
	return nil
}

// excerpt is the start of an answer, printable and on one line.
func excerpt(body []byte) string {
	text := strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(string(body[:min(len(body), maxExcerpt)]), "?"))
	text = strings.Join(strings.Fields(text), " ")
	if len(body) > maxExcerpt {
		text += " …"
	}
	return text
}
