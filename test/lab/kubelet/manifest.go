package kubelet

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"
)

// ManifestDir is where kubeadm puts static Pods.
const ManifestDir = "/etc/kubernetes/manifests"

// Pod is what the agent needs of a static Pod manifest.
type Pod struct {
	Name, Namespace string
	Container       string
	Command         []string
	Hash            string
	Manifest        map[string]any // the whole Pod, for its mirror in the API
}

// manifest is the shape of the file; the lab's Pods have one container.
type manifest struct {
	Kind     string `json:"kind"`
	Metadata struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`
	Spec struct {
		Containers []struct {
			Name    string   `json:"name"`
			Command []string `json:"command"`
		} `json:"containers"`
	} `json:"spec"`
}

// ReadPods reads every manifest of a directory. A broken file is an error of
// its own and does not hide the others.
func ReadPods(dir string) ([]Pod, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var pods []Pod
	var errs []error
	for _, name := range names {
		p, err := readPod(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		pods = append(pods, p)
	}
	return pods, errors.Join(errs...)
}

func readPod(name string) (Pod, error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return Pod{}, err
	}
	var m manifest
	if err := yaml.Unmarshal(data, &m); err != nil {
		return Pod{}, err
	}
	var whole map[string]any
	if err := yaml.Unmarshal(data, &whole); err != nil {
		return Pod{}, err
	}
	if m.Kind != "Pod" || m.Metadata.Name == "" || len(m.Spec.Containers) != 1 || len(m.Spec.Containers[0].Command) == 0 {
		return Pod{}, errors.New("want a Pod with a name and one container with a command")
	}
	c := m.Spec.Containers[0]
	sum := sha256.Sum256(data)
	return Pod{Name: m.Metadata.Name, Namespace: m.Metadata.Namespace, Container: c.Name, Command: c.Command,
		Hash: hex.EncodeToString(sum[:]), Manifest: whole}, nil
}
