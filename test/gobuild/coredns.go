package gobuild

import (
	"context"
	"io"
	"path/filepath"
)

// CoreDNS builds the name server of the lab's clusters once into the cache and
// returns its path. Progress lines go to log; nil discards them.
func CoreDNS(ctx context.Context, log io.Writer) (string, error) {
	root, err := Root()
	if err != nil {
		return "", err
	}
	cache, err := CacheDir()
	if err != nil {
		return "", err
	}
	return Cached(ctx, Program{
		Name: "coredns", Dir: filepath.Join(root, "test", "lab", "coredns"), Cache: cache,
		Takes: "about a minute cold", Log: log,
		Flags: []string{"-tags=netgo,osusergo", "-ldflags=-s -w"}, // it runs on nodes with a C library of their own
	})
}
