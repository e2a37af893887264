package fast_test

import (
	"encoding/binary"
	"testing"

	ebpflink "github.com/cilium/ebpf/link"

	"waymark/svr/lane/fast"
	"waymark/svr/lane/fast/fasttest"
	"waymark/svr/packet"
	"waymark/svr/pool"
)

// hash puts a program on the router that finds what the table holds in a
// preallocated BPF hash map, and is the lane's own otherwise.
func (c *contestant) hash(t testing.TB) {
	r, w := c.row, c.world
	prog, m, err := w.lane.LoadOther(fasttest.HashObject, "hash", "sessions", w.table.Stats().Directions,
		fast.PortConfig{Index: r.A0.Index, MAC: r.A0.MAC, Untagged: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	h, err := pool.ReadHeader(w.lane.Memory())
	if err != nil {
		t.Fatal(err)
	}
	const batch = 4096
	keys, values := make([][16]byte, 0, batch), make([][64]byte, 0, batch)
	flush := func() {
		if _, err := m.BatchUpdate(keys, values, nil); err != nil && len(keys) > 0 {
			t.Fatal(err)
		}
		keys, values = keys[:0], values[:0]
	}
	w.table.ForEach(func(s uint32) bool {
		slot := [64]byte(w.lane.Memory()[int(h.Base)+int(s)*pool.SlotSize:])
		var k [16]byte
		copy(k[:12], slot[8:20])
		binary.NativeEndian.PutUint32(k[12:], uint32(w.table.Key(s).If)|packet.ProtoUDP<<16)
		if keys, values = append(keys, k), append(values, slot); len(keys) == batch {
			flush()
		}
		return true
	})
	flush()
	w.in(func() error {
		l, err := ebpflink.AttachXDP(ebpflink.XDPOptions{Program: prog, Interface: r.A0.Index, Flags: ebpflink.XDPDriverMode})
		if err == nil {
			t.Cleanup(func() { l.Close(); prog.Close() })
		}
		return err
	})
}
