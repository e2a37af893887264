package pool

import (
	"errors"
	"fmt"
)

// ErrBroken: a pool contradicts itself.
var ErrBroken = errors.New("pool is inconsistent")

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBroken, fmt.Sprintf(format, args...))
}

// Check walks index and slots of the table: every entry leads to a live slot
// whose key may stand there, none to the same twice, every live slot is whole
// and found by its key, and the figures of Stats are those of the slots. It
// allocates a bit per slot and takes time in proportion to the table. Writer
// only.
func (t *Table) Check() error {
	indexed := make([]uint64, t.slots/64+1)
	for b := range t.buckets {
		for way := range uint32(ways) {
			e := t.mem.load32(entryOff(b, way))
			if e == 0 {
				continue
			}
			slot := e & slotMask
			if slot >= t.slots || t.formOf(slot)&formLive == 0 || !t.leads(b, e) {
				return broken("entry %d of bucket %d leads to slot %d, which it does not name", way, b, slot)
			}
			if indexed[slot/64]>>(slot%64)&1 != 0 {
				return broken("slot %d stands in the index twice", slot)
			}
			indexed[slot/64] |= 1 << (slot % 64)
		}
	}
	return t.checkSlots()
}

func (t *Table) checkSlots() (err error) {
	live, used := 0, 0
	t.ForEach(func(s uint32) bool {
		if live, used = live+1, used+1; t.formOf(s)&formPair != 0 {
			used++
		}
		if t.mem.load32(t.off(s)+offGen)&1 != 0 {
			err = broken("slot %d is being written", s)
			return false
		}
		k, _, ok := t.Read(s)
		if found, there := t.Lookup(&k); !ok || !there || found != s {
			err = broken("slot %d with key %v is found as %d, %t", s, k, found, there)
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	if s := t.stats; live != s.Directions || used != s.Used || used+s.Resting > s.Capacity {
		return broken("%d live slots, %d slots used; figures say %+v", live, used, s)
	}
	return nil
}

// Check walks the nodes of all pathways: every pair is found by its ports, and
// each pathway has as many live and resting pairs as it says.
func (w *Wayports) Check() error {
	type sum struct{ live, resting int }
	got := make([]sum, len(w.paths))
	used := 0
	for i := range w.arena.nodes[:w.arena.virgin] {
		n := &w.arena.nodes[i]
		if n.state == nodeFree {
			continue
		}
		used++
		if int(n.path) >= len(w.paths) {
			return broken("node %d of pathway %d, which is none", i, n.path)
		}
		if n.state != nodeGhost && w.arena.find(n.path, n.local, n.peer) != uint32(i) {
			return broken("pair %d, %d of pathway %d has a node that is not found", n.local, n.peer, n.path)
		}
		switch n.state {
		case nodeLive:
			got[n.path].live++
		case nodeRest:
			got[n.path].resting++
		}
	}
	if used != w.arena.used {
		return broken("%d nodes in use, %d counted", used, w.arena.used)
	}
	for i := range w.paths {
		if p := &w.paths[i]; got[i].live != p.live || got[i].resting != p.resting {
			return broken("pathway %d has %+v pairs, figures say %d live, %d resting", i, got[i], p.live, p.resting)
		}
	}
	return nil
}

// Live tells whether a pair of a pathway is live.
func (w *Wayports) Live(id, local, peer uint16) bool {
	i := w.arena.find(id, local, peer)
	return i != none && w.arena.nodes[i].state == nodeLive
}
