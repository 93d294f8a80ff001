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
	FilePackage       = "acp-core.tar"
)

// files are those of every lab, so that they can be removed whichever were
// written; a package that Up builds comes on top.
var files = []string{
	FileSite, FileDescription, FileKey, FileKey + ".pub", FilePassword, FileAdminPassword,
	FileKnownHosts, FileTSIG, FileCA, FileCertificate, FileCertKey,
}

// writeFiles writes all but the site document and the package. Only the owner
// may read them: most are secrets.
func (l *Lab) writeFiles(keys *keyring) error {
	certs, err := newCertificates(l.state.Clusters, time.Now())
	if err != nil {
		return err
	}
	description, err := json.MarshalIndent(l.Describe(), "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(l.state.Dir, 0o700); err != nil {
		return err
	}
	for name, text := range map[string]string{
		FileDescription:   string(description) + "\n",
		FileKey:           keys.userKey,
		FileKey + ".pub":  keys.authorized,
		FilePassword:      keys.password + "\n",
		FileAdminPassword: keys.admin + "\n",
		FileKnownHosts:    l.knownHosts(),
		FileTSIG: fmt.Sprintf("key \"%s\" {\n\talgorithm %s;\n\tsecret \"%s\";\n};\n",
			strings.TrimSuffix(TSIGName, "."), TSIGAlgorithm, keys.tsig),
		FileCA:          certs.ca,
		FileCertificate: certs.chain,
		FileCertKey:     certs.key,
	} {
		if err := l.writeFile(name, text); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lab) writeSite(pkg site.Package, change func(*site.Site)) error {
	text, err := l.siteYAML(pkg, change)
	if err != nil {
		return err
	}
	return l.writeFile(FileSite, text)
}

func (l *Lab) writeFile(name, text string) error {
	return replaceFile(filepath.Join(l.state.Dir, name), []byte(text), 0o600)
}

func (l *Lab) knownHosts() string {
	var b strings.Builder
	for _, n := range l.state.Nodes {
		fmt.Fprintf(&b, "%s %s\n", n.Address, n.HostKey)
	}
	return b.String()
}

// removeFiles removes what Up wrote, whole or half, and Dir when nothing else
// is in it.
func (s *state) removeFiles() error {
	for _, name := range s.Files {
		paths := []string{filepath.Join(s.Dir, name), filepath.Join(s.Dir, name+".new")}
		half, err := filepath.Glob(filepath.Join(s.Dir, "."+name+"-*"))
		if err != nil {
			return err
		}
		for _, path := range append(paths, half...) {
			if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	if entries, err := os.ReadDir(s.Dir); err == nil && len(entries) == 0 {
		return os.Remove(s.Dir)
	}
	return nil
}
