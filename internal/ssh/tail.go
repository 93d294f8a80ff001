package ssh

// Tail is an io.Writer that keeps the last Limit bytes.
type Tail struct {
	Limit   int
	Dropped int64 // bytes that no longer fit
	buf     []byte
}

// Write implements io.Writer; it never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*t.Limit {
		t.trim()
	}
	return len(p), nil
}

func (t *Tail) trim() {
	if over := len(t.buf) - t.Limit; over > 0 {
		t.Dropped += int64(over)
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
}

// String returns what was kept.
func (t *Tail) String() string {
	t.trim()
	return string(t.buf)
}
