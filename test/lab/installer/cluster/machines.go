package cluster

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/acpflow/acpflow/test/lab/installer/machine"
)

// idFile marks a machine as taken by one install.
const idFile = etcKubernetes + "/.install-id"

// checkMachines logs in everywhere and refuses a machine that the package
// does not fit, or that already belongs to a cluster (GEN-04).
func (i *Install) checkMachines(ctx context.Context) error {
	if err := i.loadAuthorities(); err != nil {
		return err
	}
	i.fleet.Close()
	fleet, err := machine.ConnectAll(ctx, i.Config.Cluster.Features.Machines)
	if err != nil {
		return err
	}
	i.fleet = fleet
	if err := i.uniqueNames(); err != nil {
		return err
	}
	return fleet.Each(func(m *machine.Machine) error {
		if arch := goArch(m.Architecture); !slices.Contains(i.Architectures, arch) {
			return fmt.Errorf("the machine is %s, the package carries %s", arch, strings.Join(i.Architectures, ", "))
		}
		return i.checkMachine(ctx, m)
	})
}

func goArch(uname string) string {
	switch uname {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return uname
}

func (i *Install) uniqueNames() error {
	seen := map[string]string{}
	for _, m := range i.fleet {
		name := i.nodeName(m)
		if other, dup := seen[name]; dup {
			return fmt.Errorf("%s and %s have the same node name %s", other, m.IP, name)
		}
		seen[name] = m.IP
	}
	return nil
}

// checkMachine looks for the NIC, the lab's programs and another cluster.
func (i *Install) checkMachine(ctx context.Context, m *machine.Machine) error {
	script := "test -x " + Programs + "/kube-apiserver || { echo '" + Programs + " is missing' >&2; exit 1; }\n"
	if device := i.Config.Cluster.NetworkDevice; device != "" {
		script += fmt.Sprintf("test -e '/sys/class/net/%s' || { echo 'there is no NIC %s' >&2; exit 1; }\n", device, device)
	}
	script += "cat " + idFile + " 2>/dev/null || true\nls /etc/kubernetes/manifests /var/lib/etcd/member 2>/dev/null || true"
	out, err := m.Run(ctx, script, nil)
	if err != nil {
		return err
	}
	if out = strings.TrimSpace(out); out != "" && !strings.HasPrefix(out, i.id()) {
		return errors.New("the machine already runs Kubernetes; clean it first")
	}
	return nil
}

// id of this install: nothing secret, the same after a restart.
func (i *Install) id() string {
	return base64.RawURLEncoding.EncodeToString(i.authorities.TokenPub)[40:80]
}

// prepareMachines puts this program, the certificates and the agent in place.
func (i *Install) prepareMachines(ctx context.Context) error {
	program, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		return err
	}
	if err := i.fleet.Each(func(m *machine.Machine) error {
		files, err := i.kubeletFiles(m)
		if err != nil {
			return err
		}
		files = append(files,
			machine.File{Path: NodeProgram, Mode: 0o755, Data: program},
			machine.File{Path: idFile, Mode: 0o644, Data: []byte(i.id() + "\n")})
		return install(ctx, m, files, `mkdir -p /etc/kubernetes/manifests /var/lib/containerd
chmod 0700 /etc/kubernetes/manifests
ln -sf `+NodeProgram+` /usr/local/bin/crictl
systemctl daemon-reload
systemctl enable --quiet kubelet.service
systemctl start kubelet.service`)
	}); err != nil {
		return err
	}
	if err := i.encryption(ctx); err != nil {
		return err
	}
	return i.fleet.Masters().Each(func(m *machine.Machine) error {
		files, err := i.controlPlaneFiles(m)
		if err != nil {
			return err
		}
		return install(ctx, m, files, "mkdir -p -m 0700 /var/lib/etcd")
	})
}

// encryption makes all control planes use one key file. One that is there is
// kept: a standby cluster must read what its primary wrote (DR-21).
func (i *Install) encryption(ctx context.Context) error {
	masters := i.fleet.Masters()
	found := make([]string, len(masters))
	for n, m := range masters {
		out, err := m.Run(ctx, "if test -e "+EncryptionFile+"; then stat -c %U:%G:%a "+EncryptionFile+"; cat "+EncryptionFile+"; fi", nil)
		if err != nil {
			return err
		}
		if out == "" {
			continue
		}
		owner, content, _ := strings.Cut(out, "\n")
		if owner != "root:root:600" {
			return fmt.Errorf("%s: %s is %s, want root:root:600", m.IP, EncryptionFile, owner)
		}
		found[n] = content
	}
	content := ""
	for n, c := range found {
		if c != "" && content != "" && c != content {
			return fmt.Errorf("%s: %s differs between the control planes", masters[n].IP, EncryptionFile)
		}
		content = max(content, c)
	}
	if content == "" {
		key := make([]byte, 32)
		if _, err := rand.Read(key); err != nil {
			return err
		}
		content = fmt.Sprintf(encryptionConfig, base64.StdEncoding.EncodeToString(key))
	}
	for n, m := range masters {
		if found[n] != "" {
			i.Log("%s: keeping the encryption key that is there", m.IP)
			continue
		}
		if err := m.Put(ctx, []machine.File{{Path: EncryptionFile, Mode: 0o600, Data: []byte(content)}}); err != nil {
			return fmt.Errorf("%s: %w", m.IP, err)
		}
	}
	return nil
}

const encryptionConfig = `apiVersion: apiserver.config.k8s.io/v1
kind: EncryptionConfiguration
resources:
- resources:
  - secrets
  providers:
  - aescbc:
      keys:
      - name: key1
        secret: %s
  - identity: {}
`
