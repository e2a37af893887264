package router

import (
	"fmt"

	"waymark/svr/lane/fast"
)

// fastStats lists the counters of the lane in the kernel: every packet that its
// programs decided about is forwarded, or in one reason.
func (r *Router) fastStats(row func(name string, value uint64) error) error {
	if r.fast == nil {
		return nil
	}
	c, err := r.fast.Counters()
	if err != nil {
		return err
	}
	list := []struct {
		name  string
		value uint64
	}{
		{"fast/in", c.In}, {"fast/forwarded-tc", c.TC}, {"fast/forwarded-xdp", c.XDP},
		{"fast/copied", c.Copied}, {"fast/cut", c.Cut}, {"fast/cut-lost", c.CutLost}, {"fast/punts-ring", c.Ring}, {"fast/punts-lost", c.Lost},
		{"fast/older-lanes", uint64(r.fast.Older().Lanes)}, {"fast/older-directions", r.fast.directions.Load()}, {"fast/older-passed-on", c.PassedOn}, {"fast/older-forwarded", c.Older},
	}
	for _, l := range list {
		if err := row(l.name, l.value); err != nil {
			return err
		}
	}
	for i, n := range c.Reason {
		why := fast.Reason(i)
		if why.String() == "" {
			continue
		}
		if err := row(fmt.Sprintf("fast/%s-%s", kindOf(why), why), n); err != nil {
			return err
		}
	}
	return nil
}

// kindOf says what became of packets with a reason.
func kindOf(why fast.Reason) string {
	switch {
	case why.Punted():
		return "punt"
	case why.Dropped():
		return "drop"
	}
	return "host"
}
