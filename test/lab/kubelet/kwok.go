package kubelet

import (
	"context"
	_ "embed"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// stages tell kwok how the node and its Pods come to life.
//
//go:embed stages.yaml
var stages []byte

const (
	kubeletDir = "/var/lib/kubelet"
	servePort  = "10250"
)

// keepKwok runs kwok for this node alone, so that a node whose kubelet is
// stopped, or that is switched off, becomes NotReady while the others stay.
func keepKwok(ctx context.Context, c Config) {
	file := filepath.Join(kubeletDir, "kwok-stages.yaml")
	for ctx.Err() == nil {
		if err := os.WriteFile(file, stages, 0o600); err != nil {
			slog.Error("kwok", "error", err)
		} else if apiReady(ctx, c) {
			runKwok(ctx, c, file)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func apiReady(ctx context.Context, c Config) bool {
	client, err := connect(c)
	return err == nil && client.Healthy(ctx, "/readyz") == nil
}

func runKwok(ctx context.Context, c Config, file string) {
	pki := filepath.Join(kubeletDir, "pki")
	cmd := exec.CommandContext(ctx, filepath.Join(c.Programs, "kwok"),
		"--config="+file,
		"--kubeconfig="+c.Kubeconfig,
		"--manage-single-node="+c.NodeName,
		"--node-lease-duration-seconds=40",
		"--node-ip="+c.v4(),
		"--node-name="+c.NodeName,
		"--node-port="+servePort,
		"--server-address=0.0.0.0:"+servePort,
		"--tls-cert-file="+filepath.Join(pki, "kubelet.crt"),
		"--tls-private-key-file="+filepath.Join(pki, "kubelet.key"),
	)
	cmd.Env = append(os.Environ(), "HOME=/root")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Run(); err != nil && ctx.Err() == nil {
		slog.Warn("kwok ended", "error", strings.TrimSpace(err.Error()))
	}
}
