package safecopy

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// Text writes a text that ends with its seal.
type Text struct {
	to  io.Writer
	sum hash.Hash
}

// NewText seals what is written to it.
func NewText(to io.Writer) *Text { return &Text{to: to, sum: sha256.New()} }

// Write implements io.Writer. What is written must end with a newline.
func (t *Text) Write(p []byte) (int, error) {
	n, err := t.to.Write(p)
	_, _ = t.sum.Write(p[:n]) // never fails
	return n, err
}

// Seal ends the text. Without it the text does not count as whole.
func (t *Text) Seal() error {
	_, err := io.WriteString(t.to, "# sha256 "+hex.EncodeToString(t.sum.Sum(nil))+"\n")
	return err
}
