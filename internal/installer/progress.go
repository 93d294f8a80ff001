package installer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// Status is what the installer says of itself.
type Status string

// The status words of the interface. Any other word counts as Running.
const (
	Unknown  Status = "Unknown" // nothing started
	Doing    Status = "Doing"
	Retrying Status = "Retrying"
	Failed   Status = "Failed" // the installer tries again by itself: not final
	Success  Status = "Success"
	Running  Status = "Running" // a word that acpflow does not know
)

var statuses = map[string]Status{
	"unknown": Unknown, "doing": Doing, "retrying": Retrying, "failed": Failed, "success": Success,
}

// Progress is the part of an answer that acpflow keeps. Log texts, passwords
// and kubeconfigs of the answer never leave the decoder.
type Progress struct {
	Status Status `json:"status"`
	Step   int    `json:"step"`            // number as reported; -1 = not reported
	Phase  string `json:"phase,omitempty"` // name of the phase, if the package reports one
}

// Started reports whether the installer has taken a configuration.
func (p Progress) Started() bool {
	switch p.Status {
	case Doing, Retrying, Failed, Success:
		return true
	}
	return p.Step > 0
}

// Progress reads and decodes GET /progress. An answer that is not understood
// is fault.Protocol; no answer is fault.Unreachable (ErrRefused: nothing listens).
func (c *Client) Progress(ctx context.Context) (Progress, error) {
	const op = "read the installer's progress"
	resp, err := c.get(ctx, "/progress")
	if err != nil {
		return Progress{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return Progress{}, c.unexpected(op, resp)
	}
	p, err := decodeProgress(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return Progress{}, fault.New(fault.Protocol, op, c.place, "look at the installer's log on its node", err)
	}
	return p, nil
}

// decodeProgress reads the known top-level fields and nothing else. Errors
// don't quote the answer, which may hold secrets.
func decodeProgress(r io.Reader) (Progress, error) {
	var wire struct {
		Status *string         `json:"status"`
		Step   json.RawMessage `json:"step"`
		Phase  json.RawMessage `json:"phase"`
	}
	dec := json.NewDecoder(r)
	if err := dec.Decode(&wire); err != nil {
		return Progress{}, fmt.Errorf("the answer is no JSON object of the known shape: %s", shape(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return Progress{}, errors.New("the answer has more behind its JSON object")
	}
	if wire.Status == nil {
		return Progress{}, errors.New("the answer has no status")
	}
	status, known := statuses[strings.ToLower(strings.TrimSpace(*wire.Status))]
	if !known {
		status = Running
	}
	return Progress{Status: status, Step: stepNumber(wire.Step), Phase: phaseName(wire.Phase)}, nil
}

// shape says what is wrong with an answer without a byte of it.
func shape(err error) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("broken at byte %d", syntax.Offset)
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("the field %q has another type", kind.Field)
	}
	if errors.Is(err, io.EOF) {
		return "it is empty"
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return "it is cut off or too long"
	}
	return "it could not be read: " + secret.Redact(err.Error())
}

// stepNumber accepts 3, 3.0 and "3".
func stepNumber(raw json.RawMessage) int {
	text := strings.Trim(string(bytes.TrimSpace(raw)), `"`)
	if f, err := strconv.ParseFloat(text, 64); err == nil && f >= 0 && f < 1e6 {
		return int(f)
	}
	return -1
}

var phaseWords = regexp.MustCompile(`^[\pL\pN][\pL\pN _./:()-]{0,79}$`)

// phaseName accepts only what looks like a name; anything else could be log text.
func phaseName(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil || !phaseWords.MatchString(s) {
		return ""
	}
	return secret.Redact(s)
}
