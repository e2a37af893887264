package pid1

import "waymark/image/swap"

// openSwap lets a box of little memory put away what it does not use. Without it
// the box runs on with what it has.
func (i *Init) openSwap() {
	total, err := swap.Total()
	if err != nil {
		i.log.Warn("no swap", "error", err)
		return
	}
	s := swap.Plan(total)
	if s.Disk == 0 {
		return
	}
	if err := i.loader.load(swap.Module, ""); err != nil {
		i.log.Warn("no swap", "error", err)
		return
	}
	if err := swap.On(s); err != nil {
		i.log.Warn("no swap", "error", err)
		return
	}
	i.log.Info("swap", "device", swap.Device, "bytes", s.Disk, "most-memory", s.Limit)
}
