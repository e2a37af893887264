package pid1

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"waymark/image/disk"
	"waymark/image/ext4"
	"waymark/image/gpt"
	"waymark/net/keep"
)

// useData mounts the data partition and, if it is ruined, makes it anew with what
// can still be read of configuration and identity. A version on trial does not
// judge: perhaps it is itself what cannot read.
func (i *Init) useData(device string) (*data, error) {
	d, err := mountData(i.loader, device)
	if err == nil {
		if err = d.probe(); !ruined(err) {
			return d, nil // perhaps full: what is there can be read
		}
	}
	if !ruined(err) || i.slots.trial {
		return nil, errors.Join(err, d.unmount())
	}
	i.log.Error("data partition is ruined, make it anew", "device", device, "error", err)
	var files []ext4.File
	if !d.resetAsked() {
		files = d.salvage("config", "identity")
	}
	if err := d.unmount(); err != nil {
		return nil, err
	}
	if err := formatData(device, files); err != nil {
		return nil, err
	}
	i.tell(report{"event": "data-made-anew", "files": len(files)})
	return mountData(i.loader, device)
}

// ruined tells a file system that is beyond its journal from one that cannot be
// mounted for other reasons.
func ruined(err error) bool {
	for _, e := range []error{unix.EINVAL, unix.EUCLEAN, unix.EBADMSG, unix.EROFS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// probe writes: a file system with errors mounts, but does not let us.
func (d *data) probe() error {
	name := filepath.Join(d.root, ".probe")
	if err := keep.Replace(name, []byte("x"), 0o600); err != nil {
		return err
	}
	return os.Remove(name)
}

func (d *data) unmount() error {
	if d == nil {
		return nil
	}
	return unix.Unmount(d.root, 0)
}

// maxSalvage bounds what is kept in memory of one file.
const maxSalvage = 4 << 20

// salvage reads what can be read below the folders.
func (d *data) salvage(folders ...string) (files []ext4.File) {
	if d == nil {
		return nil
	}
	for _, f := range folders {
		_ = filepath.WalkDir(filepath.Join(d.root, f), func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return nil // what cannot be read is lost, the rest is not
			}
			if info, err := e.Info(); err != nil || info.Size() > maxSalvage {
				return nil
			}
			if b, err := os.ReadFile(path); err == nil {
				name, _ := filepath.Rel(d.root, path)
				files = append(files, ext4.File{Path: name, Mode: 0o600, Data: b})
			}
			return nil
		})
	}
	return files
}

func formatData(device string, files []ext4.File) (err error) {
	d, err := disk.OpenDevice(device, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	var id gpt.GUID
	if _, err := unix.Getrandom(id[:], 0); err != nil {
		return err
	}
	if err := disk.FormatData(d, d.Size, gpt.FromSeed(id), uint32(time.Now().Unix()), files...); err != nil {
		return err
	}
	return d.Sync()
}
