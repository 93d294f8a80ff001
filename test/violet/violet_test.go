// Package violet tests the upload of packages against a stand-in of the vendor's
// tool that is as strict as what is published of it.
package violet

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/activities"
	"github.com/acpflow/acpflow/internal/fault"
	"github.com/acpflow/acpflow/internal/secret"
	"github.com/acpflow/acpflow/internal/violet"
	"github.com/acpflow/acpflow/site"
)

func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "violet")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "./cmd/violet").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return path
}

func pair(t *testing.T) site.Site {
	t.Helper()
	t.Setenv("ADMIN", "admin-password-9")
	t.Setenv("REGISTRY", "registry-password-9")
	return site.Site{Name: "lab", Platform: site.Platform{Address: "acp.example.com", HTTPSPort: 443, AdminUser: "admin", AdminPassword: "env:ADMIN"},
		Registry: site.Registry{Username: "puller", Password: "env:REGISTRY"}, DR: site.DR{Planned: true},
		Clusters: []site.Cluster{{Name: "west", Endpoint: site.Endpoint{VIP: "192.0.2.10"}}, {Name: "east", Endpoint: site.Endpoint{VIP: "192.0.2.20"}}}}
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.tgz")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func asked(t *testing.T, path string) map[string]any {
	t.Helper()
	data, err := os.ReadFile(path + ".asked.json")
	require.NoError(t, err)
	var out map[string]any
	require.NoError(t, json.Unmarshal(data, &out))
	return out
}

func TestPush(t *testing.T) {
	tool := violet.Tool{Path: build(t)}
	packages := &activities.Packages{Tool: tool, Arguments: true}
	input := func(cluster, path string, primary bool) activities.PushInput {
		return activities.PushInput{Scope: activities.Scope{Site: pair(t), Cluster: cluster}, Primary: primary,
			PackagePush: activities.PackagePush{Package: path, Clusters: []string{"w1", "w2"}, CatalogSource: "platform"}}
	}
	t.Run("to the standby", func(t *testing.T) {
		t.Setenv("WORKERS_OWN", "private")
		in := input("east", file(t, "package 1"), false)
		verified, err := packages.VerifyPackage(t.Context(), in)
		require.NoError(t, err)
		for range 2 { // the worker may have died after the first
			evidence, err := packages.PushPackage(t.Context(), in)
			require.NoError(t, err)
			shown := fmt.Sprintf("%+v %+v", verified, evidence)
			assert.NotContains(t, shown, "password-9", "the tool prints what it got, history does not keep it")
			assert.Contains(t, evidence.Tail, "login as admin with "+secret.Mask)
		}
		got := asked(t, in.Package)
		assert.Equal(t, "https://192.0.2.20", got["Platform"])
		assert.Equal(t, "192.0.2.20:11443", got["Repo"])
		assert.Equal(t, "registry-password-9", got["RepoPassword"])
		assert.Equal(t, "admin-password-9", got["Password"])
		assert.Equal(t, []any{"w1", "w2"}, got["Clusters"])
		assert.NotContains(t, fmt.Sprint(got["Environment"]), "private")
	})
	t.Run("to the primary", func(t *testing.T) {
		in := input("west", file(t, "package 1"), true)
		_, err := packages.PushPackage(t.Context(), in)
		require.NoError(t, err)
		assert.Equal(t, "https://acp.example.com", asked(t, in.Package)["Platform"])
		assert.Empty(t, asked(t, in.Package)["Repo"])
	})
	t.Run("into a registry without credentials", func(t *testing.T) {
		in := input("east", file(t, "package 1"), false)
		in.Site.Registry = site.Registry{}
		_, err := packages.PushPackage(t.Context(), in)
		require.NoError(t, err)
		assert.Equal(t, true, asked(t, in.Package)["NoAuth"])
	})
	t.Run("what is no package", func(t *testing.T) {
		in := input("east", file(t, "rubbish"), false)
		_, err := packages.VerifyPackage(t.Context(), in)
		assert.True(t, fault.Is(err, fault.Failed), "%v", err)
		_, err = packages.PushPackage(t.Context(), in)
		assert.True(t, fault.Is(err, fault.Failed), "%v", err)
		assert.NotContains(t, err.Error(), "password-9")
		in.Package += ".none"
		_, err = packages.VerifyPackage(t.Context(), in)
		assert.True(t, fault.Is(err, fault.BadInput), "%v", err)
	})
	t.Run("passwords are arguments only where that is accepted", func(t *testing.T) {
		in := input("east", file(t, "package 1"), false)
		_, err := (&activities.Packages{Tool: tool}).PushPackage(t.Context(), in)
		assert.True(t, fault.Is(err, fault.BadInput), "%v", err)
		assert.Contains(t, err.Error(), "ACPFLOW_VIOLET_ARGUMENTS")
		assert.NotContains(t, err.Error(), "password-9")
		_, err = os.Stat(in.Package + ".asked.json")
		assert.ErrorIs(t, err, os.ErrNotExist)
	})
	t.Run("no tool", func(t *testing.T) {
		_, err := violet.Tool{Path: "/nonexistent/violet"}.Verify(t.Context(), "/x")
		assert.True(t, fault.Is(err, fault.BadInput), "%v", err)
		assert.Contains(t, err.Error(), "ACPFLOW_VIOLET")
	})
}

// The stand-in refuses what the tool's description excludes, so that a command
// which the tool would not take fails here.
func TestStandInIsStrict(t *testing.T) {
	path := build(t)
	login := "--platform-address https://a --platform-username u --platform-password p"
	for args, want := range map[string]string{
		login + " --new-flag":                                         "unknown flag",
		login + " --skip-crs --skip-push":                             "none of the others can be",
		login + " --dest-repo 192.0.2.1:11443":                        "needs --username",
		login + " --dest-repo 192.0.2.1 --no-auth":                    "VIP:11443",
		login + " --no-auth":                                          "need --dest-repo",
		login + " --platform-token t":                                 "none of the others can be",
		"--platform-address https://a":                                "--platform-username",
		"--platform-address http://a":                                 "https://",
		"--platform-address https://[2001:db8::1] --platform-token t": "IPv6",
	} {
		out, err := exec.CommandContext(t.Context(), path, append([]string{"push", "/x"}, strings.Fields(args)...)...).CombinedOutput()
		assert.Error(t, err, args)
		assert.Contains(t, string(out), want, args)
	}
}

func TestCheckRefusesBeforeTheToolDoes(t *testing.T) {
	good := violet.Push{Package: "/x", Platform: "https://a", User: "u", Password: secret.NewValue([]byte("p-9-p-9")), Registry: "192.0.2.1:11443"}
	require.NoError(t, good.Check())
	for name, change := range map[string]func(*violet.Push){
		"a relative package": func(p *violet.Push) { p.Package = "x" }, "plain http": func(p *violet.Push) { p.Platform = "http://a" },
		"no user": func(p *violet.Push) { p.User = "" }, "both skips": func(p *violet.Push) { p.SkipCRs, p.SkipPush = true, true },
		"IPv6 platform": func(p *violet.Push) { p.Platform = "https://[2001:db8::1]" }, "IPv6 registry": func(p *violet.Push) { p.Registry = "[2001:db8::1]:11443" },
		"a registry by name": func(p *violet.Push) { p.Registry = "r.example.com:11443" }, "user without password": func(p *violet.Push) { p.RegistryUser = "u" },
	} {
		p := good
		change(&p)
		assert.True(t, fault.Is(p.Check(), fault.BadInput), name)
	}
}
