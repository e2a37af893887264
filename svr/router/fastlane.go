package router

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"

	"waymark/net/link"
	"waymark/net/rtnl"
	"waymark/svr/lane/fast"
	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/session"
)

// fastLane is the lane in the kernel, as the router has set it up. The
// reconciler's, but for what package fast allows everyone.
type fastLane struct {
	*fast.Lane
	table      *pool.Table
	records    *records
	adopted    bool
	why        error         // why a lane that was there could not be taken over, nil: it was, or none was
	directions atomic.Uint64 // of sessions of another layout, as far as known
	moved      atomic.Bool   // a next-hop has another link address than it had under this process
	base       int64         // CLOCK_MONOTONIC where the router's clock stands at 0
	asleep     bool          // no device has a program yet: the service lane receives
	cutter     int           // interface of the cutter, 0: none

	cutterTried bool  // it was to be made
	ready       awake // programs to be put on devices

	ports   map[string]fast.PortConfig // by Linux interface
	devices map[string]*device         // by Linux interface: what is known of XDP there
	netifs  []fast.NetifConfig         // by IfID
	own     map[netip.Addr]fast.Own
}

// openFast opens the lane in the kernel as settings want. Without it the
// reason is why; it is an error where the settings demand one, or where what an
// earlier router left cannot be removed: it would forward beside us.
func openFast(set *Settings, t *policy.Tables, prof Profile) (l *fastLane, why string, err error) {
	cfg, err := fastConfig(t, prof)
	if err != nil {
		return nil, "", err
	}
	if set.Lanes == LanesGo {
		return nil, "not wanted", dropFast(set, cfg)
	}
	l, err = newFast(set, t, prof, cfg)
	switch {
	case err == nil:
		return l, "", nil
	case set.Lanes != LanesAuto || errors.Is(err, fast.ErrOwned):
		return nil, "", err
	}
	if e := dropFast(set, cfg); e != nil {
		return nil, "", errors.Join(err, e)
	}
	set.Log.Warn("service lane alone", "reason", err)
	return nil, err.Error(), nil
}

// newFast opens the lane, its table and records: those of an earlier process
// where they belong together, else all anew. Programs load, or it is an error,
// unless a new lane is there by our own choice: that begins asleep.
func newFast(set *Settings, t *policy.Tables, prof Profile, cfg fast.Config) (f *fastLane, err error) {
	f = &fastLane{base: fast.Monotonic(), ports: map[string]fast.PortConfig{}, devices: map[string]*device{},
		netifs: make([]fast.NetifConfig, len(t.Interfaces)), own: map[netip.Addr]fast.Own{}}
	f.Lane, err = fast.Open(cfg)
	if err == nil && f.Adopted() {
		if err = f.takeOver(set, t, prof); err != nil {
			err = fmt.Errorf("%w: %w", fast.ErrVersion, errors.Join(err, f.Close(true)))
		}
	}
	if errors.Is(err, fast.ErrVersion) {
		err = f.openAnew(set, t, cfg, err)
	}
	if err != nil {
		return nil, err
	}
	if err = f.fill(set, t, prof); err != nil {
		return nil, errors.Join(err, f.Close(f.adopted || f.Older().Lanes > 0))
	}
	return f, nil
}

// fill makes or opens the table and what goes with it.
func (f *fastLane) fill(set *Settings, t *policy.Tables, prof Profile) (err error) {
	if f.table, err = f.makeTable(prof, f.clock()); err != nil {
		return fmt.Errorf("make session table: %w", err)
	}
	if err := f.makeRecords(set, t, prof); err != nil {
		return err
	}
	// Beside older lanes there is time: they forward.
	if f.asleep = set.Lanes == LanesAuto && !f.adopted && f.Older().Lanes == 0; f.asleep {
		return nil // a device whose program is refused is served without
	}
	return f.Try()
}

// clock is the time of a router that begins now.
func (f *fastLane) clock() int64 { return fast.Monotonic() - f.base + 1 }

// takeOver opens what belongs to the table that was found, or tells why it cannot.
func (f *fastLane) takeOver(set *Settings, t *policy.Tables, prof Profile) error {
	h, err := pool.ReadHeader(f.Memory())
	if err == nil && int(h.Slots) != prof.Slots {
		err = fmt.Errorf("table of %d slots, want %d", h.Slots, prof.Slots)
	}
	var migrated bool
	if err == nil {
		f.records, migrated, err = openRecords(set.RunDir, prof.recordsHeader(h.Seed, t))
	}
	if err != nil {
		return err
	}
	if migrated {
		set.Log.Info("session records of another layout were migrated", "file", f.records.file)
	}
	f.adopted, f.base = true, h.Clock
	return nil
}

// leastRing is room for some 200 packets: what comes while a small processor does
// other work.
const leastRing = 512 << 10

// mostRing is more than any rate needed that was measured: four times as much gained
// nothing.
const mostRing = 1 << 20

// fastConfig sizes the lane, and names the devices where it may be already.
func fastConfig(t *policy.Tables, prof Profile) (fast.Config, error) {
	cfg := fast.Config{Slots: prof.Slots, Hops: prof.Hops + 1, Netifs: max(len(t.Interfaces), 1)}
	cfg.Own, cfg.VLANs, cfg.Ring = 4*cfg.Netifs+16, cfg.Netifs, min(max(prof.Ring, leastRing), mostRing)
	c, err := rtnl.Dial()
	if err != nil {
		return cfg, err
	}
	defer c.Close()
	links, err := link.List(c)
	if err != nil {
		return cfg, err
	}
	for _, l := range links { // an earlier configuration may have named others
		cfg.Devices = append(cfg.Devices, l.Index)
	}
	return cfg, nil
}

// dropFast takes away what a killed router with the fast lane left. Where the
// kernel lets us see no program, there is one of ours only if there are records.
func dropFast(set *Settings, cfg fast.Config) error {
	file := filepath.Join(set.RunDir, RecordsFile)
	_, missing := os.Stat(file)
	err := fast.Clear(cfg)
	if err != nil && !(missing != nil && errors.Is(err, fast.ErrRefused)) {
		return fmt.Errorf("remove the fast lane of an earlier router: %w", err)
	}
	if missing != nil {
		return nil
	}
	return os.Remove(file)
}

// makeTable makes or opens the session table in the lane's memory.
func (f *fastLane) makeTable(prof Profile, now int64) (*pool.Table, error) {
	cfg := prof.table(seed16())
	cfg.Clock, cfg.Barrier = f.base, fast.Barrier
	open := func() (*pool.Table, error) { return pool.NewTable(f.Memory(), cfg) }
	if f.adopted {
		open = func() (*pool.Table, error) { return pool.Open(f.Memory(), cfg, now) }
	}
	t, err := open()
	if err != nil {
		return nil, err
	}
	word, err := fast.OwnerWord()
	t.SetOwnerWord(word)
	return t, err
}

// makeRecords makes the records that go with a new table.
func (f *fastLane) makeRecords(set *Settings, t *policy.Tables, prof Profile) error {
	h, err := pool.ReadHeader(f.Memory())
	if err == nil && !f.adopted {
		f.records, err = newRecords(set.RunDir, prof.recordsHeader(h.Seed, t))
	}
	return err
}

// end closes the lane; with keep it goes on forwarding.
func (f *fastLane) end(keep bool) error {
	if f == nil {
		return nil
	}
	return errors.Join(f.Close(keep), f.records.close(keep))
}

// published tells the lane a next-hop's link address, or that there is none.
func (f *fastLane) published(hop, ifc uint16, mac [6]byte, ok bool) {
	if ok {
		if f.SetHop(hop, mac, ifc-1) {
			f.moved.Store(true)
		}
	} else {
		f.ClearHop(hop)
	}
}

// feed reads one queue of punted packets for the service lane.
type feed struct {
	queue *fast.Queue
	log   *slog.Logger
	which int // of the two
	*drain
}

// drain is what the two feeds of a worker share: when both queues are empty, all
// that was punted has been sent, and sessions may be lent to the kernel's lane
// without being overtaken there.
type drain struct {
	empty  [2]bool // queues that held nothing when they were read last
	engine *session.Engine
}

// read notes how many packets a queue held.
func (d *drain) read(q, n int) {
	if d.empty[q] = n == 0; d.empty[0] && d.empty[1] {
		d.engine.Lend()
	}
}

// feedBatch is how many packets a queue hands over at once: one super-packet's
// segments, which leave as one again.
const feedBatch = 48

// FD implements lane.Feed.
func (f *feed) FD() int { return f.queue.FD() }

// Rest implements lane.Feed.
func (f *feed) Rest() bool { return f.queue.Rest() }

// Lost implements lane.Feed.
func (f *feed) Lost() uint64 { return f.queue.Lost() }

// Feed implements lane.Feed.
func (f *feed) Feed(deliver func(p *packet.Packet, etherType uint16, src [6]byte)) int {
	list, err := f.queue.Read()
	if err != nil {
		f.log.Warn("cannot read punted packets", "error", err)
		return 0
	}
	for i := range list {
		p := &list[i]
		p.If = laneID(p.If)
		deliver(&p.Packet, p.EtherType, p.Src)
	}
	f.read(f.which, len(list))
	return len(list)
}
