package lab

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// seedFile is one file of a node's pristine disk that differs from the image.
type seedFile struct {
	data  string
	mode  fs.FileMode
	owner string // "" = root, else a user of the image
	link  bool   // data is the target of a symbolic link
}

// seed lays out what makes the image this node: name, address, keys, the
// services of its role.
func (n *Node) seed(keys *keyring) error {
	files := map[string]seedFile{
		"etc/hostname":                         {data: n.Name + "\n", mode: 0o644},
		"etc/hosts":                            {data: n.hosts(), mode: 0o644},
		"etc/resolv.conf":                      {data: "nameserver " + n.lab.state.resolver() + "\n", mode: 0o644},
		"etc/machine-id":                       {data: keys.machineID(n.machine()) + "\n", mode: 0o444},
		"etc/systemd/network/10-host0.network": {data: n.network(), mode: 0o644},
		"etc/ssh/ssh_host_ed25519_key":         {data: keys.host[n.Name], mode: 0o600},
		"etc/ssh/ssh_host_ed25519_key.pub":     {data: n.HostKey + "\n", mode: 0o644},
		"root/.ssh/authorized_keys":            {data: keys.authorized, mode: 0o600},
		"home/ops/.ssh/authorized_keys":        {data: keys.authorized, mode: 0o600, owner: "ops"},
	}
	shadow, err := n.shadow(keys)
	if err != nil {
		return err
	}
	files["etc/shadow"] = shadow
	switch n.Role {
	case DNS:
		n.seedDNS(files, keys)
	case Balancer:
		n.seedBalancer(files)
	}
	return n.plant(files)
}

func (n *Node) network() string {
	text := "[Match]\nName=host0\n\n[Network]\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=no\n" +
		"Address=" + n.Address + "/24\n"
	if n.Role == DNS {
		text += "Address=" + n.lab.state.resolver() + "/24\nAddress=" + n.lab.state.secondary() + "/24\n"
	}
	return text + "Gateway=" + octet(n.lab.state.Subnet, hostOctet) + "\n"
}

func (n *Node) hosts() string {
	return fmt.Sprintf("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n%s %s.%s %s\n", n.Address, n.Name, Zone, n.Name)
}

// shadow is the image's password file with the lab's password for root and ops.
func (n *Node) shadow(keys *keyring) (seedFile, error) {
	data, err := os.ReadFile(filepath.Join(n.lab.state.Image, "etc/shadow"))
	if err != nil {
		return seedFile{}, err
	}
	var b strings.Builder
	for line := range strings.Lines(string(data)) {
		f := strings.Split(line, ":")
		if f[0] == "root" || f[0] == "ops" {
			f[1] = keys.passwordHash
		}
		b.WriteString(strings.Join(f, ":"))
	}
	return seedFile{data: b.String(), mode: 0o640}, nil
}

// plant writes the files as a layer over the image. A directory of the upper
// layer hides the attributes of the same directory below, so those are copied.
func (n *Node) plant(files map[string]seedFile) error {
	top := filepath.Join(n.dir(), "seed")
	if err := os.RemoveAll(top); err != nil {
		return err
	}
	if err := os.MkdirAll(top, 0o755); err != nil {
		return err
	}
	for name, f := range files {
		uid, gid, err := n.account(f.owner)
		if err != nil {
			return err
		}
		if err := n.plantDirs(top, filepath.Dir(name), uid, gid); err != nil {
			return err
		}
		if err := f.write(filepath.Join(top, name), uid, gid); err != nil {
			return err
		}
	}
	return nil
}

func (f seedFile) write(path string, uid, gid int) error {
	if f.link {
		return os.Symlink(f.data, path)
	}
	if err := os.WriteFile(path, []byte(f.data), f.mode); err != nil {
		return err
	}
	if err := os.Chmod(path, f.mode); err != nil { // whatever the umask
		return err
	}
	return os.Chown(path, uid, gid)
}

// plantDirs makes the parents of a seeded file; those the image lacks belong
// to the file's owner, and .ssh to nobody else.
func (n *Node) plantDirs(top, dir string, uid, gid int) error {
	if dir == "." {
		return nil
	}
	if err := n.plantDirs(top, filepath.Dir(dir), uid, gid); err != nil {
		return err
	}
	path := filepath.Join(top, dir)
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	mode := fs.FileMode(0o755)
	if filepath.Base(dir) == ".ssh" {
		mode = 0o700
	}
	if info, err := os.Stat(filepath.Join(n.lab.state.Image, dir)); err == nil {
		mode = info.Mode()
		stat := info.Sys().(*syscall.Stat_t)
		uid, gid = int(stat.Uid), int(stat.Gid)
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(path, mode); err != nil {
		return err
	}
	return os.Chown(path, uid, gid)
}

// account looks up the numbers of a user of the image; "" is root.
func (n *Node) account(user string) (uid, gid int, err error) {
	if user == "" {
		return 0, 0, nil
	}
	data, err := os.ReadFile(filepath.Join(n.lab.state.Image, "etc/passwd"))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Split(line, ":")
		if f[0] != user || len(f) < 4 {
			continue
		}
		uid, err = strconv.Atoi(f[2])
		if err == nil {
			gid, err = strconv.Atoi(f[3])
		}
		return uid, gid, err
	}
	return 0, 0, fmt.Errorf("lab: the image has no user %s; remove %s to have it built again", user, n.lab.state.Image)
}

// seeded reads a file of the node's pristine disk.
func (n *Node) seeded(name string) (string, error) {
	data, err := os.ReadFile(filepath.Join(n.dir(), "seed", name))
	return string(data), err
}
