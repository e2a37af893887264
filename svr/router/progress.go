package router

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"waymark/svr/policy"
)

// roundLimit is how long reconciler and lane may take to answer whoever feeds the
// watchdog. One that takes longer is not given up: its answer counts when it comes.
const roundLimit = 3 * time.Second

// question is one to a loop that may hang. However many ask, one is on its way.
type question struct {
	mu   sync.Mutex
	came chan struct{} // nil: nobody waits
}

// wait asks, unless an earlier question is still on its way, and says whether the
// answer came. ask returns when fn was run, or never will be.
func (q *question) wait(ask func(fn func()), limit time.Duration) bool {
	q.mu.Lock()
	came := q.came
	if came == nil {
		came = make(chan struct{})
		q.came = came
		go ask(func() { close(came) })
	}
	q.mu.Unlock()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-came:
	case <-timer.C:
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.came == came {
		q.came = nil
	}
	return true
}

// rounds are the loops of a router, and what they said last.
type rounds struct {
	reconciler, lane question
	laneRounds       atomic.Uint64
	bare             atomic.Pointer[[]int] // devices that the kernel's lane is missing on
}

// cameRound asks both loops at once, so that one that hangs does not hide the other.
func (r *Router) cameRound() (reconciler, lane bool) {
	var both sync.WaitGroup
	both.Go(func() {
		reconciler = r.rounds.reconciler.wait(func(fn func()) {
			select {
			case r.asked <- func() { r.lookForPrograms(); fn() }:
			case <-r.ended:
			}
		}, roundLimit)
	})
	both.Go(func() {
		lane = r.rounds.lane.wait(func(fn func()) {
			// It fails when the lane has ended, and then nothing came round.
			_ = r.lane.Do(func() { r.rounds.laneRounds.Store(r.lane.Counters().Rounds); fn() })
		}, roundLimit)
	})
	both.Wait()
	return reconciler, lane
}

// lookForPrograms finds the devices that have lost the programs of the lane in the
// kernel. The reconciler's.
func (r *Router) lookForPrograms() {
	var bare []int
	if r.fast != nil {
		bare = r.fast.Missing()
	}
	if old := r.rounds.bare.Load(); len(bare) > 0 && (old == nil || !slices.Equal(*old, bare)) {
		r.log.Error("programs of the fast lane are gone from their devices", "indexes", bare)
	}
	r.rounds.bare.Store(&bare)
}

// showProgress tells whoever feeds the watchdog which parts of this router make
// progress: the reconciler and the service lane came round to answer, and the lane
// in the kernel is where it was put. What cannot be known is null.
func (r *Router) showProgress(a *answer) error {
	reconciler, lane := r.cameRound()
	var fast, inKernel any
	if r.fast != nil {
		c, err := r.fast.Counters()
		if err != nil {
			return err
		}
		fast = c.TC + c.XDP + c.Older
		if bare := r.rounds.bare.Load(); bare != nil {
			inKernel = len(*bare) == 0
		}
	}
	status, _ := r.snapshot()
	enabled, up, wan, down := 0, 0, []string{}, []string{}
	for i := range r.tables.Interfaces {
		f := &r.tables.Interfaces[i]
		if !f.Enabled {
			continue
		}
		enabled++
		switch {
		case !status[i].Up:
			down = append(down, f.Name)
		case r.isWAN(f):
			wan = append(wan, f.Name)
			fallthrough
		default:
			up++
		}
	}
	// A packet has to come in somewhere and to go out somewhere else.
	return a.row(r.nodeName(), up >= min(2, enabled) && up > 0, up, wan, down, r.rounds.laneRounds.Load(), fast, reconciler, lane, inKernel)
}

// isWAN says whether an interface leads to a network of others: to peers, out of
// source NAT, or to whoever gives it its address, which is all that a box from the
// factory has.
func (r *Router) isWAN(f *policy.Interface) bool {
	return f.SourceNAT || len(f.Vectors) > 0 || f.Config.Dynamic()
}
