package report

import (
	"encoding/json"
	"io"

	"github.com/acpflow/acpflow/checks"
)

// Schema names the form of the JSON. Fields may be added under the same name;
// one that changes its meaning or goes away gives it a new number.
const Schema = "acpflow-report/1"

// Document is the report as JSON.
type Document struct {
	Schema string `json:"schema"` // Schema
	checks.Report
}

func writeJSON(w io.Writer, r checks.Report) error {
	if r.Findings == nil {
		r.Findings = []checks.Finding{} // a list, never null
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(Document{Schema, r})
}
