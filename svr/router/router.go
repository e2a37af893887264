package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"waymark/net/resolve"
	"waymark/net/sntp"
	"waymark/svr/event"
	"waymark/svr/lane"
	"waymark/svr/policy"
	"waymark/svr/pool"
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
	bfd     *watcher
	kernel  *kernel
	journal *journal
	started time.Time
	epoch   int64     // of the clock when started
	fast    *fastLane // nil: the service lane alone
	why     string    // why there is no fast lane

	ports   map[string]*port   // by Linux interface; the reconciler's
	doubts  []time.Time        // by PathID: last event of suspect; the reconciler's
	robbed  bool               // another router owns the network now; the reconciler's
	seen    *view              // the newest; the reconciler's
	probed  chan probed        // what test frames showed
	asked   chan chan struct{} // who waits for the reconciler to come round
	ended   chan struct{}      // closed when it does not any more
	again   bool               // a new configuration wants a new start; the reconciler's
	reloads chan *reload
	leaseTrack
	names       names
	daemons     daemons
	client      *resolve.Client // of the box's own look-ups, and of the LANs'
	clockClient *sntp.Client

	mu         sync.Mutex  // guards what follows, for show
	status     []ifState   // by IfID
	since      []time.Time // by PathID: up since, zero: down
	memoryPeak int         // most bytes that show capacity saw
}

// Run runs a router until ctx ends, then stops it in order. t must be of Load,
// with no error among its findings. Errors are ErrSettings and ErrOwned while
// nothing is touched, others afterwards.
func Run(ctx context.Context, set Settings, t *policy.Tables) (err error) {
	prof, err := set.profile()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(set.RunDir, 0o755); err != nil {
		return fmt.Errorf("make run directory: %w", err)
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
		set: set, log: set.Log, tables: t, prof: prof, started: time.Now(), epoch: 1, ports: map[string]*port{},
		probed: make(chan probed, 8), reloads: make(chan *reload), asked: make(chan chan struct{}), ended: make(chan struct{}), status: make([]ifState, len(t.Interfaces)), since: make([]time.Time, len(t.Paths)), doubts: make([]time.Time, len(t.Paths)),
		leaseTrack: newLeaseTrack(), daemons: daemons{runs: map[service]*daemon{}}, client: resolve.NewClient(),
	}
	r.clockClient = newClock(set, r.client, r.log, r.clockSet)
	var err error
	if r.fast, r.why, err = openFast(set, t, prof); err != nil {
		return nil, err
	}
	if err := r.assemble(); err != nil {
		return nil, errors.Join(err, r.fast.end(true))
	}
	settle(r.parts)
	r.lane, err = lane.New(nil, r.adapter.hops.hops, r.adapter, r.laneConfig())
	if err != nil {
		return nil, errors.Join(err, r.fast.end(true))
	}
	r.adapter.lane = r.lane
	if err := r.adoptSessions(); err != nil {
		return nil, errors.Join(err, r.lane.Close(), r.fast.end(false))
	}
	if r.kernel, err = openKernel(set, t); err == nil {
		r.journal, err = openJournal(set, t.RouterName, t.NodeName)
	}
	if err != nil {
		return nil, errors.Join(err, r.lane.Close(), r.fast.end(true))
	}
	return r, nil
}

// clock is monotonic nanoseconds since the start, never 0.
func (r *Router) clock() int64 { return r.epoch + int64(time.Since(r.started)) }

// run brings the network up and serves until ctx ends or something breaks that
// cannot be mended.
func (r *Router) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	changes, unwatch, err := watch()
	if err != nil {
		return err
	}
	defer unwatch()
	view, err := r.kernel.apply()
	if err != nil {
		return fmt.Errorf("prepare network: %w", err)
	}
	var done sync.WaitGroup
	defer done.Wait()
	defer cancel(nil)
	if err := r.bfd.open(r.bfd.ports()...); err != nil {
		return err
	}
	watching, unwatchPaths := context.WithCancel(context.WithoutCancel(ctx)) // peers are told the end, too
	defer unwatchPaths()
	done.Go(func() { r.bfd.run(watching) })
	done.Go(func() { r.bfd.serveTagged(ctx, r.sendTagged) })
	done.Go(func() {
		if err := r.lane.Run(ctx); err != nil {
			cancel(fmt.Errorf("%w: %w", errLane, err))
		}
	})
	done.Go(func() { r.runClock(ctx) })
	r.adopt(view)
	socket, err := r.serve(ctx)
	if err != nil {
		return err
	}
	defer socket.close()
	r.journal.tell(event.Event{Kind: event.KindSystem, Type: "system.router_started", Category: event.Process,
		Severity: event.Info, Source: "router", Message: "Process router is now active"})
	r.log.Info("router runs", "router", r.tables.RouterName, "node", r.tables.NodeName,
		"profile", r.prof.Name, "run", r.set.RunDir)
	r.keep(ctx, changes)
	if !r.set.Keep && !r.robbed && !r.again { // a new configuration is no end: peers may wait
		r.bfd.shutdown()
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
	r.kernel.dhcp.close()
	r.daemons.close()
	err := errors.Join(r.lane.Close(), r.fast.end(r.set.Keep || r.robbed || r.again))
	if r.set.Keep || r.robbed || r.again {
		r.log.Info("stopped; addresses, routes and guard stay")
	} else {
		err = errors.Join(err, r.forgetNames(), r.kernel.undo())
		r.log.Info("stopped")
	}
	return errors.Join(err, r.kernel.close(), r.journal.close())
}
