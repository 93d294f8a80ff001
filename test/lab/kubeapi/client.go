// Package kubeapi is a small client of the Kubernetes API for the lab's own
// node agent and installer. They are cross-compiled into every package that
// the lab builds, so they stay free of the big client library.
package kubeapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Object is a Kubernetes object.
type Object = map[string]any

// Client talks to one API server.
type Client struct {
	http    *http.Client
	server  string
	manager string // field manager of applied objects

	mu    sync.Mutex
	paths map[string]resource // by apiVersion/kind
}

type resource struct {
	name       string
	namespaced bool
}

// StatusError is an answer other than 2xx.
type StatusError struct {
	Method, Path string
	Code         int
	Message      string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s %s: %d %s", e.Method, e.Path, e.Code, e.Message)
}

// IsCode reports whether err is an answer with that status code.
func IsCode(err error, code int) bool {
	status, ok := errors.AsType[*StatusError](err)
	return ok && status.Code == code
}

// Content types of patches.
const (
	ApplyPatch = "application/apply-patch+yaml"
	MergePatch = "application/merge-patch+json"
)

// Do sends one request and decodes the answer into out, unless out is nil.
func (c *Client) Do(ctx context.Context, method, path, contentType string, body, out any) error {
	var reader io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(data)
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, c.server+path, reader)
	if err != nil {
		return err
	}
	if contentType == "" {
		contentType = "application/json"
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode/100 != 2 {
		var status struct {
			Message string `json:"message"`
		}
		if json.Unmarshal(data, &status) != nil {
			status.Message = strings.TrimSpace(string(data))
		}
		return &StatusError{method, path, resp.StatusCode, status.Message}
	}
	if text, ok := out.(*string); ok {
		*text = string(data)
		return nil
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(data, out)
}

// Get reads a path.
func (c *Client) Get(ctx context.Context, path string, out any) error {
	return c.Do(ctx, http.MethodGet, path, "", nil, out)
}

// Healthy reports whether the server answers ok on a health path, for
// example /readyz.
func (c *Client) Healthy(ctx context.Context, path string) error {
	var text string
	if err := c.Get(ctx, path, &text); err != nil {
		return err
	}
	if text != "ok" {
		return fmt.Errorf("%s%s: %q", c.server, path, text)
	}
	return nil
}

// Apply makes the object so, and its status too if the object has one and the
// resource keeps status apart.
func (c *Client) Apply(ctx context.Context, o Object) error {
	path, err := c.Path(ctx, o)
	if err != nil {
		return err
	}
	query := "?force=true&fieldManager=" + c.manager
	body := Object{}
	for k, v := range o {
		if k != "status" {
			body[k] = v
		}
	}
	if err := c.Do(ctx, http.MethodPatch, path+query, ApplyPatch, body, nil); err != nil {
		return err
	}
	if o["status"] == nil {
		return nil
	}
	return c.Do(ctx, http.MethodPatch, path+"/status"+query, ApplyPatch, o, nil)
}
