package activities

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/acpflow/acpflow/internal/secret"
)

const maxTail = 2 << 10 // bytes of command output kept as evidence

// tail is the redacted end of a command's output, cut at a line where possible.
func tail(s string) string {
	s = strings.ToValidUTF8(secret.Redact(strings.TrimSpace(s)), "?")
	if len(s) <= maxTail {
		return s
	}
	s = s[len(s)-maxTail:]
	if _, after, ok := strings.Cut(s, "\n"); ok {
		s = after
	}
	return "…\n" + s
}

func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// shellQuote makes s one word for a POSIX shell.
func shellQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// digest names a script in the evidence without showing it.
func digest(script string) string {
	sum := sha256.Sum256([]byte(script))
	return hex.EncodeToString(sum[:])
}

// seconds renders a duration for evidence, for example "12.3".
func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) }
