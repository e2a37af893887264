package router

import (
	"context"
	"log/slog"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"waymark/svr/host"
	"waymark/svr/lane/fast"
)

// A lane in the kernel that nobody forwarded with before begins blind. The kernel
// verifies a program anew for every device, which is most of a start on a small box;
// one that looks nothing up and punts all transit traffic costs a fraction of that.
// With those on the devices the service lane forwards. The programs that see are
// loaded beside it and take their places, each at once. Until then no session is
// lent: its packets that wait to be read would be overtaken.

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

// awake are programs that see, by what they were loaded for.
type awake map[fast.PortConfig]*fast.Prepared

// wake loads the programs that see for the devices as they are, and hands them to
// the reconciler. It returns when that is done, or ctx ended.
func (r *Router) wake(ctx context.Context, list []fast.PortConfig) {
	if r.fast == nil || !r.fast.blind {
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

// toWake are the programs that the devices of a blind lane shall have. There may be
// none: it is to see all the same.
func (r *Router) toWake(v *host.View) (list []fast.PortConfig) {
	if r.fast == nil || !r.fast.blind {
		return nil
	}
	for name, p := range r.ports {
		if p.lane != nil && !p.alone {
			list = append(list, r.wantPort(v, name, p, false))
		}
	}
	return list
}

// see puts the programs on their devices. What the devices are like by now is what
// counts: a program that fits no more is loaded anew.
func (r *Router) see(ready awake) {
	r.fast.blind, r.fast.ready = false, ready
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

// attach puts programs on a device: those that are loaded already, if they are.
func (f *fastLane) attach(c fast.PortConfig) error {
	if p := f.ready[c]; p != nil {
		delete(f.ready, c)
		return f.Put(p)
	}
	return f.Attach(c)
}
