package fix

import "strings"

// quote makes s one word for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// eachLine replaces every line, without its newline, by what to gives.
func eachLine(text string, to func(line string) string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		bare, ended := strings.CutSuffix(line, "\n")
		b.WriteString(to(bare))
		if ended {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// endLine ends the last line, so that another may follow.
func endLine(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}
