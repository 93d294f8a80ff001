package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/acpflow/acpflow/site"
)

// The files a lab writes for its users, below Dir.
const (
	FileSite          = "site.yaml"
	FileDescription   = "lab.json"
	FileKey           = "id_ed25519"
	FilePassword      = "ssh-password"
	FileAdminPassword = "admin-password"
	FileKnownHosts    = "known_hosts"
	FileTSIG          = "tsig.key"
	FileCA            = "platform-ca.crt"
	FileCertificate   = "platform.crt"
	FileCertKey       = "platform.key"
)

// writeFiles records the names of the files, then writes them. Everything
// secret is readable by its owner only.
func (l *Lab) writeFiles(keys *keyring, pkg site.Package) error {
	files := map[string]string{
		FileKey:           keys.userKey,
		FileKey + ".pub":  keys.authorized,
		FilePassword:      keys.password + "\n",
		FileAdminPassword: keys.admin + "\n",
		FileKnownHosts:    l.knownHosts(),
		FileTSIG: fmt.Sprintf("key \"%s\" {\n\talgorithm %s;\n\tsecret \"%s\";\n};\n",
			strings.TrimSuffix(TSIGName, "."), TSIGAlgorithm, keys.tsig),
	}
	certs, err := newCertificates(l.state.Clusters, time.Now())
	if err != nil {
		return err
	}
	files[FileCA], files[FileCertificate], files[FileCertKey] = certs.ca, certs.chain, certs.key
	if files[FileSite], err = l.siteYAML(pkg); err != nil {
		return err
	}
	description, err := json.MarshalIndent(l.Describe(), "", "  ")
	if err != nil {
		return err
	}
	files[FileDescription] = string(description) + "\n"
	l.state.Files = nil
	for name := range files {
		l.state.Files = append(l.state.Files, name)
	}
	if err := l.state.save(); err != nil {
		return err
	}
	if err := os.MkdirAll(l.state.Dir, 0o700); err != nil {
		return err
	}
	for name, text := range files {
		if err := replaceFile(filepath.Join(l.state.Dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) knownHosts() string {
	var b strings.Builder
	for _, n := range l.state.Nodes {
		fmt.Fprintf(&b, "%s %s\n", n.Address, n.HostKey)
	}
	return b.String()
}

// removeFiles removes what writeFiles wrote, and Dir when nothing else is in it.
func (s *state) removeFiles() error {
	for _, name := range s.Files {
		for _, path := range []string{name, name + ".new"} {
			if err := os.Remove(filepath.Join(s.Dir, path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if entries, err := os.ReadDir(s.Dir); err == nil && len(entries) == 0 {
		return os.Remove(s.Dir)
	}
	return nil
}
