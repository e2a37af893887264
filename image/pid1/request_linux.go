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

// take has the loop do what was asked.
func (i *Init) take(_ context.Context, r box.Request) (do func(), err error) {
	why := r.Do + ": " + r.Why
	switch r.Do {
	case box.Reboot:
	case box.Configure:
		return func() { i.post(func() { i.configure(r.Why) }) }, nil
	case box.FactoryReset:
		if err := i.data.askReset(Reason{WhyReboot, why, time.Now().UTC()}); err != nil {
			return nil, err
		}
	default:
		return nil, errors.New("init cannot do that")
	}
	i.log.Info("asked", "for", r.Do, "why", r.Why)
	return func() { i.post(func() { i.reboot(why, unix.LINUX_REBOOT_CMD_RESTART) }) }, nil
}
