// Package compose checks the production compose file as `docker compose config`
// would, and for what it must never contain. It needs no Docker.
package compose

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/acpflow/acpflow/test/gobuild"
)

func load(t *testing.T, environment ...string) *types.Project {
	t.Helper()
	root, err := gobuild.Root()
	require.NoError(t, err)
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")},
		cli.WithWorkingDirectory(root), cli.WithEnv(environment), cli.WithResolvedPaths(true))
	require.NoError(t, err)
	project, err := options.LoadProject(t.Context()) // the schema, references and merges are checked here
	require.NoError(t, err)
	return project
}

func TestServices(t *testing.T) {
	project := load(t)
	assert.ElementsMatch(t, []string{"postgresql", "schema", "temporal", "namespace", "ui", "worker"}, project.ServiceNames())
	for name, service := range project.Services {
		assert.NotEmpty(t, service.Restart, "%s: what happens after a crash?", name)
		assert.False(t, service.Privileged, name)
		if service.Build == nil {
			assert.Regexp(t, `:\d+`, service.Image, "%s: an image without a version changes by itself", name)
		}
		for _, port := range service.Ports {
			assert.Equal(t, "127.0.0.1", port.HostIP, "%s: nothing here asks for a login", name)
		}
	}
}

// TestOrder follows the chain in which everything must become ready.
func TestOrder(t *testing.T) {
	services := load(t).Services
	for _, link := range []struct{ service, waitsFor, until string }{
		{"schema", "postgresql", types.ServiceConditionHealthy},
		{"temporal", "schema", types.ServiceConditionCompletedSuccessfully},
		{"namespace", "temporal", types.ServiceConditionHealthy},
		{"ui", "namespace", types.ServiceConditionCompletedSuccessfully},
		{"worker", "namespace", types.ServiceConditionCompletedSuccessfully},
	} {
		assert.Equal(t, link.until, services[link.service].DependsOn[link.waitsFor].Condition, "%s → %s", link.service, link.waitsFor)
		if link.until == types.ServiceConditionHealthy {
			assert.NotNil(t, services[link.waitsFor].HealthCheck, link.waitsFor)
		}
	}
}

var secretName = regexp.MustCompile(`(?i)passw|pwd|secret|token|key`)

func TestNoSecretInTheFile(t *testing.T) {
	project := load(t)
	for name, service := range project.Services {
		for variable, value := range service.Environment {
			if value != nil && secretName.MatchString(variable) {
				assert.Regexp(t, `^/run/secrets/`, *value, "%s: %s must name a file", name, variable)
			}
		}
	}
	for name, secret := range project.Secrets {
		assert.NotEmpty(t, secret.File, name)
		assert.Empty(t, secret.Content, name)
	}
}

func TestSettingsAreReplaced(t *testing.T) {
	services := load(t, "TEMPORAL_VERSION=9.9.9", "ACPFLOW_VERSION=v1", "UI_LISTEN=127.0.0.1:9000").Services
	assert.Equal(t, "temporalio/server:9.9.9", services["temporal"].Image)
	assert.Equal(t, "temporalio/admin-tools:9.9.9", services["schema"].Image, "schema and server come from one version")
	assert.Equal(t, "acpflow:v1", services["worker"].Image)
	assert.Equal(t, "9000", services["ui"].Ports[0].Published)
}

// TestFilesExist looks up every file of the repository that a service mounts,
// runs or is built from.
func TestFilesExist(t *testing.T) {
	root, err := gobuild.Root()
	require.NoError(t, err)
	for name, service := range load(t).Services {
		if service.Build != nil {
			assert.FileExists(t, filepath.Join(service.Build.Context, service.Build.Dockerfile), name)
		}
		for _, word := range service.Command {
			if script, ours := strings.CutPrefix(word, "/acpflow/"); ours {
				script = filepath.Join(root, "deploy", "compose", script)
				out, err := exec.Command("sh", "-n", script).CombinedOutput()
				assert.NoError(t, err, "%s: %s", name, out)
			}
		}
		if file := service.Environment["DYNAMIC_CONFIG_FILE_PATH"]; file != nil {
			assert.FileExists(t, filepath.Join(root, "deploy", "compose", strings.TrimPrefix(*file, "/acpflow/")))
		}
	}
}

// TestImageContext makes sure that no secret can get into an image: the build
// sees only what .dockerignore lets through.
func TestImageContext(t *testing.T) {
	root, err := gobuild.Root()
	require.NoError(t, err)
	data, err := os.ReadFile(filepath.Join(root, ".dockerignore"))
	require.NoError(t, err)
	var rules []string
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			rules = append(rules, line)
		}
	}
	require.Equal(t, "*", rules[0], "everything is left out first")
	for _, rule := range rules[1:] {
		name, let := strings.CutPrefix(rule, "!")
		if let {
			assert.NotContains(t, []string{"secrets", "sites", "packages", ".git", "bin"}, name)
			_, err := os.Stat(filepath.Join(root, name))
			assert.NoError(t, err)
		}
	}
}

// TestSearchAttributes holds the job, the embedded server and the runbooks to
// one list: an attribute that is missing fails the start of every run.
func TestSearchAttributes(t *testing.T) {
	root, err := gobuild.Root()
	require.NoError(t, err)
	name := regexp.MustCompile(`\bAcp[A-Z]\w+`)
	lists := map[string][]string{}
	for _, file := range []string{"deploy/compose/namespace.sh", "deploy/devserver/namespace.go", "workflows/names.go"} {
		data, err := os.ReadFile(filepath.Join(root, file))
		require.NoError(t, err)
		found := name.FindAllString(string(data), -1)
		slices.Sort(found)
		lists[file] = slices.Compact(found)
		assert.Equal(t, lists["deploy/compose/namespace.sh"], lists[file], file)
	}
	assert.NotEmpty(t, lists["workflows/names.go"])
}
