// Package gobuild compiles the project's slow programs once and keeps them in
// a cache, keyed by everything that shapes them. It reports progress: nobody
// should have to guess whether a terminal that is quiet for ten minutes lives.
package gobuild

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/acpflow/acpflow/internal/fault"
)

// silence is how long a build may print nothing.
const silence = 15 * time.Second

// Program is what to build.
type Program struct {
	Name  string    // of the file in the cache, and in messages
	Dir   string    // root of its Go module
	Cache string    // directory of the results
	Takes string    // what a person should expect, for example "about 14 minutes cold"
	Log   io.Writer // progress lines; nil discards them
	Flags []string  // further flags of go build
}

// Cached returns the path of the built program and compiles it when the cache
// has none of its sources and Go release. Concurrent callers build once; a
// killed build leaves nothing that looks like a program.
func Cached(ctx context.Context, p Program) (string, error) {
	if p.Log == nil {
		p.Log = io.Discard
	}
	if err := os.MkdirAll(p.Cache, 0o755); err != nil {
		return "", fault.New(fault.Internal, "create cache directory", p.Cache, "set ACPFLOW_CACHE to a folder you can write", err)
	}
	key, err := sourceKey(ctx, p.Dir)
	if err != nil {
		return "", err
	}
	path := filepath.Join(p.Cache, p.Name+"-"+key)
	unlock, err := lock(filepath.Join(p.Cache, p.Name+".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	unfinished := path + ".unfinished"
	if err := Compile(ctx, p, unfinished); err != nil {
		return "", err
	}
	if err := os.Rename(unfinished, path); err != nil {
		return "", fault.New(fault.Internal, "publish program", path, "", err)
	}
	return path, nil
}

// Compile builds the program to out, with a progress line every so often.
func Compile(ctx context.Context, p Program, out string) error {
	fmt.Fprintf(p.Log, "%s: building, %s, once per version\n", p.Name, p.Takes)
	build := exec.CommandContext(ctx, "go", append(append([]string{"build", "-v"}, p.Flags...), "-o", out, ".")...)
	build.Dir = p.Dir
	build.Cancel = func() error { return build.Process.Signal(os.Interrupt) }
	build.WaitDelay = 10 * time.Second
	pipe, err := build.StderrPipe()
	if err != nil {
		return fault.New(fault.Internal, "build "+p.Name, p.Dir, "", err)
	}
	start := time.Now()
	if err := build.Start(); err != nil {
		return fault.New(fault.Internal, "build "+p.Name, p.Dir, "install Go and put it in PATH", err)
	}
	messages := report(p, pipe, start)
	if err := build.Wait(); err != nil {
		return fault.New(fault.Internal, "build "+p.Name, p.Dir, "read the compiler's message",
			fmt.Errorf("%w: %s", err, bytes.TrimSpace(messages)))
	}
	fmt.Fprintf(p.Log, "%s: built in %s\n", p.Name, time.Since(start).Round(time.Second))
	return nil
}

// report turns `go build -v` (one package a line) into a line every so often
// and returns what is not a package path: the compiler's messages.
func report(p Program, out io.Reader, start time.Time) []byte {
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			lines <- scan.Text()
		}
	}()
	tick := time.NewTicker(silence)
	defer tick.Stop()
	var messages bytes.Buffer
	packages, last := 0, "linking"
	for {
		select {
		case line, open := <-lines:
			if !open {
				return messages.Bytes()
			}
			if strings.ContainsAny(line, " :#") {
				messages.WriteString(line + "\n")
				continue
			}
			packages, last = packages+1, line
		case <-tick.C:
			fmt.Fprintf(p.Log, "%s: %s, %d packages compiled, now %s\n", p.Name, time.Since(start).Round(time.Second), packages, last)
		}
	}
}

// sourceKey names a build by its inputs: Go release and target, module files,
// sources and embedded files; tests don't shape it.
func sourceKey(ctx context.Context, dir string) (string, error) {
	target, err := exec.CommandContext(ctx, "go", "env", "GOVERSION", "GOOS", "GOARCH").Output()
	if err != nil {
		return "", fault.New(fault.Internal, "ask Go for its version", "", "install Go and put it in PATH", err)
	}
	sum := sha256.New()
	sum.Write(target)
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(path, ".md") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		fmt.Fprintln(sum, strings.TrimPrefix(path, dir), len(data))
		_, err = sum.Write(data)
		return err
	})
	if err != nil {
		return "", fault.New(fault.Internal, "read the program's sources", dir, "", err)
	}
	return hex.EncodeToString(sum.Sum(nil))[:12], nil
}

// lock takes an exclusive lock that ends with the process.
func lock(path string) (func(), error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fault.New(fault.Internal, "open lock", path, "", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, fault.New(fault.Internal, "take lock", path, "", err)
	}
	return func() { _ = f.Close() }, nil
}
