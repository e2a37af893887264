package lane_test

import (
	"testing"

	"waymark/svr/lane"
)

// Next-hops keep their numbers from one process to the next.
func TestHopsAreAdopted(t *testing.T) {
	mem := make([]byte, lane.HopMemory(8))
	old := lane.NewHopsIn(8, mem)
	addr := func(n byte) [16]byte { return [16]byte{10, 0, 0, n} }
	var ids []uint16
	for n := range byte(4) {
		id, ok := old.Get(1, addr(n), 4)
		if !ok {
			t.Fatal("no room")
		}
		ids = append(ids, id)
	}
	old.Release(ids[3])
	h := lane.NewHopsIn(8, mem)
	for _, id := range ids[:2] {
		if first, again := h.Adopt(id), h.Adopt(id); !first || !again {
			t.Errorf("next-hop %d is not adopted", id)
		}
	}
	if h.Adopt(ids[3]) || h.Adopt(0) || h.Adopt(100) {
		t.Error("adopted what was not there")
	}
	var gone []uint16
	h.ForgetNames(func(id uint16) { gone = append(gone, id) })
	if id, ok := h.Get(1, addr(1), 4); !ok || id != ids[1] {
		t.Errorf("got %d, want %d", id, ids[1])
	}
	seen := map[uint16]bool{ids[0]: true, ids[1]: true}
	for n := byte(100); ; n++ {
		id, ok := h.Get(1, addr(n), 4)
		if !ok {
			break
		}
		if seen[id] {
			t.Errorf("number %d twice", id)
		}
		seen[id] = true
	}
	if len(seen) != 8 || h.Adopt(ids[2]) && len(gone) == 0 {
		t.Errorf("%d next-hops, %d forgotten", len(seen), len(gone))
	}
}
