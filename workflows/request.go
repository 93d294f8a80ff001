package workflows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/site"
)

// Request is the one input of every runbook: what a person can type into the
// start form. Everything else comes from the site document.
type Request struct {
	Site        string `json:"site"`                  // name in the worker's site store
	Cluster     string `json:"cluster,omitempty"`     // may be empty when the site has one cluster
	Change      string `json:"change,omitempty"`      // change ticket, for the record
	RequestedBy string `json:"requestedBy,omitempty"` // who asked
	OnFailure   string `json:"onFailure,omitempty"`   // "ask" (default): park at a gate; "abort": undo and end
	SkipProbes  bool   `json:"skipProbes,omitempty"`  // don't probe the network between the nodes and the load balancer
	Full        bool   `json:"full,omitempty"`        // CheckSync: read and compare everything, whatever was read lately
	DryRun      bool   `json:"dryRun,omitempty"`      // stop before the first step that changes anything

	Push *activities.PackagePush `json:"push,omitempty"` // what PushPackages uploads
}

// Values of Request.OnFailure.
const (
	OnFailureAsk   = "ask"
	OnFailureAbort = "abort"
)

const requestExample = `{"site":"moscow","cluster":"west","change":"CHG-1042"}`

// decodeRequest reads the typed input strictly: an unknown or misspelt field
// must not silently become a default. Errors are non-retryable InvalidInput.
func decodeRequest(raw converter.RawValue) (Request, error) {
	var req Request
	data := bytes.TrimSpace(raw.Payload().GetData())
	if len(data) == 0 || bytes.Equal(data, []byte("null")) {
		return req, invalidInput(errors.New("the input is empty"))
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&req); err != nil {
		return req, invalidInput(err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return req, invalidInput(errors.New("there is more than one JSON value"))
	}
	return req, req.Validate()
}

// Validate fills in defaults and refuses what no run could use. Errors are
// non-retryable InvalidInput that name the field.
func (r *Request) Validate() error {
	if r.OnFailure == "" {
		r.OnFailure = OnFailureAsk
	}
	switch {
	case r.Site == "":
		return invalidInput(errors.New(`"site" is missing`))
	case !site.IsLabel(r.Site):
		return invalidInput(fmt.Errorf(`"site" %q is not a site name (lower-case letters, digits and "-")`, r.Site))
	case r.Cluster != "" && !site.IsLabel(r.Cluster):
		return invalidInput(fmt.Errorf(`"cluster" %q is not a cluster name (lower-case letters, digits and "-")`, r.Cluster))
	case r.OnFailure != OnFailureAsk && r.OnFailure != OnFailureAbort:
		return invalidInput(fmt.Errorf(`"onFailure" %q is neither "ask" nor "abort"`, r.OnFailure))
	case strings.ContainsFunc(r.Change+r.RequestedBy, unicode.IsControl):
		return invalidInput(errors.New(`"change" and "requestedBy" must be one line`))
	case len(r.Change) > 200 || len(r.RequestedBy) > 200:
		return invalidInput(errors.New(`"change" and "requestedBy" may have at most 200 characters`))
	}
	return nil
}

func invalidInput(cause error) error {
	msg := fmt.Sprintf("the workflow input is not usable: %v. Fix: start it again with input like %s", cause, requestExample)
	return temporal.NewNonRetryableApplicationError(msg, ErrInvalidInput, nil)
}
