package disk

import (
	"io"
	"log/slog"
	"time"

	"waymark/image/build"
	"waymark/image/efivar"
	"waymark/image/slot"
)

// patience is how long one operation on the system partition waits for another;
// an update that is being written takes longest.
const patience = 2 * time.Minute

// FindBox finds the slots of the running system by what the loader said. The Box
// has no Store yet.
func FindBox(info *build.Info, log *slog.Logger) (*slot.Box, Found, error) {
	l, err := efivar.ReadLoader(efivar.Dir)
	if err != nil {
		return nil, Found{}, err
	}
	running, ok := slot.ParseName(l.Entry)
	if !ok {
		return nil, Found{}, slot.ErrNoSlot
	}
	f, err := Locate(Sys, Dev, l.Partition)
	if err != nil {
		return nil, Found{}, err
	}
	open := func() (slot.Disk, io.Closer, error) {
		d, err := OpenDevice(f.ESP, patience)
		return d, d, err
	}
	return &slot.Box{Open: open, Running: running.Committed(), Info: info, Log: log}, f, nil
}
