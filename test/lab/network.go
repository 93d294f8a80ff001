package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// makeBridge creates the lab's bridge with the host's address on it. The
// machine forwards nothing that enters through it, whatever its global
// setting says, so the lab reaches no other network.
func makeBridge(ctx context.Context, s *state) error {
	host := octet(s.Subnet, hostOctet) + "/24"
	for _, args := range [][]string{
		{"link", "add", "name", s.Bridge, "type", "bridge"},
		{"link", "set", "dev", s.Bridge, "alias", "acpflow lab " + s.Name},
	} {
		if err := run(ctx, "ip", args...); err != nil {
			return err
		}
	}
	for key, value := range map[string]string{
		"ipv4/conf/" + s.Bridge + "/forwarding": "0",
		"ipv6/conf/" + s.Bridge + "/forwarding": "0",
		"ipv6/conf/" + s.Bridge + "/accept_ra":  "0",
	} {
		err := os.WriteFile(filepath.Join("/proc/sys/net", key), []byte(value), 0)
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
			return fmt.Errorf("lab: %s: %w", key, err)
		}
	}
	if err := run(ctx, "ip", "address", "add", host, "dev", s.Bridge); err != nil {
		return err
	}
	return run(ctx, "ip", "link", "set", "dev", s.Bridge, "up")
}

// removeBridge removes the lab's bridge and whatever is still plugged in it.
func removeBridge(ctx context.Context, bridge string) error {
	if !interfaceExists(bridge) {
		return nil
	}
	ports, err := filepath.Glob("/sys/class/net/" + bridge + "/brif/*")
	if err != nil {
		return err
	}
	for _, port := range ports {
		if err := removeLink(ctx, filepath.Base(port)); err != nil {
			return err
		}
	}
	return removeLink(ctx, bridge)
}

// removeLink removes an interface. The far end of a veth pair takes the near
// end with it when its node dies, so losing that race is success.
func removeLink(ctx context.Context, name string) error {
	err := run(ctx, "ip", "link", "delete", "dev", name)
	if err != nil && !interfaceExists(name) {
		return nil
	}
	return err
}

func interfaceExists(name string) bool {
	_, err := os.Lstat("/sys/class/net/" + name)
	return err == nil
}

// hostEnd returns the name of this machine's end of a node's cable, "" when
// the node has none.
func hostEnd(init int) string {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/sys/class/net/host0/iflink", init))
	if err != nil {
		return ""
	}
	want, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return ""
	}
	paths, _ := filepath.Glob("/sys/class/net/*/ifindex")
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if got, err := strconv.Atoi(strings.TrimSpace(string(data))); err == nil && got == want {
			return filepath.Base(filepath.Dir(path))
		}
	}
	return ""
}
