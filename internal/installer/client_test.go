package installer

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/acpflow/acpflow/internal/fault"
)

// fake is an installer whose answers a test sets; it counts what arrives.
type fake struct {
	prefix   string
	progress func(w http.ResponseWriter)
	config   func(w http.ResponseWriter, body []byte)
	posts    atomic.Int32
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.Method + " " + r.URL.Path {
	case "GET " + f.prefix + "/progress":
		f.progress(w)
	case "POST " + f.prefix + "/config":
		f.posts.Add(1)
		body, _ := io.ReadAll(r.Body)
		f.config(w, body)
	default:
		http.NotFound(w, r)
	}
}

func answer(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func hangUp(w http.ResponseWriter) {
	conn, _, _ := w.(http.Hijacker).Hijack()
	_ = conn.Close()
}

func serve(t *testing.T, f *fake) *Client {
	t.Helper()
	if f.prefix == "" {
		f.prefix = "/api"
	}
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	return NewAt(Transport((&net.Dialer{}).DialContext), srv.URL, "node m1")
}

func config(t *testing.T) Config {
	t.Helper()
	s := oneNode()
	cfg, err := Build(s, "west", secretsOf(s))
	require.NoError(t, err)
	return cfg
}

func TestPostOutcomes(t *testing.T) {
	cases := map[string]struct {
		reply  func(http.ResponseWriter)
		marker error
		class  fault.Class
		says   string
	}{
		"taken":                 {reply: answer(200, "")},
		"created is no success": {answer(201, "{}"), ErrAmbiguous, fault.Protocol, "HTTP 201"},
		"conflict":              {answer(409, "busy"), ErrAlreadyStarted, fault.Conflict, "busy"},
		"ancestor's conflict":   {answer(400, `{"kind":"Status","reason":"AlreadyExists","message":"a config exists"}`), ErrAlreadyStarted, fault.Conflict, "a config exists"},
		"refused":               {answer(422, `{"message":"serviceCIDR overlaps"}`), nil, fault.BadInput, "serviceCIDR overlaps"},
		"forbidden":             {answer(403, ""), nil, fault.Auth, "HTTP 403"},
		"server error":          {answer(500, "boom"), ErrAmbiguous, fault.Protocol, "boom"},
		"redirect":              {answer(302, ""), ErrAmbiguous, fault.Protocol, "HTTP 302"},
		"lost reply":            {hangUp, ErrAmbiguous, fault.Protocol, "without an answer"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := &fake{config: func(w http.ResponseWriter, _ []byte) { c.reply(w) }}
			err := serve(t, f).Post(t.Context(), config(t))
			assert.EqualValues(t, 1, f.posts.Load(), "one request, whatever happens")
			if c.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.says)
			assert.Equal(t, c.class, fault.ClassOf(err))
			assert.Equal(t, errors.Is(c.marker, ErrAmbiguous), errors.Is(err, ErrAmbiguous))
			assert.Equal(t, errors.Is(c.marker, ErrAlreadyStarted), errors.Is(err, ErrAlreadyStarted))
		})
	}
}

func TestPostSendsTheRevealedConfig(t *testing.T) {
	var got []byte
	f := &fake{config: func(_ http.ResponseWriter, body []byte) { got = body }}
	cfg := config(t)
	require.NoError(t, serve(t, f).Post(t.Context(), cfg))
	assert.Equal(t, string(cfg.Revealed()), string(got))
}

func TestPostErrorsCarryNoSecret(t *testing.T) {
	f := &fake{config: func(w http.ResponseWriter, body []byte) { answer(400, string(body)+adminPassword)(w) }}
	err := serve(t, f).Post(t.Context(), config(t))
	require.Error(t, err)
	for _, s := range []string{adminPassword, sshPassword, base64.StdEncoding.EncodeToString([]byte(adminPassword))} {
		assert.NotContains(t, err.Error(), s)
	}
	assert.Less(t, len(err.Error()), 1000, "bounded")
}

func TestNobodyListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	throughSSH := func(context.Context, string, string) (net.Conn, error) {
		return nil, fault.New(fault.Unreachable, "connect", "through m1", "", &ssh.OpenChannelError{Reason: ssh.ConnectionFailed})
	}
	throughRelay := func(context.Context, string, string) (net.Conn, error) {
		return nil, fault.New(fault.Unreachable, "connect", "through m1", "", errors.New("Connection refused"))
	}
	for name, rt := range map[string]http.RoundTripper{
		"direct":      Transport((&net.Dialer{}).DialContext),
		"through SSH": Transport(throughSSH),
		"by a relay":  Transport(throughRelay),
	} {
		t.Run(name, func(t *testing.T) {
			c := NewAt(rt, "http://"+address, "node m1")
			require.ErrorIs(t, c.Ready(t.Context()), ErrRefused)
			_, err := c.Progress(t.Context())
			require.ErrorIs(t, err, ErrRefused)
			err = c.Post(t.Context(), config(t))
			require.ErrorIs(t, err, ErrRefused)
			assert.NotErrorIs(t, err, ErrAmbiguous, "nothing was sent")
			assert.Equal(t, fault.Unreachable, fault.ClassOf(err))
		})
	}
}

func TestDialerFaultsPassThrough(t *testing.T) {
	c := New(Transport(func(context.Context, string, string) (net.Conn, error) {
		return nil, fault.New(fault.HostKey, "connect", "m1", "", nil)
	}), "node m1")
	_, err := c.Progress(t.Context())
	assert.Equal(t, fault.HostKey, fault.ClassOf(err))
	assert.Equal(t, fault.HostKey, fault.ClassOf(c.Post(t.Context(), config(t))))
}

func TestReady(t *testing.T) {
	for status, ready := range map[int]bool{200: true, 400: true, 500: true, 502: false, 503: false} {
		err := serve(t, &fake{progress: answer(status, "")}).Ready(t.Context())
		assert.Equal(t, ready, err == nil, "HTTP %d: %v", status, err)
	}
}

func TestBothPrefixes(t *testing.T) {
	f := &fake{
		prefix:   "/cpaas-installer/api",
		progress: answer(200, `{"status":"Doing","step":2}`),
		config:   func(w http.ResponseWriter, _ []byte) { answer(200, "")(w) },
	}
	c := serve(t, f)
	p, err := c.Progress(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Progress{Status: Doing, Step: 2}, p)
	require.NoError(t, serve(t, f).Post(t.Context(), config(t)))

	f.prefix = "/elsewhere"
	_, err = c.Progress(t.Context())
	require.ErrorContains(t, err, "404")
	assert.Equal(t, fault.Protocol, fault.ClassOf(err))
}

func TestStart(t *testing.T) {
	idle, doing := answer(200, `{"status":"Unknown","step":0}`), answer(200, `{"status":"Doing","step":1}`)
	t.Run("posts once", func(t *testing.T) {
		f := &fake{progress: idle, config: func(w http.ResponseWriter, _ []byte) { answer(200, "")(w) }}
		adopted, err := serve(t, f).Start(t.Context(), config(t))
		require.NoError(t, err)
		assert.False(t, adopted)
		assert.EqualValues(t, 1, f.posts.Load())
	})
	t.Run("adopts what runs", func(t *testing.T) {
		f := &fake{progress: doing}
		adopted, err := serve(t, f).Start(t.Context(), config(t))
		require.NoError(t, err)
		assert.True(t, adopted)
		assert.Zero(t, f.posts.Load())
	})
	t.Run("resolves a lost reply by progress", func(t *testing.T) {
		var f *fake
		f = &fake{progress: idle, config: func(w http.ResponseWriter, _ []byte) { f.progress = doing; hangUp(w) }}
		adopted, err := serve(t, f).Start(t.Context(), config(t))
		require.NoError(t, err)
		assert.True(t, adopted)
		assert.EqualValues(t, 1, f.posts.Load())
	})
	t.Run("garbage before the configuration does not stop it", func(t *testing.T) {
		f := &fake{progress: answer(500, "starting"), config: func(w http.ResponseWriter, _ []byte) { answer(409, "")(w) }}
		adopted, err := serve(t, f).Start(t.Context(), config(t))
		require.NoError(t, err)
		assert.True(t, adopted)
	})
	t.Run("says when progress does not tell", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		f := &fake{progress: idle, config: func(w http.ResponseWriter, _ []byte) {
			time.AfterFunc(1500*time.Millisecond, cancel)
			hangUp(w)
		}}
		_, err := serve(t, f).Start(ctx, config(t))
		require.Error(t, err)
		assert.EqualValues(t, 1, f.posts.Load(), "never posted again blindly")
	})
}

func TestDecodeProgress(t *testing.T) {
	cases := map[string]struct {
		body string
		want Progress
		err  string
	}{
		"the known shape":            {"{\n  \"status\": \"Doing\",\n  \"step\": 3,\n  \"data\": \"x\"\n}", Progress{Doing, 3, ""}, ""},
		"ancestor's leaks":           {`{"status":"Success","step":9,"password":"p","kubeconfig":"k","hosts":["a"]}`, Progress{Success, 9, ""}, ""},
		"Success in a log text":      {`{"status":"Running","logs":"… Success for chart x","data":"[Success]"}`, Progress{Running, -1, ""}, ""},
		"Success in a nested status": {`{"status":"Doing","step":1,"items":[{"status":"Success"}]}`, Progress{Doing, 1, ""}, ""},
		"another case":               {`{"status":"retrying","step":"4"}`, Progress{Retrying, 4, ""}, ""},
		"unknown word":               {`{"status":"Pondering","step":1.0}`, Progress{Running, 1, ""}, ""},
		"phase":                      {`{"status":"Doing","step":2,"phase":"Network and core add-ons"}`, Progress{Doing, 2, "Network and core add-ons"}, ""},
		"phase that is log text":     {`{"status":"Doing","phase":"token=\"abc\"\n"}`, Progress{Doing, -1, ""}, ""},
		"odd step":                   {`{"status":"Doing","step":{"n":1}}`, Progress{Doing, -1, ""}, ""},
		"negative step":              {`{"status":"Doing","step":-7}`, Progress{Doing, -1, ""}, ""},
		"no status":                  {`{"step":3}`, Progress{}, "no status"},
		"status of another type":     {`{"status":{"phase":"Success"}}`, Progress{}, `"status" has another type`},
		"empty":                      {``, Progress{}, "empty"},
		"html":                       {`<html>Success</html>`, Progress{}, "broken at byte"},
		"null":                       {`null`, Progress{}, "no status"},
		"a list":                     {`["Success"]`, Progress{}, "another type"},
		"cut off":                    {`{"status":"Success","da`, Progress{}, "cut off"},
		"two values":                 {`{"status":"Success"} {"status":"Failed"}`, Progress{}, "more behind"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got, err := decodeProgress(strings.NewReader(c.body))
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestProgressNeverQuotesTheAnswer(t *testing.T) {
	const leak = "kubeconfig-token-of-the-new-cluster"
	for _, body := range []string{leak, `{"status":"` + leak, `{"status":["` + leak + `"]}`, `{"` + leak + `":1}`} {
		_, err := serve(t, &fake{progress: answer(200, body)}).Progress(t.Context())
		require.Error(t, err)
		assert.NotContains(t, err.Error(), leak)
		assert.Equal(t, fault.Protocol, fault.ClassOf(err))
	}
	_, err := serve(t, &fake{progress: answer(500, leak)}).Progress(t.Context())
	require.ErrorContains(t, err, "HTTP 500")
	assert.NotContains(t, err.Error(), leak)
}

func TestProgressIsBounded(t *testing.T) {
	endless := func(w http.ResponseWriter) {
		_, _ = io.WriteString(w, `{"status":"Doing","data":"`)
		chunk := strings.Repeat("x", 1<<20)
		for range answerLimit>>20 + 8 {
			if _, err := io.WriteString(w, chunk); err != nil {
				return
			}
		}
	}
	_, err := serve(t, &fake{progress: endless}).Progress(t.Context())
	require.ErrorContains(t, err, "cut off or too long")
}

func TestStarted(t *testing.T) {
	for p, want := range map[Progress]bool{
		{Status: Unknown}: false, {Status: Unknown, Step: 1}: true, {Status: Running, Step: -1}: false,
		{Status: Doing}: true, {Status: Retrying}: true, {Status: Failed}: true, {Status: Success}: true,
	} {
		assert.Equal(t, want, p.Started(), "%+v", p)
	}
}
