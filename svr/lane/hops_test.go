package lane_test

import (
	"testing"

	"waymark/svr/lane"
)

func TestHops(t *testing.T) {
	h := lane.NewHops(2)
	a, b, c := [16]byte{10, 0, 0, 1}, [16]byte{10, 0, 0, 2}, [16]byte{10, 0, 0, 3}
	ida, ok := h.Get(1, a, 4)
	if !ok || ida == 0 {
		t.Fatalf("first: got %d, %t", ida, ok)
	}
	if again, ok := h.Get(1, a, 4); !ok || again != ida {
		t.Errorf("same again: got %d, %t, want %d", again, ok, ida)
	}
	idb, ok := h.Get(1, b, 4)
	if !ok || idb == ida {
		t.Errorf("second: got %d, %t", idb, ok)
	}
	for name, k := range map[string]struct {
		ifc    uint16
		addr   [16]byte
		family uint8
	}{"third": {1, c, 4}, "other interface": {2, a, 4}, "other family": {1, a, 6}} {
		if id, ok := h.Get(k.ifc, k.addr, k.family); ok {
			t.Errorf("%s in a full table: got %d", name, id)
		}
	}
	h.Release(ida)
	if st, _ := h.State(ida); st != lane.HopUnresolved {
		t.Errorf("after one of two releases: got state %d", st)
	}
	h.Release(ida)
	if st, _ := h.State(ida); st != lane.HopFree {
		t.Errorf("after the last release: got state %d", st)
	}
	h.Release(ida)
	h.Release(0)
	h.Release(60000)
	if id, ok := h.Get(1, c, 4); !ok || id != ida {
		t.Errorf("reuse: got %d, %t, want %d", id, ok, ida)
	}
	if used, size := h.Len(); used != 2 || size != 2 {
		t.Errorf("len: got %d of %d, want 2 of 2", used, size)
	}
}
