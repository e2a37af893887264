package pool_test

import (
	"testing"

	"waymark/svr/pool"
)

// Claimed ports are nobody else's, are shared by the sessions of one endpoint,
// and go back like acquired ones.
func TestNATClaim(t *testing.T) {
	n := pool.NewNAT(pool.NATConfig{Mappings: 64, Seed: [32]byte{1}})
	src := [16]byte{192, 168, 1, 10}
	for range 2 {
		if !n.Claim(1e9, 3, 17, src, 5000, 4000) {
			t.Fatal("claim refused")
		}
	}
	if n.Claim(1e9, 3, 17, src, 5000, 10000) || n.Claim(1e9, 3, 17, src, 5000, 80) {
		t.Error("claimed a port outside the range")
	}
	if got, err := n.Acquire(1e9, 3, 17, src, 5000, nil); err != nil || got != 4000 {
		t.Errorf("got port %d, %v, want 4000", got, err)
	}
	if s, port, ok := n.LookupExternal(3, 17, 4000); !ok || s != src || port != 5000 {
		t.Errorf("behind 4000: %v %d %t", s, port, ok)
	}
	for range 3 {
		if !n.Release(2e9, 3, 17, src, 5000, 4000) {
			t.Error("release of nothing")
		}
	}
	if st := n.Stats(); st.InUse != 0 || st.Resting != 1 || st.Unknown != 0 {
		t.Errorf("got %+v", st)
	}
}

func TestRecordsKeepWhatMemoryHolds(t *testing.T) {
	type rec struct{ a, b uint64 }
	mem := make([]byte, 64*pool.RecordSize[rec]())
	pool.Records[rec](mem, 64)[63] = rec{7, 9}
	if got := pool.Records[rec](mem, 64)[63]; got != (rec{7, 9}) {
		t.Errorf("got %v", got)
	}
	for name, f := range map[string]func(){
		"pointers": func() { pool.Records[*int](mem, 1) },
		"short":    func() { pool.Records[rec](mem, 65) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

// Flags change in one store: readers see the action as it was otherwise.
func TestSetFlags(t *testing.T) {
	tab, err := pool.NewTable(nil, pool.TableConfig{Slots: 16})
	if err != nil {
		t.Fatal(err)
	}
	k := pool.Key{If: 2}
	k.Family, k.Proto, k.SrcPort, k.DstPort = 4, 17, 1, 2
	a := pool.Action{To: k.Tuple, Hop: 0x1234}
	s, err := tab.Insert(k, a, 1)
	if err != nil {
		t.Fatal(err)
	}
	a.Flags = pool.FlagFast | 1500
	tab.SetFlags(s, a.Flags)
	if gk, ga, _ := tab.Read(s); gk != k || ga != a {
		t.Errorf("got %+v %+v, want %+v %+v", gk, ga, k, a)
	}
	tab.MarkTCP(s, 1)
	tab.ClearTCP(s)
	if _, _, _, flags := tab.Counters(s); flags != 0 {
		t.Errorf("flags %#x", flags)
	}
}
