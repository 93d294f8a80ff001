package lab

import (
	"os"
	"path/filepath"
)

// SiteStore makes dir a worker's site store that holds the lab's site document
// under the site's name, which is the lab's.
func (l *Lab) SiteStore(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	doc, err := os.ReadFile(filepath.Join(l.Dir(), FileSite))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, l.Name()+".yaml"), doc, 0o600)
}
