package lane

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// upkeepEvery is the longest time between two looks at next-hops and stations.
const upkeepEvery = int64(1e9)

// stackRoom is what the loop's goroutine has on its stack besides what it needs. A
// collection halves a stack of which less than a quarter is in use, as that of a lane
// that waits; the next packets would have it copied again, and for that the runtime
// looks up each function on it: constants of the binary that nobody needs otherwise
// (findConstants in svr/router).
const stackRoom = 3 << 10

func (l *Lane) run(ctx context.Context) error {
	var room [stackRoom]byte
	runtime.KeepAlive(&room)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer l.mail.close()
	l.pool.start()
	defer l.pool.stop()
	defer l.settleWorkers()
	var stop atomic.Bool
	defer context.AfterFunc(ctx, func() { stop.Store(true); l.mail.wake() })()
	for !stop.Load() {
		if l.round() {
			l.counters.Rounds++
			l.giveWay()
			continue
		}
		if l.pool.first < l.pool.next { // frames that we hold would wake us for ever
			l.pool.give(true)
			l.waitOldest()
			continue
		}
		if err := l.sleep(); err != nil {
			return err
		}
	}
	l.round() // what was posted before the stop
	return nil
}

// round does what there is to do once and tells whether there was traffic.
// Every port gets at most a batch, so that none starves the others.
func (l *Lane) round() (busy bool) {
	l.now = l.cfg.Clock()
	if l.awake.Load() == 0 {
		l.awake.Store(l.now)
	}
	busy = l.feed()
	for _, p := range l.ports {
		if p.receive(l, l.cfg.Batch) > 0 {
			l.flush(p.ring, p.ring.waits())
			busy = true
		}
	}
	if l.mail.waits() {
		l.settleWorkers() // what they look at may change
		l.mail.run()
		l.flush(nil, false)
	}
	l.ticks(busy)
	return busy
}

// ticks calls the handler's and our own timers when they are due.
func (l *Lane) ticks(busy bool) {
	if l.next != 0 && l.now >= l.next || busy && l.now-l.ticked >= int64(l.cfg.Tick) {
		l.ticked = l.now
		l.weigh()
		l.next = l.handler.Tick(l.now)
		l.flush(nil, busy)
	}
	if l.now >= l.upkeep {
		l.upkeep = l.maintain()
		l.flush(nil, busy)
	}
}

// wayEvery, in nanoseconds, is how often a busy loop calls the scheduler by itself.
// 10 ms after its last turn that would interrupt the loop by a signal, whose handler
// looks up the function that it came upon: other constants of the binary each time. And
// a wait that is interrupted ends.
const wayEvery = 8_000_000

// giveWay calls the scheduler when it is time. Not where the loop has the only
// processor, which others would have for longer.
func (l *Lane) giveWay() {
	if l.naps && l.now-l.gave >= wayEvery {
		l.gave = l.now
		runtime.Gosched()
	}
}

// sleep waits for packets, mail or the next deadline.
func (l *Lane) sleep() error {
	for _, f := range l.cfg.Feeds {
		if !f.Rest() {
			return nil
		}
	}
	var events [8]unix.EpollEvent
	timeout := l.timeout()
	l.awake.Store(0)
	n, err := l.nap(events[:], timeout)
	if n == 0 && err == nil {
		start := l.cfg.Clock()
		n, err = unix.EpollWait(l.epoll, events[:], timeout)
		l.brisk = l.naps && l.cfg.Clock()-start < napTime*1_000_000
	}
	if err == unix.EINTR {
		return nil
	}
	if err != nil {
		return fmt.Errorf("wait for packets: %w", err)
	}
	l.counters.Wakeups++
	for _, e := range events[:n] {
		if int(e.Fd) == l.event {
			l.mail.clear()
		} else if e.Events&unix.EPOLLERR != 0 {
			// A device that went down leaves an error that would wake us for
			// ever; the socket binds itself again when it comes back.
			_, _ = unix.GetsockoptInt(int(e.Fd), unix.SOL_SOCKET, unix.SO_ERROR)
		}
	}
	return nil
}

// napTime, in milliseconds, is how long the lane waits first as the Go scheduler does
// not notice: most waits under load are shorter. Its watcher, which looks every 20 µs
// while threads come and go from calls, was 3 % of what a busy router took. The collector
// of garbage waits for the lane meanwhile, at most so long.
const napTime = 4

// nap is a short wait, while waits are short; no events may as well be the end of it.
func (l *Lane) nap(events []unix.EpollEvent, timeout int) (int, error) {
	if timeout == 0 || !l.brisk {
		return 0, nil
	}
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), napTime, 0, 0)
	if e != 0 {
		return 0, e
	}
	l.brisk = n > 0
	return int(n), nil
}

// timeout is the time to the next deadline in milliseconds, rounded up.
func (l *Lane) timeout() int {
	due := l.upkeep
	if l.next != 0 {
		due = min(due, l.next)
	}
	d := due - l.cfg.Clock()
	if d <= 0 {
		return 0
	}
	return int((d + 999_999) / 1_000_000)
}
