// Package efivar reads what systemd-boot tells the system it started
// (https://systemd.io/BOOT_LOADER_INTERFACE): variables of the firmware that live
// until the next boot.
package efivar

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf16"
)

// Dir is where the kernel shows variables, once efivarfs is mounted.
const Dir = "/sys/firmware/efi/efivars"

const loader = "-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f" // the loader's namespace

// Loader is what the loader says.
type Loader struct {
	Entry     string // the entry it started: name of the file, in small letters
	Partition string // GUID of the partition it was started from, in small letters
}

// ReadLoader reads the variables below dir. Without them, after a boot by other
// means, the error is fs.ErrNotExist.
func ReadLoader(dir string) (l Loader, err error) {
	if l.Entry, err = read(filepath.Join(dir, "LoaderEntrySelected"+loader)); err != nil {
		return Loader{}, err
	}
	if l.Partition, err = read(filepath.Join(dir, "LoaderDevicePartUUID"+loader)); err != nil {
		return Loader{}, err
	}
	return l, nil
}

// read reads one variable: attributes, 4 bytes, then UTF-16 with a NUL.
func read(path string) (string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("read firmware variable: %w", err)
	}
	var text []uint16
	for i := 4; i+1 < len(b); i += 2 {
		c := binary.LittleEndian.Uint16(b[i:])
		if c == 0 {
			break
		}
		text = append(text, c)
	}
	if len(text) == 0 {
		return "", fmt.Errorf("read firmware variable %s: it is empty", filepath.Base(path))
	}
	return strings.ToLower(string(utf16.Decode(text))), nil
}
