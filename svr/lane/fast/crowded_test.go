package fast_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"waymark/svr/lane/fast"
	"waymark/svr/packet"
	"waymark/svr/pool"
)

// TestCrowded fills the table to its last slot with directions of every pair of
// families, so that many lie outside their window and most second slots far from
// the first: both programs find each of them, and change its packets right.
func TestCrowded(t *testing.T) {
	w := bench(t)
	cfg := fast.PortConfig{Index: 1, Untagged: 1}
	tc, xdp := w.load(fast.ProgTC, cfg), w.load(fast.ProgXDP, cfg)
	type direction struct {
		f  frame
		to packet.Tuple
	}
	var all []direction
	rnd := rand.New(rand.NewPCG(2, 0))
	for n := uint16(0); ; n++ {
		f, to := randomFrame(rnd, uint8(4+n&2), uint8(4+n>>1&2), packet.ProtoUDP, n)
		_, err := w.table.Insert(pool.Key{Tuple: f.t, If: 1}, pool.Action{To: to, Hop: 2, Flags: fast.Fast | 1500}, 1)
		if err != nil {
			break
		}
		all = append(all, direction{f, to})
	}
	if st := w.table.Stats(); st.Capacity-st.Used > 1 {
		t.Fatalf("the table is not full: %+v", st)
	}
	for i, d := range all {
		want := link(hopMAC, srcMAC, 0, d.to.Family, readdressed(t, d.f.ip(), d.to))
		if verdict, out := run(t, xdp, d.f.bytes(), nil); verdict != xdpRedirect || !bytes.Equal(out, want) {
			t.Fatalf("XDP, direction %d of %d: verdict %d\n got %x\nwant %x", i, len(all), verdict, out, want)
		}
		if verdict, out := run(t, tc, d.f.bytes(), nil); verdict != tcRedirect || !bytes.Equal(out, want) {
			t.Fatalf("TC, direction %d of %d: verdict %d\n got %x\nwant %x", i, len(all), verdict, out, want)
		}
	}
	f, _ := randomFrame(rnd, 4, 4, packet.ProtoUDP, 60000)
	if verdict, _ := run(t, xdp, f.bytes(), nil); verdict != xdpPass {
		t.Errorf("a key that is not there: verdict %d", verdict)
	}
	t.Logf("%d directions in %d slots", len(all), w.table.Stats().Capacity)
}
