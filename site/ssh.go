package site

import (
	"encoding/base64"
	"encoding/binary"
	"path"
	"slices"
	"strings"
)

func checkSSH(j *judge) {
	j.clusters(func(c *Cluster, at string) {
		ssh := child(at, "ssh")
		j.credentials(ssh, c.SSH.PrivateKey, c.SSH.Passphrase, c.SSH.User, c.SSH.Port)
		if c.SSH.PrivateKey == "" && c.SSH.Password == "" {
			j.fail(ssh, "set privateKey or password", "the installer logs in to the nodes by itself and needs a key or a password; an agent is of no use to it")
		}
		if k := c.SSH.KnownHosts; k != "" && !path.IsAbs(k) {
			j.fail(child(ssh, "knownHosts"), "write the path from / on", "the path of the file on the worker is not absolute")
		}
		if c.SSH.Jump != nil {
			checkJump(j, c, child(ssh, "jump"))
		}
		for i, n := range c.Nodes {
			j.hostKey(child(item(child(at, "nodes"), i), "hostKey"), n.HostKey, c.SSH.KnownHosts)
		}
	})
}

func checkJump(j *judge, c *Cluster, at string) {
	jump := c.SSH.Jump
	j.credentials(at, jump.PrivateKey, jump.Passphrase, jump.User, jump.Port)
	if jump.PrivateKey == "" && jump.Password == "" && !c.SSH.Agent {
		j.fail(at, "set privateKey, password or ssh.agent", "there is no way to log in to the jump host")
	}
	if _, ip := parseIP(jump.Address); jump.Address != "" && !ip && !isDomain(jump.Address) {
		j.fail(child(at, "address"), "write a host name or an IP address; the port has a field of its own", "%q is no host", shorten(jump.Address))
	}
	j.hostKey(child(at, "hostKey"), jump.HostKey, c.SSH.KnownHosts)
}

func (j *judge) credentials(at string, key, passphrase Ref, user string, port int) {
	if passphrase != "" && key == "" {
		j.fail(child(at, "passphrase"), "set privateKey as well, or drop passphrase", "a passphrase without a private key")
	}
	if strings.ContainsAny(user, " \t\n:@") {
		j.fail(child(at, "user"), "write the login name only", "%q is no login name", shorten(user))
	}
	if port < 1 || port > 65535 {
		j.fail(child(at, "port"), "use 1 to 65535", "%d is no port", port)
	}
}

// hostKey wants a key pinned in the document or a known_hosts file that may
// hold it.
func (j *judge) hostKey(at, pinned, knownHosts string) {
	switch {
	case pinned == "" && knownHosts == "":
		j.fail(at, "pin the key here (ssh-keyscan prints it, compare it with the machine's console) or name a file in ssh.knownHosts", "the host key would be accepted unseen")
	case pinned != "" && !isHostKey(pinned):
		j.fail(at, "write it like a line of authorized_keys: ssh-ed25519 AAAA…", "this is no SSH public key")
	}
}

var keyTypes = []string{"ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"}

// isHostKey checks the outer form of a public key: the type in front must be
// the one inside the coded part (RFC 4253 §6.6).
func isHostKey(s string) bool {
	fields := strings.Fields(s)
	if len(fields) < 2 || !slices.Contains(keyTypes, fields[0]) {
		return false
	}
	blob, err := base64.StdEncoding.DecodeString(fields[1])
	if err != nil || len(blob) < 4 {
		return false
	}
	size := binary.BigEndian.Uint32(blob)
	return uint64(size) < uint64(len(blob)-4) && string(blob[4:4+size]) == fields[0]
}
