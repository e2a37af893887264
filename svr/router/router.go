package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"waymark/net/resolve"
	"waymark/net/sntp"
	"waymark/svr/event"
	"waymark/svr/host"
	"waymark/svr/lane"
	"waymark/svr/path/ambient"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/watch"
)

// Router is one running router.
type Router struct {
	set     *Settings
	log     *slog.Logger
	tables  *policy.Tables
	prof    Profile
	parts   *Parts
	adapter *adapter
	lane    *lane.Lane
	bfd     *watch.Watcher
	ledger  *ambient.Ledger // of what the box sends and hears for its own sake
	kernel  *host.Kernel
	journal *journal
	usage   *usage
	started time.Time
	epoch   int64      // of the clock when started
	fast    *fastLane  // nil: the service lane alone
	older   *olderLane // sessions of another layout in the kernel, nil: none; the reconciler's
	why     string     // why there is no fast lane

	ports   map[string]*port // by Linux interface; the reconciler's
	doubts  []time.Time      // by PathID: last event of suspect; the reconciler's
	robbed  bool             // another router owns the network now; the reconciler's
	seen    *host.View       // the newest; the reconciler's
	probed  chan probed      // what test frames showed
	woken   chan awake       // programs that see are loaded
	asked   chan func()      // who waits for the reconciler to come round
	rounds  rounds
	ended   chan struct{}  // closed when it does not any more
	again   bool           // a new configuration wants a new start; the reconciler's
	soft    *policy.Tables // tables with what changed under way; the reconciler's
	load    hostLoad       // the reconciler's
	reloads chan *reload
	book    *book // where dynamic addresses of peers are
	leaseTrack
	names       names
	daemons     daemons
	client      *resolve.Client // of the box's own look-ups, and of the LANs'
	clockClient *sntp.Client

	mu         sync.Mutex   // guards what follows, for show
	status     []host.State // by IfID
	since      []time.Time  // by PathID: up since, zero: down
	keys       *keyStatus
	memoryPeak int // most bytes that show capacity saw

	settled atomic.Bool // the pools are present: see settle
	tidied  time.Time   // when memory was given back last
}

// Run runs a router until ctx ends, then stops it in order. t must be of Load,
// with no error among its findings. Errors are ErrSettings and ErrOwned while
// nothing is touched, others afterwards.
func Run(ctx context.Context, set Settings, t *policy.Tables) (err error) {
	prof, err := set.profile()
	if err != nil {
		return err
	}
	for _, dir := range []string{set.RunDir, set.stateDir()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make directory: %w", err)
		}
	}
	l, err := lock(&set, t)
	if err != nil {
		return err
	}
	defer l.release()
	r, err := newRouter(&set, t, prof)
	if errors.Is(err, pool.ErrBroken) {
		set.Log.Error("sessions in the kernel begin anew", "reason", err)
		r, err = newRouter(&set, t, prof)
	}
	if err != nil {
		return err
	}
	err = errors.Join(r.run(ctx), r.stop())
	if err == nil && r.again {
		return ErrRestart
	}
	return err
}

// newRouter makes everything that needs no change of the namespace.
func newRouter(set *Settings, t *policy.Tables, prof Profile) (*Router, error) {
	r := &Router{
		set: set, log: set.Log, tables: t, soft: t, prof: prof, started: time.Now(), epoch: 1, ports: map[string]*port{},
		probed: make(chan probed, 8), woken: make(chan awake), reloads: make(chan *reload), asked: make(chan func()), ended: make(chan struct{}), status: make([]host.State, len(t.Interfaces)), since: make([]time.Time, len(t.Paths)), doubts: make([]time.Time, len(t.Paths)),
		book: openBook(set.RunDir), leaseTrack: newLeaseTrack(), daemons: daemons{runs: map[service]*daemon{}}, client: resolve.NewClient(), ledger: ambient.NewLedger(),
	}
	r.clockClient = newClock(set, r.client, r.log, r.clockSet)
	var err error
	if r.fast, r.why, err = openFast(set, t, prof); err != nil {
		return nil, err
	}
	if err := r.assemble(); err != nil {
		return nil, errors.Join(err, r.fast.end(true))
	}
	r.lane, err = lane.New(nil, r.adapter.hops.hops, r.adapter, r.laneConfig())
	if err != nil {
		return nil, errors.Join(err, r.fast.end(true))
	}
	r.adapter.lane = r.lane
	r.parts.Engine.Withhold(r.fast != nil && r.fast.asleep)
	if err := r.adoptSessions(); err != nil {
		return nil, errors.Join(err, r.lane.Close(), r.fast.end(false))
	}
	r.reserveOlder()
	if r.kernel, err = host.Open(host.Config{Tables: t, RunDir: set.RunDir, Ledger: r.ledger, Log: r.log}); err == nil {
		if r.usage, err = openUsage(set); err != nil {
			r.log.Warn("begin to count the bytes of the month anew", "error", err)
		}
		r.journal, err = openJournal(set, t.RouterName, t.NodeName)
	}
	if err != nil {
		return nil, errors.Join(err, r.lane.Close(), r.fast.end(true))
	}
	r.keys = openKeyStatus(set, t, r.started)
	r.journal.shelve(t.Maintenance, shelves(t.Shelves))
	return r, nil
}

// clock is monotonic nanoseconds since the start, never 0.
func (r *Router) clock() int64 { return r.epoch + int64(time.Since(r.started)) }

// run brings the network up and serves until ctx ends or something breaks that
// cannot be mended.
func (r *Router) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	changes, unwatch, err := watchNetwork()
	if err != nil {
		return err
	}
	defer unwatch()
	// First of all: whoever reads the events takes alarms of before for over.
	r.journal.tell(event.Event{Kind: event.KindSystem, Type: "system.router_started", Category: event.Process,
		Severity: event.Info, Source: "router", Message: "Process router is now active"})
	r.tellOlder()
	view, err := r.kernel.Apply()
	if err != nil {
		return fmt.Errorf("prepare network: %w", err)
	}
	var done sync.WaitGroup
	defer done.Wait()
	defer cancel(nil)
	if err := r.bfd.Open(); err != nil {
		return err
	}
	watching, unwatchPaths := context.WithCancel(context.WithoutCancel(ctx)) // peers are told the end, too
	defer unwatchPaths()
	done.Go(func() { r.bfd.Run(watching) })
	done.Go(func() { r.bfd.ServeTagged(ctx, r.sendTagged) })
	done.Go(func() {
		if err := r.lane.Run(ctx); err != nil {
			cancel(fmt.Errorf("%w: %w", errLane, err))
		}
	})
	done.Go(func() { r.runClock(ctx) })
	r.adopt(view)
	r.useBook(r.book.list())
	socket, err := r.serve(ctx)
	if err != nil {
		return err
	}
	defer socket.close()
	r.log.Info("router runs", "router", r.tables.RouterName, "node", r.tables.NodeName,
		"profile", r.prof.Name, "run", r.set.RunDir)
	list := r.toWake(view)
	done.Go(func() {
		beside(r.log)
		r.wake(ctx, list)
		r.settle()
	})
	r.keep(ctx, changes)
	if !r.set.Keep && !r.robbed && !r.again { // a new configuration is no end: peers may wait
		r.bfd.Shutdown()
	}
	close(r.ended)
	if err := context.Cause(ctx); errors.Is(err, errLane) {
		return err
	}
	return nil
}

// errLane: the lane ended by itself, so nothing is forwarded any more.
var errLane = errors.New("lane broke")

// stop undoes what run did; the lane does not run any more.
func (r *Router) stop() error {
	r.countUse(true)
	r.bfd.KeepLearned()
	r.kernel.EndDHCP()
	r.daemons.close()
	err := errors.Join(r.lane.Close(), r.fast.end(r.set.Keep || r.robbed || r.again))
	if r.set.Keep || r.robbed || r.again {
		r.log.Info("stopped; addresses, routes and guard stay")
	} else {
		err = errors.Join(err, r.forgetNames(), r.kernel.Undo())
		r.log.Info("stopped")
	}
	return errors.Join(err, r.kernel.Close(), r.journal.close())
}
