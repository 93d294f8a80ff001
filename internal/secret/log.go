package secret

import (
	"io"
	"log/slog"
)

// NewLogger returns a logger that masks every known secret, in messages and in
// attributes. JSON for machines, text for people.
func NewLogger(w io.Writer, level slog.Level, json bool) *slog.Logger {
	opts := &slog.HandlerOptions{Level: level}
	if json {
		return slog.New(slog.NewJSONHandler(redactingWriter{w}, opts))
	}
	return slog.New(slog.NewTextHandler(redactingWriter{w}, opts))
}

// redactingWriter masks whole records: slog writes each with one call, so no
// secret can be cut in two.
type redactingWriter struct{ w io.Writer }

func (r redactingWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(r.w, Redact(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
