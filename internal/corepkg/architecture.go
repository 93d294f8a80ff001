package corepkg

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"slices"
)

// Hybrid is the package that carries both architectures (PKG-03).
const Hybrid = "hybrid"

const (
	elfHead   = 20      // bytes up to and with e_machine
	imageSize = 1 << 20 // bytes; configurations of images are a few KiB
)

// look reads a file's content to its end and notes what it was built for.
func (c *contents) look(size int64, content io.Reader) error {
	head := make([]byte, elfHead)
	n, err := io.ReadFull(content, head)
	if err != nil && !errors.Is(err, io.EOF) && (n == 0 || int64(n) < size) {
		return err
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte(elf.ELFMAG)):
		note(&c.programs, programArchitecture(head))
	case size <= imageSize && bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")):
		rest, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		note(&c.images, imageArchitecture(slices.Concat(head, rest)))
		return nil
	}
	_, err = io.Copy(io.Discard, content)
	return err
}

func note(list *[]string, arch string) {
	if arch != "" && !slices.Contains(*list, arch) {
		*list = append(*list, arch)
	}
}

// programArchitecture reads e_type and e_machine of an ELF header. Object
// files don't count: kernel modules and BPF are no programs of the installer.
func programArchitecture(head []byte) string {
	if len(head) < elfHead {
		return ""
	}
	order := binary.ByteOrder(binary.LittleEndian)
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	kind, machine := elf.Type(order.Uint16(head[16:])), elf.Machine(order.Uint16(head[18:]))
	if kind != elf.ET_EXEC && kind != elf.ET_DYN {
		return ""
	}
	return map[elf.Machine]string{elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64"}[machine]
}

// imageArchitecture reads the configuration of a container image (OCI image
// specification), as a registry's or an image layout's blobs hold it.
func imageArchitecture(data []byte) string {
	var config struct {
		Architecture string          `json:"architecture"`
		OS           string          `json:"os"`
		RootFS       json.RawMessage `json:"rootfs"`
	}
	if json.Unmarshal(data, &config) != nil || config.OS != "linux" || config.RootFS == nil {
		return ""
	}
	if config.Architecture != "amd64" && config.Architecture != "arm64" {
		return ""
	}
	return config.Architecture
}

// architecture prefers the images, which is what differs between the vendor's
// packages: command-line tools for other machines may lie in any of them.
func (c *contents) architecture() string {
	found := c.images
	if len(found) == 0 {
		found = c.programs
	}
	switch len(found) {
	case 0:
		return ""
	case 1:
		return found[0]
	}
	return Hybrid
}
