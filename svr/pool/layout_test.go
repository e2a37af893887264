package pool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"unsafe"

	"waymark/svr/packet"
)

// alignedBytes returns zeroed memory aligned like a page's.
func alignedBytes(n int) []byte {
	b := make([]byte, n+SlotSize)
	return b[-uintptr(unsafe.Pointer(unsafe.SliceData(b)))%SlotSize:][:n]
}

// TestSlotBytes holds the contract with the BPF program to the byte.
func TestSlotBytes(t *testing.T) {
	cfg := TableConfig{Slots: 8, Seed: [16]byte{9}}
	mem := alignedBytes(MemorySize(cfg))
	tab, err := NewTable(mem, cfg)
	if err != nil {
		t.Fatal(err)
	}
	k := Key{Tuple: packet.Tuple{Src: [16]byte{10, 1, 2, 3}, Dst: [16]byte{10, 4, 5, 6}, SrcPort: 0x1234, DstPort: 0x5678, Proto: 6, Family: 4}, If: 3}
	a := Action{To: packet.Tuple{Src: [16]byte{192, 0, 2, 1}, Dst: [16]byte{198, 51, 100, 2}, SrcPort: 0x4002, DstPort: 0x4e21, Proto: 17, Family: 4}, Hop: 5, Flags: 6}
	s, _ := tab.Insert(k, a, 0)
	tab.Count(s, 1, 2, 3<<seenShift)
	addr, l4 := deltas(&k, &a)
	ne := binary.NativeEndian
	want := ne.AppendUint32(nil, 2)
	want = append(ne.AppendUint16(want, 3), 6, formLive|protoUDP<<formProto)
	want = append(want, 10, 1, 2, 3, 10, 4, 5, 6, 0x12, 0x34, 0x56, 0x78)
	want = append(want, 192, 0, 2, 1, 198, 51, 100, 2, 0x40, 0x02, 0x4e, 0x21)
	want = ne.AppendUint16(ne.AppendUint16(want, 5), 6)
	want = ne.AppendUint16(ne.AppendUint16(want, addr), l4)
	want = ne.AppendUint64(ne.AppendUint64(want, 2), 1)
	want = ne.AppendUint32(ne.AppendUint32(want, 3), 0)
	if got := mem[tab.off(s):][:SlotSize]; !bytes.Equal(got, want) {
		t.Errorf("v4 slot:\ngot  %x\nwant %x", got, want)
	}
	k6 := key6(1)
	a6 := action(k6, 2, true)
	s, _ = tab.Insert(k6, a6, 0)
	second := ne.Uint32(mem[tab.off(s)+offSrc:])
	if second != s^1 || ne.Uint32(mem[tab.off(s)+offNewSrc:]) != second {
		t.Fatalf("second slot of %d: got %d", s, second)
	}
	want = append(make([]byte, 7), formSecond)
	want = append(append(want, a6.To.Src[:]...), a6.To.Dst[:12]...)
	want = append(append(want, k6.Src[:]...), k6.Dst[:12]...)
	if got := mem[tab.off(second)+4:][:SlotSize-4]; !bytes.Equal(got, want[4:]) {
		t.Errorf("second slot of %d:\ngot  %x\nwant %x", s, got, want[4:])
	}
	if first := mem[tab.off(s):]; !bytes.Equal(first[offDst:][:4], k6.Dst[12:]) || !bytes.Equal(first[offNewDst:][:4], a6.To.Dst[12:]) {
		t.Errorf("eighth words: got %x", first[:SlotSize])
	}
	if got := mem[tab.off(s)+7]; got != formLive|formPair|formKey6|formNew6 {
		t.Errorf("form: got %#x", got)
	}
}

func TestHeader(t *testing.T) {
	cfg := TableConfig{Slots: 1001, Seed: [16]byte{1, 15: 2}, Clock: -5}
	mem := alignedBytes(MemorySize(cfg))
	if _, err := ReadHeader(mem); !errors.Is(err, ErrMemory) {
		t.Errorf("empty memory: got %v, want ErrMemory", err)
	}
	tab, err := NewTable(mem, cfg)
	if err != nil {
		t.Fatal(err)
	}
	tab.SetOwnerWord(1 << 40)
	tab.SetConfigGeneration(12)
	if _, err := tab.Insert(key4(1), action(key4(1), 1, false), 0); err != nil {
		t.Fatal(err)
	}
	got, err := ReadHeader(mem)
	want := Header{Version: LayoutVersion, Slots: 1002, Buckets: tab.buckets, Base: uint32(tab.base),
		Seed: cfg.Seed, Config: 12, Owner: 1 << 40, Clock: -5}
	if err != nil || got != want {
		t.Errorf("got %+v %v, want %+v", got, err, want)
	}
	if tab.OwnerWord() != 1<<40 || tab.ConfigGeneration() != 12 {
		t.Errorf("words: got %d %d", tab.OwnerWord(), tab.ConfigGeneration())
	}
	for off := 0; off < 24; off += 4 {
		bad := alignedBytes(len(mem))
		copy(bad, mem)
		bad[off] ^= 0x40
		if _, err := ReadHeader(bad); !errors.Is(err, ErrMemory) {
			t.Errorf("byte %d changed: got %v, want ErrMemory", off, err)
		}
	}
	if _, err := ReadHeader(mem[:len(mem)-SlotSize]); !errors.Is(err, ErrMemory) {
		t.Errorf("short memory: got %v, want ErrMemory", err)
	}
}

func TestNewTableRefuses(t *testing.T) {
	cfg := TableConfig{Slots: 64}
	mem := alignedBytes(MemorySize(cfg) + 64)
	for name, c := range map[string]struct {
		mem []byte
		cfg TableConfig
	}{
		"no slots":       {nil, TableConfig{}},
		"negative":       {nil, TableConfig{Slots: -1}},
		"too many":       {nil, TableConfig{Slots: maxSlots + 1}},
		"short memory":   {mem[:MemorySize(cfg)-1], cfg},
		"unaligned":      {mem[4:], cfg},
		"too many slots": {mem, TableConfig{Slots: 6400}},
	} {
		if _, err := NewTable(c.mem, c.cfg); !errors.Is(err, ErrMemory) {
			t.Errorf("%s: got %v, want ErrMemory", name, err)
		}
	}
}

// TestMemoryBudget: the sizes of the cpe profile.
func TestMemoryBudget(t *testing.T) {
	const slots = 131072
	shared := MemorySize(TableConfig{Slots: slots})
	if shared > 9_000_000 {
		t.Errorf("shared memory: got %d bytes, want at most 9,000,000", shared)
	}
	if got := slots * int(unsafe.Sizeof(Table{}.owner[0])); got > 1<<19 {
		t.Errorf("owners: got %d bytes, want at most 0.5 MB", got)
	}
	if got := unsafe.Sizeof(node{}); got != 16 {
		t.Errorf("wayport node: got %d bytes, want 16", got)
	}
	if got := unsafe.Sizeof(mapping{}); got != 40 {
		t.Errorf("source-NAT mapping: got %d bytes, want 40", got)
	}
}
