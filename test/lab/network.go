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
		if err := ip(ctx, args...); err != nil {
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
	if err := ip(ctx, "address", "add", host, "dev", s.Bridge); err != nil {
		return err
	}
	return ip(ctx, "link", "set", "dev", s.Bridge, "up")
}

// meet makes sure that the node reaches the others, by asking the resolver.
func (n *Node) meet(ctx context.Context) error {
	_, err := n.Exec(ctx, "getent", "ahostsv4", Domain)
	if err == nil {
		return nil
	}
	filtered, _ := os.ReadFile("/proc/sys/net/bridge/bridge-nf-call-iptables")
	if strings.TrimSpace(string(filtered)) != "1" {
		return fmt.Errorf("lab %s: %s does not reach the lab's name server: %w", n.lab.state.Name, n.Name, err)
	}
	return fmt.Errorf("lab %s: %s does not reach the lab's name server: this machine's firewall filters bridges, "+
		"as container engines set it up. Let the lab's pass: iptables -I FORWARD -i acp-+ -o acp-+ -j ACCEPT: %w",
		n.lab.state.Name, n.Name, err)
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
	err := ip(ctx, "link", "delete", "dev", name)
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
