package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"waymark/mgmt/salt"
	"waymark/mgmt/salt/crypt"
)

// keyBits of a new identity: Salt's default. Larger ones take minutes on the
// smallest boxes and protect a signature nobody keeps.
const keyBits = 2048

// ErrNoAssetID: nothing on the machine names it.
var ErrNoAssetID = errors.New("no asset id: name one with -asset-id")

// placeholders are what firmware says when nobody set a serial number.
var placeholders = []string{
	"to be filled by o.e.m.", "default string", "system serial number", "not specified", "not applicable", "none", "n/a", "unknown", "invalid",
	"0123456789", "123456789", "chassis serial number",
}

// AssetID names the box as its agent does, for others who speak of it.
func AssetID(root fs.FS, told string) (string, error) { return assetID(root, told) }

// assetID names the box: as told, by kernel argument, DMI product serial,
// device-tree serial number, or the first Ethernet address.
func assetID(root fs.FS, told string) (string, error) {
	if told != "" {
		return told, nil
	}
	for _, id := range []string{
		kernelArgument(text(root, "proc/cmdline"), "waymark.asset-id"),
		serial(text(root, "sys/class/dmi/id/product_serial")),
		serial(text(root, "proc/device-tree/serial-number")),
		ethernetID(root),
	} {
		if salt.ValidID(id) {
			return id, nil
		}
	}
	return "", ErrNoAssetID
}

// text reads a small file; "" if it cannot be read.
func text(root fs.FS, name string) string {
	raw, err := fs.ReadFile(root, name)
	if err != nil {
		return ""
	}
	return strings.Trim(string(raw), " \t\r\n\x00")
}

func kernelArgument(cmdline, name string) string {
	for word := range strings.FieldsSeq(cmdline) {
		if v, ok := strings.CutPrefix(word, name+"="); ok {
			return v
		}
	}
	return ""
}

// serial is "" for what is none. Blanks within, which some vendors have, become
// dashes.
func serial(s string) string {
	if slices.Contains(placeholders, strings.ToLower(s)) || strings.Trim(s, "0-. xX") == "" {
		return ""
	}
	return strings.Join(strings.Fields(s), "-")
}

// ethernetID is wm- and the address of the first Ethernet interface by name; a
// real device goes before a virtual one.
func ethernetID(root fs.FS) string {
	list, err := fs.ReadDir(root, "sys/class/net")
	if err != nil {
		return ""
	}
	virtual := ""
	for _, e := range list { // sorted by name
		dir := "sys/class/net/" + e.Name()
		mac := strings.ReplaceAll(text(root, dir+"/address"), ":", "")
		if text(root, dir+"/type") != "1" || len(mac) != 12 || strings.Trim(mac, "0") == "" {
			continue
		}
		if _, err := fs.Stat(root, dir+"/device"); err == nil {
			return "wm-" + mac
		}
		if virtual == "" {
			virtual = "wm-" + mac
		}
	}
	return virtual
}

// ownKey reads the box's key or makes it on the first run. A key that is there
// and cannot be read is an error: a new one would make the box a stranger.
func ownKey(dir string, log *slog.Logger) (*crypt.Private, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("keep identity: %w", err)
	}
	path := filepath.Join(dir, "salt.pem")
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		log.Info("agent: making the box's key")
		k, err := crypt.Generate(keyBits)
		if err != nil {
			return nil, err
		}
		return k, replace(path, k.PEM(), 0o600)
	case err != nil:
		return nil, fmt.Errorf("read identity: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, fmt.Errorf("keep identity: %w", err)
	}
	k, err := crypt.ParsePrivate(raw)
	if err != nil {
		return nil, fmt.Errorf("read identity %s: %w", path, err)
	}
	return k, nil
}

// replace writes a file whole or not at all, power cuts included.
func replace(path string, data []byte, mode fs.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(f.Name()) // gone already if all went well
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		_ = d.Sync() // not every file system can
		d.Close()
	}
	return nil
}

// pinned is a file that holds a master's key.
type pinned struct {
	mu   sync.Mutex
	path string
}

func pinFile(path string) *pinned { return &pinned{path: path} }

// Load implements minion.Pin.
func (p *pinned) Load() (*crypt.Public, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	raw, err := os.ReadFile(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return crypt.ParsePublic(string(raw))
}

// Store implements minion.Pin.
func (p *pinned) Store(k *crypt.Public) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return replace(p.path, []byte(k.PEM()+"\n"), 0o600)
}
