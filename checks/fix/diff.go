package fix

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/pmezard/go-difflib/difflib"
)

// secretSetting is a setting whose value is nobody's business.
var secretSetting = regexp.MustCompile(`(?i)((?:pass(?:word|wd)?|secret|token|credential)s?\s*[=:]\s*)[^\s,]+`)

// Describe lists the fix's changes for a person: diffs of files, commands as
// they are. Values of settings that look secret are masked.
func (f Fix) Describe(s Survey) string {
	var b strings.Builder
	texts := map[string]string{}
	for _, c := range f.Changes {
		switch c.Kind {
		case File:
			old, known := texts[c.Path]
			if !known {
				old = s.text(c.Path)
			}
			b.WriteString(diff(c.Path, old, c.Content))
			texts[c.Path] = c.Content
		case Link:
			fmt.Fprintf(&b, "ln -sfn %s %s\n", c.Content, c.Path)
		case Aside:
			fmt.Fprintf(&b, "mv %s aside\n", c.Path)
		default:
			fmt.Fprintf(&b, "%s\n", c.Do)
		}
		if c.Then != "" {
			fmt.Fprintf(&b, "%s\n", c.Then)
		}
	}
	if f.Reboot {
		b.WriteString("systemctl reboot   # once per node, at the end\n")
	}
	return secretSetting.ReplaceAllString(b.String(), "${1}…")
}

// text is a surveyed file's content, also when it is known by the path a link leads to.
func (s Survey) text(path string) string {
	if e, known := s.files[path]; known {
		return e.content
	}
	for _, e := range s.files {
		if e.real == path {
			return e.content
		}
	}
	return ""
}

func diff(path, from, to string) string {
	text, err := difflib.GetUnifiedDiffString(difflib.UnifiedDiff{
		A: difflib.SplitLines(endLine(from)), B: difflib.SplitLines(endLine(to)), FromFile: path, ToFile: path, Context: 1,
	})
	if err != nil { // a strings.Builder takes everything
		return err.Error() + "\n"
	}
	return text
}
