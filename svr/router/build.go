package router

import (
	"fmt"
	"path/filepath"
	"time"

	"waymark/svr/lane"
	"waymark/svr/lane/fast"
	"waymark/svr/policy"
	"waymark/svr/watch"
)

// assemble makes adapter and engine over the fast lane's memory, or plain one.
func (r *Router) assemble() (err error) {
	r.adapter = &adapter{suspected: make(chan policy.PathID, 16), lost: make(chan struct{})}
	opt := Options{Out: r.adapter, Alarms: r.adapter, Watcher: r.adapter, Requests: r.adapter, ColdStart: true}
	hops := lane.NewHops
	if f := r.fast; f != nil {
		r.epoch = f.clock() - int64(time.Since(r.started))
		opt.Table = f.table
		opt.Fast, opt.Records = true, f.records.sessions
		hops = func(n int) *lane.Hops { return lane.NewHopsIn(n, f.records.hops) }
		r.adapter.owned = opt.Table
		r.adapter.word = opt.Table.OwnerWord()
	} else if opt.Memory, err = tableMemory(r.prof); err != nil {
		return err
	}
	r.adapter.hops = newWarmHops(hops(r.prof.Hops))
	opt.Now, opt.Local, opt.Seen, opt.BFD, opt.Map = r.clock(), r.adapter.local, r.adapter.seen, true, mapPages
	opt.Kept = func(pathway, local, peer uint16) bool { return r.adapter.reserved.take(pair{pathway, local, peer}) }
	if r.set.Workers > 0 {
		opt.Later = r.adapter
	}
	if r.parts, err = Assemble(r.tables, r.prof, opt); err != nil {
		return fmt.Errorf("assemble engine: %w", err)
	}
	r.adapter.engine = r.parts.Engine
	if r.bfd, err = watch.New(r.watchConfig()); err != nil {
		return err
	}
	r.adapter.Watcher = r.bfd
	return nil
}

// watchConfig is that of BFD.
func (r *Router) watchConfig() watch.Config {
	return watch.Config{Tables: r.tables, Carrier: r.parts.Carrier, Table: r.parts.Table, Board: r.parts.Board,
		Neighbors: bfdNeighbors(r.tables), Ledger: r.ledger, Clock: r.clock, Log: r.log, Version: version(), Behind: r.behind,
		Lifetimes: filepath.Join(r.set.stateDir(), LifetimesFile), Endpoints: filepath.Join(r.set.RunDir, EndpointsFile)}
}

// behind is watch.Config's.
func (r *Router) behind(ifc uint16, now int64) bool {
	return r.lane != nil && r.lane.Behind(laneID(ifc), now)
}

// laneConfig is the service lane's, with the kernel's behind it.
func (r *Router) laneConfig() lane.Config {
	c := lane.Config{Clock: r.clock, Keep: r.set.Keep, Workers: r.set.Workers}
	if r.fast == nil {
		return c
	}
	c.Published = r.fast.published
	known, unknown := r.fast.Queues(0)
	both := &drain{engine: r.parts.Engine}
	batches := 1
	if c.Workers > 0 {
		batches += lane.Flights
	}
	for i, q := range []*fast.Queue{known, unknown} {
		q.Init(feedBatch, batches)
		c.Feeds = append(c.Feeds, &feed{queue: q, log: r.log, which: i, drain: both})
	}
	return c
}

// adoptSessions takes over what an earlier process left, before the lane runs.
// pool.ErrBroken: what it left contradicts itself and cannot be used.
func (r *Router) adoptSessions() error {
	if r.fast == nil || !r.fast.adopted {
		return nil
	}
	start := time.Now()
	r.adapter.now = r.clock()
	adopted, removed := r.parts.Engine.Adopt(r.clock(), r.adapter.hops.hops.Adopt)
	r.adapter.hops.hops.ForgetNames(r.fast.ClearHop)
	took := time.Since(start)
	if err := r.parts.Engine.Check(); err != nil {
		return err
	}
	r.log.Info("sessions adopted, pools checked", "adopted", adopted, "begin anew", removed, "took", took,
		"check", time.Since(start)-took)
	return nil
}
