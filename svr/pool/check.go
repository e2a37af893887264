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
// outside the window of its key, every live slot is found by its key and has its
// second slot for itself, what is not in use rests or is free, and the figures
// of Stats are those of the slots. It allocates some bytes per slot and takes
// time in proportion to the table. Writer only.
func (t *Table) Check() error {
	c := tableCheck{Table: t, use: make([]uint8, t.slots), stray: make([]uint32, t.slots/windowSize+1)}
	for _, step := range []func() error{c.entries, c.counts, c.directions, c.unused} {
		if err := step(); err != nil {
			return err
		}
	}
	if s := t.stats; c.live != s.Directions || c.used != s.Used || c.resting != s.Resting || c.free != t.free.n {
		return broken("%d directions, %d slots used, %d resting, %d free; figures say %+v", c.live, c.used, c.resting, c.free, s)
	}
	return nil
}

// tableCheck is what one Check found so far.
type tableCheck struct {
	*Table
	use                       []uint8  // by slot: bits below
	stray                     []uint32 // by block: entries of its keys
	live, used, resting, free int
}

const (
	useIndexed = 1 << iota // an entry of the overflow index leads there
	useDirection
	useSecond
	useResting
)

// entries looks at the overflow index.
func (c *tableCheck) entries() error {
	for b := range c.buckets {
		for way := range uint32(ways) {
			e := c.mem.load32(entryOff(b, way))
			if e == 0 {
				continue
			}
			slot := e & slotMask
			if slot >= c.slots || !c.Table.live(slot) || !c.leads(b, e) {
				return broken("entry %d of bucket %d leads to slot %d, which it does not name", way, b, slot)
			}
			if c.use[slot]&useIndexed != 0 {
				return broken("slot %d stands in the index twice", slot)
			}
			c.use[slot] |= useIndexed
			c.stray[c.block(c.hashAt(slot))]++
		}
	}
	return nil
}

// counts looks at what says which blocks have keys in the overflow index.
func (c *tableCheck) counts() error {
	for b, n := range c.stray {
		if got := c.strays.of(uint32(b)); got != n && (got < strayEnd || n == 0) {
			return broken("block %d has %d directions in the index, its count says %d", b, n, got)
		}
	}
	return nil
}

// directions looks at the slots that hold one, and their second slots.
func (c *tableCheck) directions() (err error) {
	c.ForEach(func(s uint32) bool {
		c.live++
		err = c.direction(s)
		return err == nil
	})
	return err
}

func (c *tableCheck) direction(s uint32) error {
	if c.mem.load32(c.off(s)+offGen)&1 != 0 {
		return broken("slot %d is being written, by nobody", s) // a reader would wait for ever
	}
	k, _, ok := c.Read(s)
	if found, there := c.Lookup(&k); !ok || !there || found != s {
		return broken("slot %d with key %v is found as %d, %t", s, k, found, there)
	}
	if tag := c.tags.at(s); c.direct(c.hashAt(s), s) != (tag != 0) {
		return broken("slot %d has tag %d and is in its window, or neither", s, tag)
	}
	if indexed := c.use[s]&useIndexed != 0; indexed == c.direct(c.hashAt(s), s) {
		return broken("slot %d has an entry and is in its window, or neither", s)
	}
	if c.use[s]&useSecond != 0 {
		return broken("slot %d holds a direction and belongs to another", s)
	}
	c.use[s] |= useDirection
	c.used++
	pair, second := c.formOf(s)&formPair != 0, c.secondOf(s)
	if !pair {
		return nil
	}
	if second == none || c.formOf(second) != formSecond || c.use[second]&(useDirection|useSecond) != 0 {
		return broken("slot %d has no second slot for itself: %d", s, second)
	}
	c.use[second] |= useSecond
	c.used++
	return nil
}

// unused looks at the resting and the free slots.
func (c *tableCheck) unused() error {
	for s := c.Table.resting.head; s != endOfList && c.resting <= int(c.slots); s = c.owner[s] {
		c.resting++
		if c.use[s] != 0 {
			return broken("slot %d rests and is in use", s)
		}
		c.use[s] |= useResting
	}
	for s := range c.slots {
		if c.use[s]&useDirection == 0 && c.tags.at(s) != 0 {
			return broken("slot %d has a tag and no direction", s)
		}
		switch has := c.Table.free.has(s); {
		case has && c.use[s] != 0:
			return broken("slot %d is free and in use", s)
		case has:
			c.free++
		case c.use[s] == 0:
			return broken("slot %d is neither free nor in use", s)
		}
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
		if n.state() == nodeFree {
			continue
		}
		used++
		if int(n.path) >= len(w.paths) {
			return broken("node %d of pathway %d, which is none", i, n.path)
		}
		if n.state() != nodeGhost && w.arena.find(n.path, n.local, n.peer) != uint32(i) {
			return broken("pair %d, %d of pathway %d has a node that is not found", n.local, n.peer, n.path)
		}
		switch n.state() {
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
	return i != none && w.arena.nodes[i].state() == nodeLive
}
