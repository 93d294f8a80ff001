package site

import (
	"fmt"
	"strings"
)

// place is a position in the file, 1-based.
type place struct{ line, column int }

// places knows where each field of a parsed document stands, by path.
type places struct {
	file string
	at   map[string]place
}

// find returns the place of a path, or of the nearest thing around it when the
// field itself is not in the file (it is missing, or a default).
func (p *places) find(path string) place {
	if p == nil {
		return place{}
	}
	for {
		if at, ok := p.at[path]; ok {
			return at
		}
		cut := strings.LastIndexAny(path, ".[")
		if cut < 0 {
			return p.at[""]
		}
		path = path[:cut]
	}
}

func (p *places) name() string {
	if p == nil {
		return ""
	}
	return p.file
}

func child(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

func item(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
