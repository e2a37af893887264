package pool

import (
	"encoding/binary"
	"errors"
	"maps"
	"testing"

	"waymark/svr/packet"
)

// viewed is a table with directions of both families, and what they are.
func viewed(t testing.TB) (mem []byte, want map[Key]Action) {
	t.Helper()
	cfg := TableConfig{Slots: 64, Seed: [16]byte{7}}
	mem = alignedBytes(MemorySize(cfg))
	table, err := NewTable(mem, cfg)
	if err != nil {
		t.Fatal(err)
	}
	want = map[Key]Action{}
	for i := range 20 {
		k := Key{Tuple: packet.Tuple{Family: 4, Proto: packet.ProtoTCP, SrcPort: uint16(i), DstPort: 80}, If: 3}
		a := Action{To: k.Reverse(), Hop: uint16(i), Flags: FlagFast | 1500}
		if i%3 == 0 {
			k.Family, a.To.Family = 6, 6
			k.Src[15], a.To.Dst[15] = byte(i), byte(i)
		}
		if _, err := table.Insert(k, a, 1); err != nil {
			t.Fatal(err)
		}
		want[k] = a
	}
	return mem, want
}

func TestDirections(t *testing.T) {
	mem, want := viewed(t)
	got := map[Key]Action{}
	before := string(mem)
	if err := Directions(mem, func(k Key, a Action) { got[k] = a }); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if string(mem) != before {
		t.Error("the table was written")
	}
	const offVersion = 8
	binary.NativeEndian.PutUint32(mem[offVersion:], LayoutVersion+1)
	if err := Directions(mem, func(Key, Action) { t.Error("a direction") }); !errors.Is(err, ErrMemory) {
		t.Errorf("another layout: %v", err)
	}
	if h, err := PeekHeader(mem); err != nil || h.Version != LayoutVersion+1 || h.Slots != 64 {
		t.Errorf("header %+v, %v", h, err)
	}
}

// FuzzDirections: whatever a dead process left, reading ends, and never with more
// directions than there are slots.
func FuzzDirections(f *testing.F) {
	f.Add(uint16(4096), []byte{1, 0, 0, 0})
	f.Add(uint16(8192), []byte{2, 0, 0, 0, 3, 0, 6, 0x8f, 0xff, 0xff, 0xff, 0xff})
	f.Add(uint16(8256), []byte{0, 0, 0, 0, 1, 0, 17, 0x7f, 63, 0, 0, 0})
	mem, _ := viewed(f)
	f.Fuzz(func(t *testing.T, at uint16, patch []byte) {
		m := alignedBytes(len(mem))
		copy(m, mem)
		copy(m[int(at)%len(m):], patch)
		n := 0
		if err := Directions(m, func(Key, Action) { n++ }); err != nil && n > 0 {
			t.Errorf("%d directions, %v", n, err)
		}
		if n > 64 {
			t.Errorf("%d directions in 64 slots", n)
		}
		_, _ = PeekHeader(m)
	})
}

// TestHeaderStays: what routers of other layouts read of a table, byte by byte. These
// numbers never change.
func TestHeaderStays(t *testing.T) {
	mem := alignedBytes(4096)
	for at, v := range map[int]uint64{0: 0x314c42544d590a57, 40: 44, 48: 55, 56: 66} {
		binary.NativeEndian.PutUint64(mem[at:], v)
	}
	for at, v := range map[int]uint32{8: 77, 12: 88, 16: 99, 20: 111} {
		binary.NativeEndian.PutUint32(mem[at:], v)
	}
	for i := range 16 {
		mem[24+i] = byte(i)
	}
	want := Header{Version: 77, Slots: 88, Buckets: 99, Base: 111, Config: 44, Owner: 55, Clock: 66,
		Seed: [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}}
	if got, err := PeekHeader(mem); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	mem[0]++
	if _, err := PeekHeader(mem); !errors.Is(err, ErrMemory) {
		t.Errorf("no table: %v", err)
	}
}
