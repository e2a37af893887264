package pid1

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"waymark/board"
)

// crashFile has the runtime's last words, in the folder log of the data partition.
const crashFile = "crash.txt"

// DataDir is where the data partition is mounted.
const DataDir = "/data"

// data is the mounted data partition; nil: there is none, and nothing lasts.
type data struct{ root, device string }

// dir is a folder of it, made if need be; "" without partition.
func (d *data) dir(name string) string {
	if d == nil {
		return ""
	}
	path := filepath.Join(d.root, name)
	_ = os.MkdirAll(path, 0o700) // writing into it will tell
	return path
}

// errNoData: no partition has our label.
var errNoData = errors.New("no partition " + board.DataLabel)

// openData mounts the data partition, if there is one. From then on also a fault
// of the runtime leaves its words there.
func (i *Init) openData() {
	device, err := i.slots.found.Data, error(nil)
	if device == "" {
		device, err = awaitData(i.board.Flash.Wait)
	}
	if err == nil {
		i.data, err = i.useData(device)
	}
	if err == nil {
		// Half a reset is nobody's box: without the partition it is at least whole.
		if err = i.data.finishReset(); err != nil {
			err = errors.Join(err, i.data.unmount())
			i.data = nil
		}
	}
	if err != nil {
		i.log.Warn("nothing outlives this boot", "error", err)
		return
	}
	i.log.Info("data partition", "device", device)
	f, err := os.OpenFile(filepath.Join(i.data.dir("log"), crashFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND|os.O_SYNC, 0o600)
	if err == nil {
		err = errors.Join(debug.SetCrashOutput(f, debug.CrashOptions{}), f.Close())
	}
	if err != nil {
		i.log.Warn("a crash of init leaves no trace", "error", err)
	}
}

// awaitData looks for the partition as long as disks may take to appear.
func awaitData(wait time.Duration) (string, error) {
	for until := now() + wait; ; {
		device := findData("/sys/class/block", "/dev")
		if device != "" {
			return device, nil
		}
		if now() >= until {
			return "", errNoData
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// findData returns the device whose partition name or file system label is ours.
func findData(sys, dev string) string {
	entries, _ := os.ReadDir(sys) // none: no block devices
	for _, e := range entries {
		device := filepath.Join(dev, e.Name())
		if b, err := os.ReadFile(filepath.Join(sys, e.Name(), "uevent")); err == nil &&
			strings.Contains("\n"+string(b)+"\n", "\nPARTNAME="+board.DataLabel+"\n") {
			return device
		}
		if label(device) == board.DataLabel {
			return device
		}
	}
	return ""
}

// label is that of an ext4 file system (linux/fs/ext4/ext4.h: s_magic, s_volume_name).
func label(device string) string {
	f, err := os.Open(device)
	if err != nil {
		return ""
	}
	defer f.Close()
	var super [1024]byte
	if _, err := f.ReadAt(super[:], 1024); err != nil || super[0x38] != 0x53 || super[0x39] != 0xef {
		return ""
	}
	name, _, _ := bytes.Cut(super[0x78:0x88], []byte{0})
	return string(name)
}

// mountData mounts ext4; its journal repairs what a cut left.
func mountData(l *loader, device string) (*data, error) {
	if err := os.MkdirAll(DataDir, 0o700); err != nil {
		return nil, err
	}
	if err := l.load("ext4", ""); err != nil {
		return nil, err
	}
	flags := uintptr(unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOATIME)
	if err := unix.Mount(device, DataDir, "ext4", flags, "errors=remount-ro"); err != nil {
		return nil, fmt.Errorf("mount data partition %s: %w", device, err)
	}
	return &data{root: DataDir, device: device}, nil
}

// close makes everything last, as far as the disk lets us.
func (d *data) close() {
	if d == nil {
		return
	}
	unix.Sync()
	_ = unix.Mount("", d.root, "", unix.MS_REMOUNT|unix.MS_RDONLY, "") // or the journal repairs it
}
