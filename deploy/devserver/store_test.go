package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func newDB(t *testing.T) settings {
	t.Helper()
	s := settings{DB: filepath.Join(t.TempDir(), "temporal.db")}
	db, err := openStore(s)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	return s
}

func TestStoreRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, s *settings)
		want  string
	}{
		"another schema": {
			func(t *testing.T, s *settings) {
				restamp(t, s, `{"schema":"0.10","visibilitySchema":"0.1","server":"1.29.0"}`)
			},
			"cannot migrate",
		},
		"another server": {
			func(t *testing.T, s *settings) {
				restamp(t, s, `{"schema":"0.11","visibilitySchema":"0.1","server":"1.31.9"}`)
			},
			"--upgrade",
		},
		"a broken stamp": {
			func(t *testing.T, s *settings) { restamp(t, s, `{`) },
			"version stamp",
		},
		"no stamp": {
			func(t *testing.T, s *settings) {
				if err := os.Remove(s.DB + ".version"); err != nil {
					t.Fatal(err)
				}
			},
			"no readable version stamp",
		},
		"a file in use": {
			func(t *testing.T, s *settings) {
				db, err := openStore(*s)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(db.Close)
			},
			"in use by another devserver",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newDB(t)
			test.spoil(t, &s)
			_, err := openStore(s)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func restamp(t *testing.T, s *settings, text string) {
	t.Helper()
	if err := os.WriteFile(s.DB+".version", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestUpgradeRestamps(t *testing.T) {
	s := newDB(t)
	restamp(t, &s, `{"schema":"0.11","visibilitySchema":"0.1","server":"1.31.9"}`)
	for _, upgrade := range []bool{true, false} { // the second start needs no flag any more
		s.Upgrade = upgrade
		db, err := openStore(s)
		if err != nil {
			t.Fatal(err)
		}
		db.Close()
	}
}

func TestInterruptedCreationIsRepeated(t *testing.T) {
	s := settings{DB: filepath.Join(t.TempDir(), "temporal.db")}
	if err := os.WriteFile(s.DB+".new", []byte("half a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := openStore(s)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	if _, err := os.Stat(s.DB + ".new"); !os.IsNotExist(err) {
		t.Fatalf("the left-over is still there: %v", err)
	}
}
