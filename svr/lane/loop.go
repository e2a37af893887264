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
		busy := l.round()
		l.giveWay(busy)
		if busy {
			l.counters.Rounds++
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
	if busy {
		l.vain = 0
	}
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

// wayEvery, in nanoseconds, is how often a loop that is busy or naps calls the scheduler by itself.
// 10 ms after its last turn that would interrupt the loop by a signal, whose handler
// looks up the function that it came upon: other constants of the binary each time. And
// a wait that is interrupted ends.
const wayEvery = 8_000_000

// giveWay calls the scheduler when it is time: behind a round, when feeds take us for
// awake and keep what comes meanwhile. Not where the loop has the only processor, which
// others would have for longer.
func (l *Lane) giveWay(busy bool) {
	napping := l.vain > 0 && l.vain < napsMost
	if l.naps && (busy || napping) && l.now-l.gave >= wayEvery {
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
	n, err := l.await(events[:], timeout)
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

// napTime, in milliseconds, is how long the lane waits at a time as the Go scheduler does
// not notice, and napsMost how often in vain before it is told. Its watcher, which looks
// every 80 µs for 4 ms when a thread comes back from a wait in which nothing else ran, and
// takes 14 µs each time, was 12 % of what a router took whose traffic comes in bursts. The
// collector of garbage ends a nap by a signal; so would the scheduler, were it not called
// in between (see giveWay).
const (
	napTime  = 8
	napsMost = 4
)

// await waits for events, for timeout milliseconds at most: in naps after there was
// traffic. No events may as well be the end of a nap.
func (l *Lane) await(events []unix.EpollEvent, timeout int) (n int, err error) {
	if timeout == 0 || !l.naps || l.vain >= napsMost {
		return unix.EpollWait(l.epoll, events, timeout)
	}
	if n, err = l.nap(events, min(timeout, napTime)); n == 0 && err == nil {
		l.vain++
	}
	return n, err
}

// nap is a wait that the Go scheduler does not notice.
func (l *Lane) nap(events []unix.EpollEvent, timeout int) (int, error) {
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(l.epoll), uintptr(unsafe.Pointer(&events[0])),
		uintptr(len(events)), uintptr(timeout), 0, 0)
	if e != 0 {
		return 0, e
	}
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
