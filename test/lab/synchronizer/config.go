package synchronizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// settings are the plugin's parameters as a Pod was started with them.
type settings struct {
	ActiveVIP   string    `json:"activeGlobalClusterVIP"`
	Active      endpoints `json:"activeETCDEndpoints"`
	Standby     endpoints `json:"standbyETCDEndpoints"`
	TokenSecret string    `json:"activeClusterTokenSecret"`
	CheckEvery  interval  `json:"dataCheckInterval"`
	SyncEvery   interval  `json:"syncInterval"`
	Detailed    bool      `json:"printDetailLogs"`
}

func readSettings(text string) (settings, error) {
	var s settings
	if text == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("parameters: %w", err)
	}
	return s, nil
}

// every is how often the synchronizer compares by itself.
func (s settings) every() time.Duration {
	if d := max(time.Duration(s.CheckEvery), time.Duration(s.SyncEvery)); d > 0 {
		return max(d, time.Second)
	}
	return time.Minute
}

// endpoints are a list, or one text with commas.
type endpoints []string

// UnmarshalJSON takes both forms.
func (e *endpoints) UnmarshalJSON(data []byte) error {
	var list []string
	if json.Unmarshal(data, &list) != nil {
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return err
		}
		list = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
	}
	*e = nil
	for _, item := range list {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		if !strings.Contains(item, "://") {
			item = "https://" + item
		}
		*e = append(*e, item)
	}
	return nil
}

// interval is a text like 60s, or a number of seconds.
type interval time.Duration

// UnmarshalJSON takes both forms.
func (i *interval) UnmarshalJSON(data []byte) error {
	var seconds float64
	if json.Unmarshal(data, &seconds) == nil {
		*i = interval(seconds * float64(time.Second))
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text)
	*i = interval(d)
	return err
}
