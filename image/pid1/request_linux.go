package pid1

import (
	"context"
	"errors"
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
	case box.Configure:
		i.post(func() { i.configure(r.Why) })
		return nil
	case box.FactoryReset:
		if err := i.data.askReset(Reason{WhyReboot, why, time.Now().UTC()}); err != nil {
			return err
		}
	default:
		return errors.New("init cannot do that")
	}
	i.log.Info("asked", "for", r.Do, "why", r.Why)
	i.post(func() { i.reboot(why, unix.LINUX_REBOOT_CMD_RESTART) })
	return nil
}
