package ssh

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"sync"
)

// frame picks the script's own output out of a stream: noise, begin mark,
// output, end mark. It is written by one goroutine; detach may come from another.
type frame struct {
	begin, end []byte
	buf        []byte
	began      bool
	ended      bool
	exitCode   int
	noise      Tail // what came before the begin mark

	mu    sync.Mutex
	out   io.Writer // nil after detach
	group int       // process group of the script on the node; 0 = not known yet
}

func newFrame(mark string, out io.Writer) *frame {
	return &frame{
		begin: []byte("\x1e" + mark + " "), end: []byte("\x1e" + mark + "."),
		noise: Tail{Limit: maxQuoted}, out: out,
	}
}

// detach stops the output; after it returns nothing more is written.
func (f *frame) detach() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.out = nil
}

func (f *frame) setGroup(value string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.group, _ = strconv.Atoi(value)
}

func (f *frame) groupNow() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.group
}

func (f *frame) emit(p []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.out == nil || len(p) == 0 {
		return nil
	}
	_, err := f.out.Write(p)
	return err
}

// consume reads until the end mark or the end of the stream. A nil error says
// nothing about completeness: look at began and ended.
func (f *frame) consume(r io.Reader) error {
	chunk := make([]byte, 32<<10)
	for !f.ended {
		n, err := r.Read(chunk)
		if werr := f.feed(chunk[:n]); werr != nil {
			return werr
		}
		if err != nil {
			if f.began {
				return f.emit(f.buf) // it was no mark after all
			}
			_, _ = f.noise.Write(f.buf)
			return nil
		}
	}
	return nil
}

func (f *frame) feed(p []byte) error {
	f.buf = append(f.buf, p...)
	if !f.began {
		value, ok := f.cut(f.begin, func(b []byte) error { _, err := f.noise.Write(b); return err })
		if !ok {
			return nil
		}
		f.began = true
		f.setGroup(value)
	}
	var failed error
	value, ok := f.cut(f.end, func(b []byte) error { failed = f.emit(b); return failed })
	if ok && failed == nil {
		f.ended = true
		f.exitCode, failed = strconv.Atoi(value)
	}
	return failed
}

// cut hands everything before the mark to pass and drops the mark's line,
// whose value it returns. Without a complete mark it keeps what may become one.
func (f *frame) cut(mark []byte, pass func([]byte) error) (value string, ok bool) {
	at := bytes.Index(f.buf, mark)
	if at < 0 {
		at = len(f.buf)
		if cut := bytes.LastIndexByte(f.buf, mark[0]); cut >= 0 && bytes.HasPrefix(mark, f.buf[cut:]) {
			at = cut
		}
		err := pass(f.buf[:at])
		f.buf = append(f.buf[:0], f.buf[at:]...)
		return "", err != nil
	}
	newline := bytes.IndexByte(f.buf[at:], '\n')
	if newline < 0 {
		return "", false
	}
	if err := pass(f.buf[:at]); err != nil {
		return "", true
	}
	value = string(f.buf[at+len(mark) : at+newline])
	f.buf = append(f.buf[:0], f.buf[at+newline+1:]...)
	return strings.TrimSpace(value), true
}
