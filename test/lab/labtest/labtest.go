// Package labtest gives tests a lab of their own.
package labtest

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/acpflow/acpflow/test/lab"
)

// Up brings up a fresh lab for a test and removes it when the test ends.
// Tests that use the same name, in this process or in another one of this
// machine, wait for each other; what a killed test left is removed first.
func Up(t testing.TB, o lab.Options) *lab.Lab {
	t.Helper()
	Hold(t, o.Name)
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "lab")
	}
	if o.Log == nil {
		o.Log = t.Output()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Minute) // cold caches build Kubernetes
	defer cancel()
	Clean(t, o.Name)
	l, err := lab.Up(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Clean(t, o.Name) })
	return l
}

// Clean removes the lab of that name, if there is one.
func Clean(t testing.TB, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := lab.Down(ctx, name); err != nil {
		t.Errorf("remove lab %s: %v", name, err)
	}
}

// Hold keeps other tests away from the name until this test ends.
func Hold(t testing.TB, name string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(os.TempDir(), "acpflow-lab-"+name+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
}
