package router

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"waymark/svr/event"
	"waymark/svr/host"
	"waymark/svr/lane/fast"
	"waymark/svr/path"
	"waymark/svr/policy"
)

// Sessions of another layout. What an earlier router left in the kernel and this
// build cannot take over forwards on behind the new lane: nobody moves these
// sessions, lists them or learns of errors about them, so they have this time only,
// and only while the network stays as it is. A session that is cut begins anew by
// its next packet, as after any restart of the service lane.

// openAnew makes a new lane, in front of what is there where that may go on; why
// tells what was wrong with taking it over.
func (f *fastLane) openAnew(set *Settings, t *policy.Tables, cfg fast.Config, why error) (err error) {
	beside := cfg
	beside.Beside = true
	if set.Drain <= 0 {
		why = fmt.Errorf("%w; and no time is given to them", why)
	} else if e := sameTables(set.RunDir, t); e != nil {
		why = fmt.Errorf("%w; %w", why, e)
	} else if f.Lane, err = fast.Open(beside); err == nil {
		f.why = why
		return nil
	} else if errors.Is(err, fast.ErrVersion) {
		why = fmt.Errorf("%w; %w", why, err)
	} else {
		return err
	}
	set.Log.Warn("sessions in the kernel begin anew", "reason", why)
	if err := fast.Clear(cfg); err != nil {
		return err
	}
	f.Lane, err = fast.Open(cfg)
	return err
}

// olderLane decides when sessions of another layout have gone on for long enough.
type olderLane struct {
	since, limit int64 // CLOCK_MONOTONIC, and nanoseconds from there
	idle         int64 // without a packet for so long all of them are over
	forwarded    uint64
	grew         int64          // when forwarded did last
	up           []bool         // by PathID: was up meanwhile
	addrs        [][]netip.Addr // by IfID, nil: had none yet
}

func newOlderLane(o fast.Older, now int64, limit, idle time.Duration, t *policy.Tables) *olderLane {
	return &olderLane{since: o.Since, limit: int64(limit), idle: int64(idle), forwarded: o.Forwarded, grew: now,
		up: make([]bool, len(t.Paths)), addrs: make([][]netip.Addr, len(t.Interfaces))}
}

// look is told the time and how many packets they have had, and returns why they
// shall end, or nothing.
func (o *olderLane) look(now int64, forwarded uint64) string {
	if forwarded != o.forwarded {
		o.forwarded, o.grew = forwarded, now
	}
	switch {
	case now-o.since >= o.limit:
		return "their time is over"
	case now-o.grew >= o.idle:
		return "none has traffic any more"
	}
	return ""
}

// path is told the state of a path. One that goes down has sessions to move, and
// nobody can move these.
func (o *olderLane) path(id policy.PathID, s path.Status) string {
	if o.up[id] && !s.Up && !s.Pending {
		return "a path went down"
	}
	o.up[id] = o.up[id] || s.Up
	return ""
}

// addresses is told the addresses of an interface: sessions keep those they have.
func (o *olderLane) addresses(id policy.IfID, addrs []netip.Addr) string {
	for _, a := range o.addrs[id] {
		if !slices.Contains(addrs, a) {
			return "an address changed"
		}
	}
	if len(addrs) > 0 {
		o.addrs[id] = slices.Clone(addrs)
	}
	return ""
}

// tellOlder tells of sessions of another layout, when there are any.
func (r *Router) tellOlder() {
	if r.fast == nil {
		return
	}
	o := r.fast.Older()
	if o.Lanes == 0 {
		return
	}
	now := fast.Monotonic()
	r.older = newOlderLane(o, now, r.set.Drain, r.tables.LongestIdle(), r.tables)
	kept := r.adapter.reserved
	left := time.Duration(r.older.since + r.older.limit - now).Round(time.Second)
	r.log.Warn("sessions of another layout go on in the kernel", "lanes", o.Lanes, "directions", kept.directions,
		"known", kept.known, "wayports", len(kept.pairs), "nat-ports", len(kept.ports),
		"packets", o.Forwarded, "memory", o.Memory, "left", left, "reason", r.fast.why)
	r.journal.tell(event.OlderSessions(kept.directions, left.String()))
}

// lookAtOlder ends the sessions of another layout when it is time. The reconciler's.
func (r *Router) lookAtOlder() {
	if r.older == nil {
		return
	}
	why := r.older.look(fast.Monotonic(), r.fast.Older().Forwarded)
	for id := range r.older.up {
		if why == "" {
			why = r.older.path(policy.PathID(id), r.parts.Carrier.Status(uint16(id)))
		}
	}
	for id := range r.older.addrs {
		if why == "" {
			why = r.older.addresses(policy.IfID(id), addrsOf(r.status[id]))
		}
	}
	if why == "" && r.fast.moved.Load() {
		why = "a next-hop has another link address"
	}
	if why != "" {
		r.endOlder(why)
	}
}

func addrsOf(s host.State) (list []netip.Addr) {
	for _, a := range s.Addrs {
		list = append(list, a.Prefix.Addr())
	}
	return list
}

// endOlder takes the programs of sessions of another layout away. The reconciler's.
func (r *Router) endOlder(why string) {
	if r.older == nil {
		return
	}
	o := r.fast.Older()
	if err := r.fast.EndOlder(); err != nil {
		r.log.Warn("cannot end sessions of another layout", "error", err)
		return // tried again by the next look
	}
	after := time.Duration(fast.Monotonic() - o.Since).Round(time.Millisecond)
	r.older = nil
	_ = r.onLane(r.giveBack) // fails only when the lane has ended
	r.log.Info("sessions of another layout ended in the kernel", "reason", why, "packets", o.Forwarded, "after", after)
	r.journal.tell(event.OlderSessionsEnded(why, o.Forwarded, after.String()))
}
