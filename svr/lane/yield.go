package lane

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Yield makes a port receive no more by itself: its packets arrive by a Feed from now
// on. What it holds goes to the handler first. Within Do once the lane runs; on an
// error the port receives as before.
func (l *Lane) Yield(p *Port) error {
	if p.ring == nil {
		return nil
	}
	if err := attachFilter(p.in, []unix.SockFilter{{Code: unix.BPF_RET | unix.BPF_K}}); err != nil {
		return fmt.Errorf("yield port %s: %w", p.Name(), err)
	}
	for p.receive(l, l.cfg.Batch) > 0 {
		l.flush(p.ring, true)
	}
	l.flush(nil, false)
	l.settleWorkers() // they look at frames of the ring
	p.sent.RxDropped += drops(p.in)
	_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, p.in, nil) // closing does the same
	err := p.ring.close()
	_ = unix.Close(p.in) // nothing is written there
	p.in, p.ring, p.losing = -1, nil, false
	if err != nil {
		return fmt.Errorf("yield port %s: %w", p.Name(), err)
	}
	return nil
}
