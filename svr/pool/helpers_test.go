package pool

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"waymark/svr/packet"
)

const second = int64(1e9)

// key4 and key6 make keys that differ in n.
func key4(n uint32) Key {
	t := packet.Tuple{SrcPort: uint16(n*7) | 1, DstPort: 443, Proto: packet.ProtoTCP, Family: 4}
	binary.BigEndian.PutUint32(t.Src[:], 0x0a000000+n)
	binary.BigEndian.PutUint32(t.Dst[:], 0xc0a80000+n%251)
	return Key{Tuple: t, If: uint16(n % 5)}
}

func key6(n uint32) Key {
	t := packet.Tuple{SrcPort: uint16(n * 3), DstPort: 53, Proto: packet.ProtoUDP, Family: 6}
	copy(t.Src[:], "\x20\x01\x0d\xb8 branch")
	copy(t.Dst[:], "\x20\x01\x0d\xb8 center")
	binary.BigEndian.PutUint32(t.Src[12:], n)
	return Key{Tuple: t, If: uint16(n % 3)}
}

// action makes an action for k; v6 chooses the family of the new tuple.
func action(k Key, n uint32, v6 bool) Action {
	a := Action{Hop: uint16(n), Flags: uint16(n >> 5)}
	a.To = packet.Tuple{SrcPort: 16386, DstPort: uint16(n) | 1, Proto: k.Proto, Family: 4}
	if v6 {
		a.To.Family = 6
		copy(a.To.Src[:], "\x20\x01\x0d\xb8\xff waypoint")
		copy(a.To.Dst[:], "\x20\x01\x0d\xb8\xfe waypoint")
		binary.BigEndian.PutUint32(a.To.Dst[12:], n)
		return a
	}
	binary.BigEndian.PutUint32(a.To.Src[:], 0xc6336401)
	binary.BigEndian.PutUint32(a.To.Dst[:], 0xcb007100+n)
	return a
}

func newTestTable(t testing.TB, slots int) *Table {
	t.Helper()
	tab, err := NewTable(nil, TableConfig{Slots: slots, Seed: [16]byte{1, 2, 3}})
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

func newRand(n uint64) *rand.Rand { return rand.New(rand.NewPCG(n, 17)) }

// checkTable walks index, slots, queue and free set, and compares them with each
// other: every slot is in exactly one place.
func checkTable(t testing.TB, tab *Table) {
	t.Helper()
	entries := checkIndex(t, tab)
	where := make([]int, tab.slots)
	used, directions := 0, 0
	for s := range tab.slots {
		if !tab.live(s) {
			continue
		}
		directions++
		used++
		where[s]++
		if second := tab.secondOf(s); second != none {
			used++
			where[second]++
			if tab.formOf(second) != formSecond {
				t.Fatalf("slot %d: form %#x of its second slot %d", s, tab.formOf(second), second)
			}
		}
		k := tab.Key(s)
		if got, ok := tab.Lookup(&k); !ok || got != s {
			t.Fatalf("key of slot %d: got %d %v", s, got, ok)
		}
		if want := !tab.direct(tab.hashAt(s), s); entries[s] != want {
			t.Fatalf("slot %d: index entry %v, want %v", s, entries[s], want)
		}
		delete(entries, s)
	}
	if len(entries) != 0 {
		t.Fatalf("index entries of nothing: %v", entries)
	}
	resting := checkLists(t, tab, where)
	for s, n := range where {
		if n != 1 {
			t.Fatalf("slot %d is in %d places", s, n)
		}
	}
	st := tab.Stats()
	if st.Used != used || st.Directions != directions || st.Resting != resting {
		t.Fatalf("stats: got %+v, want used %d directions %d resting %d", st, used, directions, resting)
	}
}

// checkIndex returns the slots that have an entry of the overflow index.
func checkIndex(t testing.TB, tab *Table) map[uint32]bool {
	t.Helper()
	entries := map[uint32]bool{}
	for b := range tab.buckets {
		for way := range uint32(ways) {
			e := tab.mem.load32(entryOff(b, way))
			if e == 0 {
				continue
			}
			if s := e & slotMask; entries[s] || !tab.leads(b, e) {
				t.Fatalf("entry %#x in bucket %d does not belong there", e, b)
			}
			entries[e&slotMask] = true
		}
	}
	return entries
}

// checkLists marks the slots that are free or rest.
func checkLists(t testing.TB, tab *Table, where []int) (resting int) {
	t.Helper()
	free := 0
	for s := range tab.slots {
		if tab.free.has(s) {
			where[s]++
			free++
			if tab.formOf(s) != 0 {
				t.Fatalf("free slot %d has form %#x", s, tab.formOf(s))
			}
		}
	}
	if free != tab.free.n {
		t.Fatalf("free slots: counted %d, want %d", tab.free.n, free)
	}
	for s := tab.resting.head; s != endOfList; s = tab.owner[s] {
		where[s]++
		resting++
	}
	return resting
}
