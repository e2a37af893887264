package lane

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// mailbox brings functions from other goroutines to the loop.
type mailbox struct {
	event   int // eventfd that wakes the loop
	pending atomic.Bool
	mu      sync.Mutex // guards list and closed
	list    []func()
	closed  bool
}

// post queues fn; false when the loop has ended.
func (m *mailbox) post(fn func()) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return false
	}
	m.list = append(m.list, fn)
	m.pending.Store(true)
	m.wake()
	return true
}

// do queues fn and waits until it ran.
func (m *mailbox) do(fn func()) error {
	done := make(chan struct{})
	ran := false
	if !m.post(func() {
		defer close(done)
		if fn != nil {
			fn()
			ran = true
		}
	}) {
		return ErrClosed
	}
	<-done
	if !ran {
		return ErrClosed
	}
	return nil
}

// waits says whether there is anything to run.
func (m *mailbox) waits() bool { return m.pending.Load() }

// run runs what was posted.
func (m *mailbox) run() {
	m.mu.Lock()
	list := m.list
	m.list = nil
	m.pending.Store(false)
	m.mu.Unlock()
	for _, fn := range list {
		fn()
	}
}

// close refuses further mail and runs what waits, so that nobody waits for
// ever.
func (m *mailbox) close() {
	m.mu.Lock()
	m.closed = true
	m.mu.Unlock()
	m.run()
}

func (m *mailbox) wake() {
	_, _ = unix.Write(m.event, []byte{1, 0, 0, 0, 0, 0, 0, 0})
}

func (m *mailbox) clear() {
	var b [8]byte
	_, _ = unix.Read(m.event, b[:])
}
