package clusterdns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/acpflow/acpflow/test/lab/kubeapi"
)

const (
	coreDNS    = "/opt/acp-lab/coredns"
	configPath = "/api/v1/namespaces/" + Namespace + "/configmaps/" + ConfigMap
)

// RunPod becomes the CoreDNS of one Pod, which answers at address.
func RunPod(ctx context.Context, api *kubeapi.Client, uid, address string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	var config struct {
		Data map[string]string `json:"data"`
	}
	if err := api.Get(ctx, configPath, &config); err != nil {
		return err
	}
	text, moved := atPort(config.Data["Corefile"], host, port)
	if !moved {
		return errors.New("the Corefile serves no .:53")
	}
	dir := filepath.Join("/run/coredns", uid)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	file := filepath.Join(dir, "Corefile")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return err
	}
	return fmt.Errorf("%s: %w", coreDNS, syscall.Exec(coreDNS, []string{"coredns", "-conf", file}, os.Environ()))
}

// atPort moves the server from port 53 of the Pod to the Pod's port on its node.
func atPort(corefile, host, port string) (string, bool) {
	moved := strings.Replace(corefile, ".:53 {\n", ".:"+port+" {\n    bind "+host+"\n", 1)
	return moved, moved != corefile
}
