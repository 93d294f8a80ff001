package installer

import "testing"

func TestContainerRuntime(t *testing.T) {
	for profile, want := range map[string]string{"acp-4.1-seed": "docker", "acp-4.1": "docker", "acp-4.2": "nerdctl", "acp-4.3": "nerdctl"} {
		if got := ContainerRuntime(profile); got != want {
			t.Errorf("%s: %s, want %s", profile, got, want)
		}
	}
}
