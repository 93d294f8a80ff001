package platform

import (
	"encoding/json"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

const someUID = "4f9d2b6e-0c1a-4d8e-9b7f-3a5c6d7e8f90"

func TestGateway(t *testing.T) {
	cert, chain := selfSigned(t, time.Now().Add(24*time.Hour), domain)
	_, other := selfSigned(t, time.Now().Add(24*time.Hour), domain)
	token := secret.NewValue([]byte("right-token-of-the-test"))
	for name, c := range map[string]struct {
		status  int
		body    any
		chain   []byte
		want    Gateway
		refused fault.Class
	}{
		"the cluster":           {status: 200, body: map[string]any{"kind": "Namespace", "metadata": map[string]any{"name": "kube-system", "uid": someUID}}, want: Gateway{Offered: true, UID: someUID}},
		"another cluster":       {status: 401, body: map[string]any{"kind": "Status", "reason": "Unauthorized", "code": 401}, want: Gateway{Offered: true, Refused: true}},
		"a gateway that asks":   {status: 401, body: "a bearer token is needed", want: Gateway{}},
		"no gateway":            {status: 404, body: "not found", want: Gateway{}},
		"a page for everything": {status: 200, body: "<html>", want: Gateway{}},
		"another namespace":     {status: 200, body: map[string]any{"kind": "Namespace", "metadata": map[string]any{"name": "default", "uid": someUID}}, want: Gateway{}},
		"nobody behind it":      {status: 502, body: "bad gateway", refused: fault.Protocol},
		"another certificate":   {status: 200, body: "{}", chain: other, refused: fault.Gate},
	} {
		t.Run(name, func(t *testing.T) {
			var heard []string
			dial, _, _ := site(t, cert, func(w http.ResponseWriter, r *http.Request) {
				heard = append(heard, r.Header.Get("Authorization")+" "+r.URL.Path)
				w.WriteHeader(c.status)
				if text, ok := c.body.(string); ok {
					_, _ = io.WriteString(w, text)
					return
				}
				_ = json.NewEncoder(w).Encode(c.body)
			})
			target := Target{Address: domain, Connect: "192.0.2.10", Port: 443, Certificate: chain}
			if c.chain != nil {
				target.Certificate = c.chain
			}
			got, err := AskGateway(t.Context(), dial, target, token)
			if c.refused != "" {
				assert.True(t, fault.Is(err, c.refused), "%v", err)
				assert.Equal(t, c.chain == nil, len(heard) > 0, "the token is for the right certificate only")
				return
			}
			require.NoError(t, err)
			assert.NotEmpty(t, got.Seen)
			got.Seen = ""
			assert.Equal(t, c.want, got)
			assert.Equal(t, []string{"Bearer right-token-of-the-test /kubernetes/global/api/v1/namespaces/kube-system"}, heard)
		})
	}
	_, err := AskGateway(t.Context(), nil, Target{Address: domain, Port: 443}, token)
	assert.True(t, fault.Is(err, fault.BadInput), "without a certificate the token goes nowhere")
}

func TestPageNamesItsCluster(t *testing.T) {
	cert, chain := selfSigned(t, time.Now().Add(24*time.Hour), domain)
	dial, _, _ := site(t, cert, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<title>x</title><dd id="uid">4F9D2B6E-0c1a-4d8e-9b7f-3a5c6d7e8f90</dd> 4f9d2b6e-0c1a-4d8e-9b7f-3a5c6d7e8f901`)
	})
	got, err := Fetch(t.Context(), dial, Target{Address: domain, Port: 443, Certificate: chain}, time.Now())
	require.NoError(t, err)
	assert.Equal(t, []string{someUID}, got.UUIDs)
	assert.Equal(t, "x", got.Title)
}
