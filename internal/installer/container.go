package installer

import "strings"

// ContainerRuntime is the command that manages the installer's container under
// a rule profile: docker up to 4.1, nerdctl from 4.2 (CLN-01).
func ContainerRuntime(profile string) string {
	if strings.HasPrefix(profile, "acp-4.0") || strings.HasPrefix(profile, "acp-4.1") {
		return "docker"
	}
	return "nerdctl"
}
