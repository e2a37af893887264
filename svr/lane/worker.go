package lane

import (
	"sync/atomic"

	"waymark/svr/lane/l2"
	"waymark/svr/seal"
)

const (
	workerJobs = 512 // packets that a worker may have before it: a power of two
	portion    = 96  // of those: sealed together and sent by one sendmmsg per port
)

// job is a packet on its way to a worker.
type job struct {
	seal.Item
	to  *iface
	mac l2.MAC
	hop uint16
}

// worker seals and transmits the packets of some flows, in the order in which the
// loop queued them. The loop and the worker share only jobs: those in [done, given)
// are the worker's, all others the loop's. While the worker sleeps, the loop may
// take its place (take), so that a packet alone need not wake anybody.
type worker struct {
	index  int // of Port.more
	jobs   []job
	queued uint64 // the loop's: jobs written, not given yet

	given  atomic.Uint64 // jobs before it are the worker's to do
	done   atomic.Uint64 // jobs before it have left
	asleep atomic.Bool   // nobody does jobs: who clears it may
	waited atomic.Bool   // the loop waits for done
	ended  atomic.Bool

	wake chan struct{} // to the worker, after asleep was cleared for it
	left chan struct{} // to the loop, of all workers: done went on

	sealer seal.Sealer
	items  [portion]*seal.Item
	dirty  []*sender // with packets in their queues
}

func newWorker(index int, left chan struct{}) *worker {
	w := &worker{index: index, jobs: make([]job, workerJobs), wake: make(chan struct{}, 1), left: left,
		dirty: make([]*sender, 0, 64)}
	w.asleep.Store(true)
	return w
}

// run does jobs until the lane ends.
func (w *worker) run() {
	for range w.wake {
		for {
			for w.step() {
			}
			w.asleep.Store(true)
			if w.given.Load() == w.done.Load() || !w.take() {
				break // who gives us jobs from now on wakes us
			}
		}
		if w.ended.Load() {
			return
		}
	}
}

// take makes the caller the one who does jobs; false when somebody does already.
func (w *worker) take() bool { return w.asleep.CompareAndSwap(true, false) }

// step does a portion of what was given and tells whether there was anything.
func (w *worker) step() bool {
	from, to := w.done.Load(), w.given.Load()
	if from == to {
		return false
	}
	to = min(to, from+portion)
	w.work(from, to)
	w.done.Store(to)
	if w.waited.CompareAndSwap(true, false) {
		select {
		case w.left <- struct{}{}:
		default: // it was told already
		}
	}
	return true
}

// work seals the jobs from one to another and transmits them.
func (w *worker) work(from, to uint64) {
	items := w.items[:to-from]
	for i := range items {
		items[i] = &w.job(from + uint64(i)).Item
	}
	w.sealer.SealAll(items)
	for at := from; at < to; at++ {
		if j := w.job(at); !j.Failed {
			s := j.to.port.more[w.index]
			if s.tx.n == 0 {
				w.dirty = append(w.dirty, s)
			}
			s.send(&j.Packet, j.to, j.mac, j.hop)
		}
	}
	for _, s := range w.dirty {
		s.flush()
	}
	w.dirty = w.dirty[:0]
}

func (w *worker) job(at uint64) *job { return &w.jobs[at%workerJobs] }

// next returns the place of the next job, nil when there is none left.
func (w *worker) next() *job {
	if w.queued-w.done.Load() == workerJobs {
		return nil
	}
	w.queued++
	return w.job(w.queued - 1)
}

// give hands over what is queued. inline: the caller does it by itself if nobody
// else is at it.
func (w *worker) give(inline bool) {
	if w.given.Load() == w.queued {
		return
	}
	w.given.Store(w.queued)
	if !w.take() {
		return
	}
	if !inline {
		w.wake <- struct{}{}
		return
	}
	for w.step() {
	}
	w.asleep.Store(true)
}

// await waits until the jobs before at have left; they were given.
func (w *worker) await(at uint64) {
	for w.done.Load() < at {
		w.waited.Store(true)
		if w.done.Load() >= at {
			return
		}
		<-w.left
	}
}
