package installer

import (
	"bytes"
	"testing"
)

// FuzzDecodeProgress: whatever the installer answers, decoding neither panics
// nor lets a text of the answer out, and only a status word means success.
func FuzzDecodeProgress(f *testing.F) {
	const leak = "kubeconfig-token"
	for _, s := range []string{
		`{"status":"Doing","step":3}`, `{"status":"Success","phase":"x","data":"kubeconfig-token"}`, `[]`, `{"status":null}`, "", "\xff",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		p, err := decodeProgress(bytes.NewReader(append(body, leak...)))
		if err == nil {
			t.Fatalf("accepted %q behind its value: %+v", leak, p)
		}
		if bytes.Contains([]byte(err.Error()), []byte(leak)) {
			t.Fatalf("the error quotes the answer: %v", err)
		}
		p, err = decodeProgress(bytes.NewReader(body))
		if err != nil {
			return
		}
		if p.Status == Success && !bytes.Contains(bytes.ToLower(body), []byte(`success`)) && !bytes.Contains(body, []byte(`\u`)) {
			t.Fatalf("success out of nothing: %q", body)
		}
		if p.Step < -1 || len(p.Phase) > 4*80 {
			t.Fatalf("out of bounds: %+v", p)
		}
	})
}
