package router

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"waymark/svr/host"
	"waymark/svr/lane/fast"
)

// A lane in the kernel that nobody forwarded with before begins asleep. The kernel
// verifies a program anew for every device, which is most of a start on a small box, and
// even a small one costs it, and us, a good part of the way to the first packet. So the
// service lane receives and forwards by itself at first, while the programs are loaded
// beside it; then each device gets its own and the lane yields the port at once. Until
// then no session is lent: its packets that wait to be read would be overtaken.

// niceness of what a start leaves for later: on one processor whoever forwards, or
// asks whether we do, comes first.
const niceness = 10

// beside makes the goroutine's thread, and it alone, give way to others. It ends with
// the goroutine.
func beside(log *slog.Logger) {
	runtime.LockOSThread()
	if err := unix.Setpriority(unix.PRIO_PROCESS, 0, niceness); err != nil {
		log.Debug("the rest of the start has the priority of packets", "error", err)
	}
}

// awake are loaded programs, by what they were loaded for.
type awake map[fast.PortConfig]*fast.Prepared

// wake loads the programs for the devices as they are, and hands them to the
// reconciler. It returns when that is done, or ctx ended.
func (r *Router) wake(ctx context.Context, list []fast.PortConfig) {
	if r.fast == nil || !r.fast.asleep {
		return
	}
	start, ready := time.Now(), awake{}
	for _, c := range list {
		if ctx.Err() != nil {
			break
		}
		p, err := r.fast.Prepare(c)
		if err != nil { // the reconciler will try it once more, and act on it
			r.log.Warn("cannot load program", "interface", c.Index, "error", err)
			continue
		}
		ready[c] = p
	}
	devices, took := len(ready), time.Since(start) // the reconciler's from here on
	select {
	case r.woken <- ready:
		r.log.Info("lane in the kernel sees sessions", "devices", devices, "took", took)
	case <-ctx.Done():
		ready.close()
	}
}

// toWake are the programs that the devices of a sleeping lane shall have. There may be
// none: it is to wake all the same.
func (r *Router) toWake(v *host.View) (list []fast.PortConfig) {
	if r.fast == nil || !r.fast.asleep {
		return nil
	}
	for name, p := range r.ports {
		if p.lane != nil && !p.alone {
			list = append(list, r.wantPort(v, name, p))
		}
	}
	return list
}

// see puts the programs on their devices. What the devices are like by now is what
// counts: a program that fits no more is loaded anew.
func (r *Router) see(ready awake) {
	r.fast.asleep, r.fast.ready = false, ready
	r.follow(r.seen)
	ready.close()
	r.fast.ready = nil
	_ = r.onLane(func() { r.parts.Engine.Withhold(false) }) // fails only when the lane has ended
}

// close lets programs go that found no device.
func (a awake) close() {
	for c, p := range a {
		p.Close()
		delete(a, c)
	}
}

// attach puts programs on a device: those that are loaded already, if they are. The
// service lane, if it receives there, yields in the same breath: a packet that comes
// just then may be seen twice, none is lost.
func (r *Router) attach(p *port, c fast.PortConfig) (err error) {
	ready := r.fast.ready[c]
	delete(r.fast.ready, c)
	switch {
	case ready == nil && !p.receives:
		return r.fast.Attach(c)
	case ready == nil:
		if ready, err = r.fast.Prepare(c); err != nil {
			return err
		}
	}
	if err := r.fast.Reserve(c.Index); err != nil {
		ready.Close()
		return err
	}
	var yielded error
	stopped := r.onLane(func() { err = r.fast.Put(ready, func() { yielded = r.lane.Yield(p.lane) }) })
	if stopped != nil {
		ready.Close()
	}
	p.receives = false
	return errors.Join(stopped, err, yielded)
}
