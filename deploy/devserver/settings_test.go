package main

import (
	"strings"
	"testing"
	"time"
)

func TestSettings(t *testing.T) {
	t.Setenv("DEVSERVER_UI_PORT", "9000")
	t.Setenv("DEVSERVER_NAMESPACE", "runs")
	s, err := parseSettings([]string{"--namespace", "dr", "--retention", "90d"})
	if err != nil {
		t.Fatal(err)
	}
	if s.UIPort != 9000 || s.Namespace != "dr" || s.Retention != 90*24*time.Hour || s.host != "127.0.0.1" || s.port != 7233 {
		t.Fatalf("got %+v", s)
	}
}

func TestSettingsRefused(t *testing.T) {
	for flags, want := range map[string]string{
		"--address localhost:1":  "must be an IP address",
		"--address 127.0.0.1":    "missing port",
		"--address 127.0.0.1:x":  "0 to 65535",
		"--ui-port 70000":        "0 to 65535",
		"--retention 1h":         "for a day at least",
		"--retention soon":       "invalid",
		"temporal.db":            "unexpected argument",
		"--db a.db another word": "unexpected argument",
	} {
		if _, err := parseSettings(strings.Fields(flags)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", flags, err, want)
		}
	}
}
