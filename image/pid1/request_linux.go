package pid1

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"waymark/mgmt/box"
)

// takeRequests serves the other processes of the box, for as long as it runs.
func (i *Init) takeRequests() {
	for {
		if err := box.Serve(context.Background(), RunDir, i.take); err != nil {
			i.log.Error("nobody can ask init", "error", err)
		}
		time.Sleep(time.Second)
	}
}

// take does what was asked once the loop comes to it, and answers before the
// box goes.
func (i *Init) take(_ context.Context, r box.Request) error {
	why := r.Do + ": " + r.Why
	switch r.Do {
	case box.Reboot:
	case box.FactoryReset:
		if err := i.data.forget(); err != nil {
			return err
		}
	default:
		return errors.New("init cannot do that")
	}
	i.log.Info("asked", "for", r.Do, "why", r.Why)
	i.post(func() { i.reboot(why, unix.LINUX_REBOOT_CMD_RESTART) })
	return nil
}

// forgotten are the folders of the data partition that a factory reset empties:
// configuration, keys and secrets, and what was learnt. What is known of slots
// and updates stays, or the box could be made to take an older image.
var forgotten = []string{"config", "identity", "state", "log"}

// forget empties them.
func (d *data) forget() error {
	if d == nil {
		return nil // nothing lasts anyway
	}
	for _, name := range forgotten {
		if err := os.RemoveAll(filepath.Join(d.root, name)); err != nil {
			return fmt.Errorf("forget %s: %w", name, err)
		}
	}
	unix.Sync()
	return nil
}
