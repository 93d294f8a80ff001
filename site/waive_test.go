package site

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestWaiverFor(t *testing.T) {
	now := time.Date(2026, 11, 22, 23, 59, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		waiver Waiver
		want   bool
	}{
		"every node":   {Waiver{Rule: "EXE-04", Expires: "2026-12-01"}, true},
		"this node":    {Waiver{Rule: "EXE-04", Nodes: []string{"m1"}, Expires: "2026-12-01"}, true},
		"last day":     {Waiver{Rule: "EXE-04", Expires: "2026-11-22"}, true},
		"expired":      {Waiver{Rule: "EXE-04", Expires: "2026-11-21"}, false},
		"other node":   {Waiver{Rule: "EXE-04", Nodes: []string{"m2"}, Expires: "2026-12-01"}, false},
		"other rule":   {Waiver{Rule: "CHK-07", Expires: "2026-12-01"}, false},
		"unclear date": {Waiver{Rule: "EXE-04", Expires: "soon"}, false},
	} {
		_, ok := WaiverFor([]Waiver{c.waiver}, "EXE-04", "m1", now)
		assert.Equal(t, c.want, ok, name)
	}
}
