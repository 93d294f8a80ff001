package lab

import (
	"context"
	"fmt"
	"maps"
	"slices"
)

// PowerOff stops the node at once, as if its plug were pulled. Its disk stays.
func (n *Node) PowerOff(ctx context.Context) error { return n.stop(ctx) }

// PowerOn boots the node and waits until it answers.
func (n *Node) PowerOn(ctx context.Context) error { return n.boot(ctx) }

// Fault is something the lab can break on a node and mend again.
type Fault string

// The faults.
const (
	// HostKeyChanged gives the node a new SSH host key, as a reinstalled or
	// impersonated machine would have.
	HostKeyChanged Fault = "hostkey"
	// SudoPassword makes sudo demand a password from the user ops.
	SudoPassword Fault = "sudo"
	// DiskFull puts the package directory on a disk of a few megabytes.
	DiskFull Fault = "disk"
	// ReloadFails makes systemctl reload of HAProxy fail; it serves on.
	ReloadFails Fault = "reload"
	// PoweredOff is a dead node.
	PoweredOff Fault = "off"
)

// reloadDropIn breaks HAProxy's reload, packageDir is where the Core Package goes by default (GEN-06), and fullDisk
// how much fits there while DiskFull holds.
const (
	reloadDropIn = "/etc/systemd/system/haproxy.service.d/lab-fault.conf"
	packageDir   = "/root/cpaas-install"
	fullDisk     = "8m"
)

// Faults maps every fault to what it does, for help texts.
var Faults = map[Fault]string{
	HostKeyChanged: "a new SSH host key on the node",
	SudoPassword:   "sudo demands a password from " + User,
	DiskFull:       packageDir + " is a disk of " + fullDisk,
	ReloadFails:    "HAProxy cannot be reloaded",
	PoweredOff:     "the node is powered off",
}

// Break applies a fault to the running node.
func (n *Node) Break(ctx context.Context, f Fault) error {
	switch f {
	case HostKeyChanged:
		private, public, err := newSSHKey("")
		if err != nil {
			return err
		}
		return n.setHostKey(ctx, private, public)
	case SudoPassword:
		return n.setSudo(ctx, "ALL")
	case DiskFull:
		_, err := n.Script(ctx, "mkdir -p "+packageDir+"; mountpoint -q "+packageDir+
			" || mount -t tmpfs -o size="+fullDisk+",mode=0700 lab-disk-full "+packageDir)
		return err
	case ReloadFails:
		if err := n.WriteFile(ctx, reloadDropIn, []byte("[Service]\nExecReload=\nExecReload=/bin/false\n"), "0644"); err != nil {
			return err
		}
		_, err := n.Exec(ctx, "systemctl", "daemon-reload")
		return err
	case PoweredOff:
		return n.PowerOff(ctx)
	}
	return unknownFault(f)
}

// Mend takes a fault away again. A fault that does not hold is fine.
func (n *Node) Mend(ctx context.Context, f Fault) error {
	switch f {
	case HostKeyChanged:
		private, err := n.seeded("etc/ssh/ssh_host_ed25519_key")
		if err != nil {
			return err
		}
		return n.setHostKey(ctx, private, n.HostKey)
	case SudoPassword:
		return n.setSudo(ctx, "NOPASSWD:ALL")
	case DiskFull:
		_, err := n.Script(ctx, "! mountpoint -q "+packageDir+" || umount "+packageDir)
		return err
	case ReloadFails:
		_, err := n.Script(ctx, "rm -f "+reloadDropIn+"; systemctl daemon-reload")
		return err
	case PoweredOff:
		return n.PowerOn(ctx)
	}
	return unknownFault(f)
}

func unknownFault(f Fault) error {
	return fmt.Errorf("lab: no fault %q; there are %v", f, slices.Sorted(maps.Keys(Faults)))
}

// setHostKey changes the key on disk; sshd reads it again when it is told to.
func (n *Node) setHostKey(ctx context.Context, private, public string) error {
	if err := n.WriteFile(ctx, "/etc/ssh/ssh_host_ed25519_key", []byte(private), "0600"); err != nil {
		return err
	}
	if err := n.WriteFile(ctx, "/etc/ssh/ssh_host_ed25519_key.pub", []byte(public+"\n"), "0644"); err != nil {
		return err
	}
	_, err := n.Exec(ctx, "systemctl", "restart", "ssh.service")
	return err
}

func (n *Node) setSudo(ctx context.Context, tag string) error {
	return n.WriteFile(ctx, "/etc/sudoers.d/"+User, []byte(User+" ALL=(ALL) "+tag+"\n"), "0440")
}

// RestartAPIServer ends the node's kube-apiserver; its kubelet starts another.
func (n *Node) RestartAPIServer(ctx context.Context) error {
	_, err := n.Script(ctx, `id=$(crictl ps --name kube-apiserver --quiet | head -n 1)
test -n "$id" || { echo "no kube-apiserver runs here" >&2; exit 1; }
crictl rm --force "$id"`)
	return err
}
