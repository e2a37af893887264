package router

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"

	"waymark/net/link"
	"waymark/net/rtnl"
	"waymark/svr/lane/fast"
	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
)

// fastLane is the lane in the kernel, as the router has set it up. The
// reconciler's, but for what package fast allows everyone.
type fastLane struct {
	*fast.Lane
	records *records
	adopted bool
	base    int64 // CLOCK_MONOTONIC where the router's clock stands at 0

	ports  map[string]fast.PortConfig // by Linux interface
	netifs []fast.NetifConfig         // by IfID
	own    map[netip.Addr]fast.Own
}

// openFast opens the lane in the kernel as settings want. Without it the
// reason is why; it is an error where the settings demand one.
func openFast(set *Settings, t *policy.Tables, prof Profile) (l *fastLane, why string, err error) {
	if set.Lanes == LanesGo {
		return nil, "not wanted", dropFast(set, t, prof)
	}
	l, err = newFast(set, t, prof)
	switch {
	case err == nil:
		return l, "", nil
	case set.Lanes == LanesBPF || errors.Is(err, fast.ErrOwned):
		return nil, "", err
	}
	set.Log.Warn("service lane alone", "reason", err)
	return nil, err.Error(), nil
}

// newFast opens the lane and its records: those of an earlier process where
// they belong together, else both anew.
func newFast(set *Settings, t *policy.Tables, prof Profile) (*fastLane, error) {
	cfg, err := fastConfig(t, prof)
	if err != nil {
		return nil, err
	}
	f := &fastLane{base: fast.Monotonic(), ports: map[string]fast.PortConfig{},
		netifs: make([]fast.NetifConfig, len(t.Interfaces)), own: map[netip.Addr]fast.Own{}}
	f.Lane, err = fast.Open(cfg)
	if errors.Is(err, fast.ErrVersion) {
		set.Log.Warn("sessions in the kernel begin anew", "reason", err)
		if err = fast.Clear(cfg.Devices); err == nil {
			f.Lane, err = fast.Open(cfg)
		}
	}
	if err != nil {
		return nil, err
	}
	if f.Adopted() && !f.takeOver(set, t, prof) {
		if err := f.Close(false); err != nil {
			return nil, err
		}
		if f.Lane, err = fast.Open(cfg); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// takeOver opens what belongs to the table that was found.
func (f *fastLane) takeOver(set *Settings, t *policy.Tables, prof Profile) bool {
	h, err := pool.ReadHeader(f.Memory())
	if err == nil && int(h.Slots) != prof.Slots {
		err = fmt.Errorf("table of %d slots, want %d", h.Slots, prof.Slots)
	}
	if err == nil {
		f.records, err = openRecords(set.RunDir, prof.recordsHeader(h.Seed, t))
	}
	if err != nil {
		set.Log.Warn("sessions in the kernel begin anew", "reason", err)
		return false
	}
	f.adopted, f.base = true, h.Clock
	return true
}

// fastConfig sizes the lane, and names the devices where it may be already.
func fastConfig(t *policy.Tables, prof Profile) (fast.Config, error) {
	cfg := fast.Config{Slots: prof.Slots, Hops: prof.Hops + 1, Netifs: max(len(t.Interfaces), 1)}
	cfg.Own, cfg.VLANs = 4*cfg.Netifs+16, cfg.Netifs
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

// dropFast takes away what a killed router with the fast lane left.
func dropFast(set *Settings, t *policy.Tables, prof Profile) error {
	file := filepath.Join(set.RunDir, RecordsFile)
	if _, err := os.Stat(file); err != nil {
		return nil
	}
	cfg, err := fastConfig(t, prof)
	if err != nil {
		return err
	}
	l, err := fast.Open(cfg)
	if errors.Is(err, fast.ErrVersion) {
		if err = fast.Clear(cfg.Devices); err == nil {
			l, err = fast.Open(cfg)
		}
	}
	if err != nil {
		return fmt.Errorf("remove the fast lane of an earlier router: %w", err)
	}
	return errors.Join(l.Close(false), os.Remove(file))
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
		f.SetHop(hop, mac, ifc-1)
	} else {
		f.ClearHop(hop)
	}
}

// feed reads one queue of punted packets for the service lane.
type feed struct {
	queue *fast.Queue
	log   *slog.Logger
}

// feedBatch is how many packets a queue hands over at once.
const feedBatch = 16

// FD implements lane.Feed.
func (f *feed) FD() int { return f.queue.FD() }

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
	return len(list)
}
