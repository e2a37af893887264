package pool

import (
	"errors"
	"testing"
)

// A checker that finds nothing proves nothing: each kind of damage is found.
func TestCheckFindsDamage(t *testing.T) {
	for name, damage := range map[string]func(t *Table, slot uint32){
		"none":            func(*Table, uint32) {},
		"entry needless":  func(t *Table, s uint32) { t.enter(t.hashAt(s), s) },
		"entry astray":    func(t *Table, s uint32) { t.enter(t.hashAt(s)^1<<63, s) },
		"slot cleared":    func(t *Table, s uint32) { t.unpublish(s) },
		"slot leaked":     func(t *Table, s uint32) { t.free.take(t.free.near(s)) },
		"slot free":       func(t *Table, s uint32) { t.free.add(s) },
		"figure wrong":    func(t *Table, s uint32) { t.stats.Used++ },
		"rest too large":  func(t *Table, s uint32) { t.stats.Resting = 64 },
		"key changed":     func(t *Table, s uint32) { t.mem.store32(t.off(s)+offPorts, 77) },
		"generation odd":  func(t *Table, s uint32) { t.mem.store32(t.off(s)+offGen, t.mem.load32(t.off(s)+offGen)+1) },
		"tag lost":        func(t *Table, s uint32) { t.tags.set(s, 0) },
		"tag needless":    func(t *Table, s uint32) { t.tags.set(t.free.near(s), 1) },
		"stray needless":  func(t *Table, s uint32) { t.strays.add(t.block(t.hashAt(s))) },
		"direction extra": func(t *Table, s uint32) { t.stats.Directions++ },
	} {
		t.Run(name, func(t *testing.T) {
			table := newTestTable(t, 64)
			var slot uint32
			for i := range 20 {
				k := key4(uint32(i))
				s, err := table.Insert(k, action(k, 1, false), uint32(i))
				if err != nil {
					t.Fatal(err)
				}
				if i == 7 {
					slot = s
				}
			}
			damage(table, slot)
			if err := table.Check(); (err == nil) != (name == "none") || err != nil && !errors.Is(err, ErrBroken) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestCheckFindsLostPairs(t *testing.T) {
	for name, damage := range map[string]func(w *Wayports){
		"none":           func(*Wayports) {},
		"live twice":     func(w *Wayports) { w.paths[0].live++ },
		"rest forgotten": func(w *Wayports) { w.paths[0].resting++ },
		"not in hash":    func(w *Wayports) { w.arena.leave(3) },
		"leaked":         func(w *Wayports) { w.arena.used++ },
	} {
		t.Run(name, func(t *testing.T) {
			w := NewWayports(64, [16]byte{1})
			id, err := w.Add(PathwayConfig{})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 10 {
				local, peer, err := w.Alloc(id, 1e9)
				if err != nil {
					t.Fatal(err)
				}
				if !w.Live(id, local, peer) {
					t.Errorf("pair %d, %d is not live", local, peer)
				}
				if i == 9 {
					w.Free(id, local, peer, 0, 2e9, false)
				}
			}
			damage(w)
			if err := w.Check(); (err == nil) != (name == "none") {
				t.Errorf("got %v", err)
			}
		})
	}
}
