package pid1

import (
	"fmt"
	"path/filepath"

	"waymark/board"
	"waymark/net/deny"
	"waymark/net/link"
	"waymark/net/rtnl"
)

// closeBox denies everything, then brings loopback up, the first interface of all.
func (i *Init) closeBox() error {
	if err := deny.Apply(); err != nil {
		return err
	}
	c, err := rtnl.Dial()
	if err != nil {
		return err
	}
	defer c.Close()
	l, err := link.ByName(c, "lo")
	if err != nil {
		return err
	}
	return link.SetUp(c, l.Index, true)
}

// namePorts gives network devices the names of the board. A port that cannot be
// named is an interface less, not a box less.
func (i *Init) namePorts() {
	c, err := rtnl.Dial()
	if err != nil {
		i.log.Error("cannot name ports", "error", err)
		return
	}
	defer c.Close()
	links, err := link.List(c)
	if err != nil {
		i.log.Error("cannot name ports", "error", err)
		return
	}
	index, devices := map[string]int{}, []board.Device{}
	for _, l := range links {
		place := placeOf(l.Name)
		index[l.Name] = l.Index
		devices = append(devices, board.Device{Name: l.Name, Place: place})
	}
	for old, name := range i.board.Rename(devices) {
		if err := rename(c, index[old], name); err != nil {
			i.log.Error("cannot name port", "device", old, "error", err)
			continue
		}
		i.log.Info("port", "name", name, "was", old)
	}
}

// rename names a device; the kernel names no device that is up.
func rename(c *rtnl.Conn, index int, name string) error {
	l, err := link.ByIndex(c, index)
	if err != nil {
		return err
	}
	if l.Up {
		return fmt.Errorf("%s is up", l.Name)
	}
	return link.SetName(c, index, name)
}

// placeOf is the place of a network device, "" for those that are no hardware.
func placeOf(name string) string {
	path, err := filepath.EvalSymlinks(filepath.Join("/sys/class/net", name, "device"))
	if err != nil {
		return ""
	}
	return board.Place(path)
}
