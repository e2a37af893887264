package dhcpd

import (
	"context"
	"log/slog"
	"time"

	"waymark/net/keep"
)

// Options are what a daemon is told.
type Options struct {
	Interface string // Linux interface
	Index     int
	VLAN      uint16 // tag of the frames; 0: none
	Config    Config
	File      string // keeps the leases over restarts
	Log       *slog.Logger
}

// saveEvery is the least time between two writes of the file.
const saveEvery = 2 * time.Second

// Daemon runs a server on a Linux interface.
type Daemon struct {
	opt   Options
	s     *Server
	wire  wire
	began time.Time
	ask   chan func()
	dirty bool // the file is old
}

// NewDaemon makes a daemon with the leases of an earlier process. Run runs it.
func NewDaemon(opt Options) *Daemon {
	d := &Daemon{opt: opt, s: New(opt.Config), began: time.Now(), ask: make(chan func()),
		wire: &sockets{name: opt.Interface, index: opt.Index, vlan: opt.VLAN, in: make(chan []byte, 64), done: make(chan struct{})}}
	list, age, err := load(opt.File, keep.Now())
	if err != nil {
		opt.Log.Warn("cannot use the leases kept", "interface", opt.Interface, "error", err)
	}
	d.s.Restore(list, age, d.now())
	return d
}

// now is the server's clock: it does not jump with the wall clock.
func (d *Daemon) now() time.Duration { return time.Since(d.began) }

// Run serves until ctx ends; then the file has everything. Sockets are opened by
// the calling goroutine: a locked thread keeps them in its network namespace.
func (d *Daemon) Run(ctx context.Context) error {
	if err := d.wire.open(); err != nil {
		return err
	}
	defer d.wire.close()
	due, write := time.NewTimer(time.Hour), time.NewTimer(0)
	defer due.Stop()
	defer write.Stop()
	for idle := true; ; {
		if t := d.s.Deadline(); t != Never {
			due.Reset(t - d.now())
		} else {
			due.Stop()
		}
		if d.dirty && idle {
			write.Reset(saveEvery)
			idle = false
		}
		select {
		case <-ctx.Done():
			d.save()
			return nil
		case fn := <-d.ask:
			fn()
		case b := <-d.wire.received():
			d.s.Frame(d.now(), b)
		case <-due.C:
			d.s.Tick(d.now())
		case <-write.C:
			d.save()
			idle = true
		}
		d.act()
	}
}

func (d *Daemon) act() {
	o := d.s.Take()
	d.dirty = d.dirty || o.Changed
	for _, f := range o.Frames {
		if err := d.wire.send(f); err != nil {
			d.opt.Log.Debug("cannot send frame", "interface", d.opt.Interface, "error", err)
		}
	}
}

func (d *Daemon) save() {
	if !d.dirty {
		return
	}
	if err := save(d.opt.File, d.s.Leases(d.now()), keep.Now()); err != nil {
		d.opt.Log.Warn("cannot keep leases", "interface", d.opt.Interface, "error", err)
		return
	}
	d.dirty = false
}

// Look returns all leases and the counters while Run runs; ctx bounds the wait.
func (d *Daemon) Look(ctx context.Context) (leases []Lease, stats Stats, capacity int, err error) {
	done := make(chan struct{})
	fn := func() {
		leases, stats, capacity = d.s.Leases(d.now()), d.s.Stats(), d.s.Capacity()
		close(done)
	}
	select {
	case d.ask <- fn:
		<-done
		return leases, stats, capacity, nil
	case <-ctx.Done():
		return nil, Stats{}, 0, ctx.Err()
	}
}
