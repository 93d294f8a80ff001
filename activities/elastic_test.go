package activities

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/acpflow/acpflow/internal/fault"
)

func TestElasticRefuses(t *testing.T) {
	for output, exit := range map[string]int{
		"curl: (22) The requested URL returned error: 401":     22,
		"HTTP/1.1 401 Unauthorized":                            0,
		`{"error":{"type":"security_exception"},"status":401}`: 0,
		"got 401":                  1,
		`{"error":"Unauthorized"}`: 0,
		"< HTTP/2 401 ":            1,
		"ensure-asm-template.sh: Elasticsearch answers 401, the password of its Secret is not known yet": 1,
	} {
		assert.True(t, unauthorized(output, exit), output)
	}
	for output, exit := range map[string]int{
		"the index template is in place": 0,
		"401 documents":                  0, // a number of anything
		"port 14010":                     1,
		"curl: (7) Failed to connect":    7,
	} {
		assert.False(t, unauthorized(output, exit), output)
	}
}

// A log store that is starting is worth waiting for; a script that is wrong is not.
func TestElasticIsAway(t *testing.T) {
	for output, want := range map[string]bool{
		`Put "http://198.18.0.11:20580/_template/asm": dial tcp 198.18.0.11:20580: connect: connection refused`: true,
		"curl: (7) Failed to connect to es port 9200: Couldn't connect to server":                               true,
		"The requested URL returned error: 503":                                                                 true,
		"read tcp: connection reset by peer":                                                                    true,
		"line 12: jq: command not found":                                                                        false,
		"template version 5030 is wrong":                                                                        false,
	} {
		assert.Equal(t, want, away.MatchString(output), output)
	}
}

func TestLoginsAreMasked(t *testing.T) {
	for in, want := range map[string]string{
		"+ curl -u elastic:S3cret https://es:9200/_template": "+ curl -u *** https://es:9200/_template",
		"+ curl --user=elastic:S3cret x":                     "+ curl --user=*** x",
		"Authorization: Basic ZWxhc3RpYzp4":                  "Authorization: Basic ***",
		"ES_PASSWORD=S3cret":                                 "ES_PASSWORD=***",
		"GET https://elastic:S3cret@es:9200/ 401":            "GET https://***es:9200/ 401",
		"done": "done",
	} {
		got := maskLogins(in)
		assert.Equal(t, want, got)
		assert.NotContains(t, got, "S3cret")
	}
}

func TestWhereTheScriptIs(t *testing.T) {
	away := fault.New(fault.Unreachable, "connect", "east-m1", "", nil)
	absent := fault.New(fault.Failed, "look", "east-m2", "", nil)
	assert.True(t, fault.Is(notThere("east", "/x", []error{absent}), fault.Failed))
	assert.True(t, fault.Is(notThere("east", "/x", []error{away, absent}), fault.Unreachable), "it may be on the node that is away")
}
