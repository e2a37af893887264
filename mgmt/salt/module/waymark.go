package module

import (
	"context"
	"fmt"
	"time"

	"waymark/mgmt/salt/msgpack"
)

var waymarkTable = map[string]function{
	"waymark.show": {usage: "what, detail=False", doc: "Return a table of the router, as `waymark show WHAT -json`.", min: 1, max: 2, keywords: "what detail", run: show},
	"waymark.config": {doc: "Return the running configuration.", run: func(ctx context.Context, c *Call) (any, error) {
		if c.Box.Config == nil {
			return nil, fmt.Errorf("%w: it has no configuration store", ErrCannot)
		}
		tree, err := c.Box.Config.Running(ctx)
		if err != nil {
			return nil, err
		}
		return msgpack.FromJSON(tree)
	}},
	"waymark.rollback": {usage: "version=''", doc: "Return to a committed version, without argument to the one before, and name it.", max: 1, keywords: "version", run: rollback},
	"system.reboot":    {usage: "at_time=None", doc: "Reboot, now or in so many minutes.", max: 1, keywords: "at_time", run: reboot},
}

func show(ctx context.Context, c *Call) (any, error) {
	if c.Box.Show == nil {
		return nil, fmt.Errorf("%w: there is no router to ask", ErrCannot)
	}
	what, err := c.text(0, "what", "")
	if err != nil {
		return nil, err
	}
	detail, err := c.flag(1, "detail")
	if err != nil {
		return nil, err
	}
	rows, err := c.Box.Show(ctx, what, detail)
	return list(rows), err
}

func rollback(ctx context.Context, c *Call) (any, error) {
	if c.Box.Config == nil {
		return nil, fmt.Errorf("%w: it has no configuration store", ErrCannot)
	}
	version := c.arg(0, "version")
	switch version.(type) {
	case nil:
		version = ""
	case string, int64:
	default:
		return nil, &Failure{"Passed invalid arguments: version must be text", 1}
	}
	back, err := c.Box.Config.Rollback(ctx, fmt.Sprint(version))
	if err != nil {
		return nil, err
	}
	return back, confirm(ctx, c, back)
}

// rebootGrace leaves time to tell the master that the box goes down.
const rebootGrace = 3 * time.Second

func reboot(_ context.Context, c *Call) (any, error) {
	after := rebootGrace
	switch at := c.arg(0, "at_time").(type) {
	case nil:
	case int64:
		if at < 0 || at > 24*60 {
			return nil, &Failure{"Passed invalid arguments: at_time must be 0 to 1440 minutes", 1}
		}
		after = max(after, time.Duration(at)*time.Minute)
	default:
		if at != "now" {
			return nil, &Failure{"Passed invalid arguments: at_time must be 'now' or minutes", 1}
		}
	}
	if c.Box.Reboot == nil {
		return nil, fmt.Errorf("%w: nothing here supervises a reboot", ErrCannot)
	}
	if err := c.Box.Reboot(after); err != nil {
		return nil, err
	}
	return true, nil
}
