package fast

import (
	"encoding/binary"
	"sync"

	"golang.org/x/sys/unix"

	"waymark/net/rtnl"
)

// egress follows what devices that take XDP frames drop: a program has no answer
// from them. A device counts it among its own transmit drops.
type egress struct {
	mu   sync.Mutex
	base map[int]uint64 // by ifindex: its drops when it began to take XDP frames
	gone uint64         // drops of devices that do not any more
}

// follow begins or ends following a device.
func (e *egress) follow(index int, on bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	base, known := e.base[index]
	if on == known {
		return
	}
	now := dropsOf(index)
	if on {
		if e.base == nil {
			e.base = map[int]uint64{}
		}
		e.base[index] = now
		return
	}
	e.gone += max(now, base) - base
	delete(e.base, index)
}

// lost returns what devices dropped while they were followed.
func (e *egress) lost() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	n := e.gone
	for index, base := range e.base {
		n += max(dropsOf(index), base) - base
	}
	return n
}

// dropsOf returns the transmit drops of a device, 0 of one that is gone.
func dropsOf(index int) (n uint64) {
	_ = withConn(func(c *rtnl.Conn) error {
		msgs, err := c.Get(unix.RTM_GETLINK, linkMsg(index))
		for _, m := range msgs {
			n = txDropped(m.Data)
		}
		return err
	})
	return n
}

// XDP tells what the lane has on a Linux interface: an XDP program, and whether
// a network-interface there takes XDP frames. After adoption, as it was left.
func (l *Lane) XDP(index int) (attached, takes bool) {
	p := l.ports[index]
	for id := 0; id+netifSize <= len(l.netifs); id += netifSize {
		b := l.netifs[id:]
		if binary.NativeEndian.Uint32(b) == uint32(index) && binary.NativeEndian.Uint16(b[6:])&netifXDP != 0 {
			takes = true
		}
	}
	return p != nil && p.xdp != nil, takes
}
