package fast_test

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"

	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/svr/lane/fast"
	"waymark/svr/packet"
	"waymark/svr/pool"
)

// world is a lane in a namespace of its own with its session table.
type world struct {
	t     testing.TB
	ns    string
	lane  *fast.Lane
	table *pool.Table
	now   int64
	ring  bool // its ports have one
}

func newWorld(t testing.TB, cfg fast.Config) *world {
	t.Helper()
	w := &world{t: t, ns: nstest.New(t)}
	w.open(cfg)
	return w
}

// open opens the lane in the world's namespace and makes or adopts the table.
func (w *world) open(cfg fast.Config) {
	w.t.Helper()
	if cfg.Slots == 0 {
		cfg.Slots = 1024
	}
	w.in(func() (err error) {
		if w.lane, err = fast.Open(cfg); err != nil {
			return err
		}
		tc := pool.TableConfig{Slots: cfg.Slots, Seed: [16]byte{1, 2, 3}, Clock: fast.Monotonic(), Barrier: fast.Barrier}
		if w.lane.Adopted() {
			w.table, err = pool.Open(w.lane.Memory(), tc, 1)
		} else {
			w.table, err = pool.NewTable(w.lane.Memory(), tc)
		}
		return err
	})
	l := w.lane
	w.t.Cleanup(func() { // twice is fine
		w.in(func() error { return l.Close(false) })
	})
}

func (w *world) in(fn func() error) {
	w.t.Helper()
	if err := netns.Do(w.ns, fn); err != nil {
		var v *ebpf.VerifierError
		if errors.As(err, &v) {
			w.t.Fatalf("%+v", v)
		}
		w.t.Fatal(err)
	}
}

// load loads a program without attaching it.
func (w *world) load(name string, c fast.PortConfig) (p *ebpf.Program) {
	w.t.Helper()
	w.in(func() (err error) { p, err = w.lane.Load(name, c); return err })
	w.t.Cleanup(func() { p.Close() })
	return p
}

// insert makes a direction.
func (w *world) insert(from packet.Tuple, ifc uint16, to packet.Tuple, hop, flags uint16) uint32 {
	w.t.Helper()
	slot, err := w.table.Insert(pool.Key{Tuple: from, If: ifc}, pool.Action{To: to, Hop: hop, Flags: flags}, 1)
	if err != nil {
		w.t.Fatal(err)
	}
	return slot
}

// tuple makes a tuple of two "address:port".
func tuple(proto uint8, src, dst string) packet.Tuple {
	return packet.MakeTuple(netip.MustParseAddrPort(src), netip.MustParseAddrPort(dst), proto)
}

// remove ends a direction and lets time pass until its slot is free again.
func (w *world) remove(slot uint32) {
	w.now += 2e9
	w.table.Remove(slot, w.now)
	w.table.Advance(w.now + 2e9)
}
