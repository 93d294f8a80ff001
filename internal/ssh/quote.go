package ssh

import "strings"

// Quote makes s one word for a POSIX shell, whatever it holds.
func Quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
