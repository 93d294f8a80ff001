package installer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
)

// ErrAlreadyStarted marks a Conflict fault: the installer has a configuration.
// The run that goes on is adopted by reading its progress.
var ErrAlreadyStarted = errors.New("the installer already has a configuration")

// ErrAmbiguous marks a fault after which nobody can say whether the installer
// took the configuration. Read the progress; never post again blindly.
var ErrAmbiguous = errors.New("the configuration may or may not have been taken")

const postOp = "post the configuration to the installer"

// Post sends the configuration. nil means HTTP 200, the one success of the
// interface. ErrAlreadyStarted and ErrAmbiguous mark the two outcomes that
// progress decides; a refused configuration is fault.BadInput; a connection
// that carried nothing is fault.Unreachable and may be tried again.
func (c *Client) Post(ctx context.Context, cfg Config) error {
	body := cfg.Revealed()
	for range prefixes {
		resp, sent, err := c.post(ctx, body)
		switch {
		case err != nil && sent:
			return fault.New(fault.Protocol, postOp, c.place, "",
				fmt.Errorf("%w: the connection ended without an answer (%w)", ErrAmbiguous, redacted{err}))
		case err != nil:
			return c.lost(postOp, err)
		case resp.StatusCode != http.StatusNotFound:
			defer resp.Body.Close()
			return c.judgePost(resp)
		}
		c.drop(resp)
		c.otherPrefix()
	}
	return fault.New(fault.Protocol, postOp, c.place, "check that the package's version is one that acpflow knows",
		fmt.Errorf("POST /config answers 404 below %s", strings.Join(prefixes, " and ")))
}

// post sends one request and reports whether any of it left the worker.
func (c *Client) post(ctx context.Context, body []byte) (resp *http.Response, sent bool, err error) {
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { wrote.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint+prefixes[c.prefix]+"/config", bytes.NewReader(body))
	if err != nil {
		return nil, false, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err = c.http.Do(req)
	return resp, wrote.Load(), err
}

func (c *Client) judgePost(resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	reason := answerText(text)
	cause := fmt.Errorf("HTTP %d: %s", resp.StatusCode, reason)
	switch status := resp.StatusCode; {
	case status == http.StatusOK:
		return nil
	case status == http.StatusConflict || alreadyExists(text):
		return fault.New(fault.Conflict, postOp, c.place, "", fmt.Errorf("%w (%w)", ErrAlreadyStarted, cause))
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return fault.New(fault.Auth, postOp, c.place, "check what stands in front of the installer's port", cause)
	case status >= 400 && status < 500:
		return fault.New(fault.BadInput, postOp, c.place,
			"compare the site document with the message; `acpflow installer-config` prints what was sent", cause)
	}
	// Other 2xx and 5xx: the ancestor of this installer answers 201 when it
	// accepts, and a 500 says nothing about what was kept.
	return fault.New(fault.Protocol, postOp, c.place, "", fmt.Errorf("%w (%w)", ErrAmbiguous, cause))
}

func alreadyExists(text []byte) bool {
	t := bytes.ToLower(text)
	return bytes.Contains(t, []byte("alreadyexists")) || bytes.Contains(t, []byte("already exist"))
}

// answerText is the reason in an error answer: the message field if it is
// JSON, else its beginning; one line, bounded, without secrets.
func answerText(body []byte) string {
	text := string(body)
	var known struct {
		Message string `json:"message"`
		Error   string `json:"error"`
	}
	if json.Unmarshal(body, &known) == nil && known.Message+known.Error != "" {
		text = strings.TrimSpace(known.Message + " " + known.Error)
	}
	text = secret.Redact(strings.Join(strings.Fields(strings.ToValidUTF8(text, "?")), " "))
	const limit = 400
	if len(text) > limit {
		cut := limit
		for !utf8.RuneStart(text[cut]) {
			cut--
		}
		text = text[:cut] + "…"
	}
	if text == "" {
		return "(no message)"
	}
	return text
}

// Settle is how long Start waits for an ambiguous POST to show in the progress.
const Settle = 10 * time.Second

// Start brings the install to "started" exactly once: it reads the progress
// and adopts a running install, else posts, and resolves a lost reply by
// reading the progress again. adopted is true when somebody (an earlier
// attempt) had started it. An error that is ErrAmbiguous means that progress
// did not tell within Settle; calling Start again is safe.
func (c *Client) Start(ctx context.Context, cfg Config) (adopted bool, err error) {
	p, err := c.Progress(ctx)
	if err == nil && p.Started() {
		return true, nil
	}
	if err != nil && !fault.Is(err, fault.Protocol) { // before a configuration any answer may come
		return false, err
	}
	postErr := c.Post(ctx, cfg)
	switch {
	case postErr == nil:
		return false, nil
	case errors.Is(postErr, ErrAlreadyStarted):
		return true, nil
	case !errors.Is(postErr, ErrAmbiguous):
		return false, postErr
	}
	deadline := time.Now().Add(Settle)
	for time.Now().Before(deadline) {
		if p, err := c.Progress(ctx); err == nil && p.Started() {
			return true, nil
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return false, postErr
}
