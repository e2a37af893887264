package emulate

import (
	"container/heap"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// Ready is what the program prints once frames pass.
const Ready = "emulating"

// Run is the program: it moves frames until it is killed. Arguments as Between
// and Switch make them.
func Run(args []string) error {
	im, trunk, ports, err := parse(args)
	if err != nil {
		return err
	}
	up, err := openSocket(trunk)
	if err != nil {
		return err
	}
	failed := make(chan error)
	faults := newGates(im.NAT)
	if im.control != "" {
		if err := faults.serve(im.control); err != nil {
			return err
		}
	}
	downs := map[int][]*line{} // lines out of the trunk by VLAN
	for i, p := range ports {
		s, err := openSocket(p.Dev)
		if err != nil {
			return err
		}
		toTrunk := startLine(up, p.VLAN, newFate(im, uint64(2*i)), failed)
		down := startLine(s, 0, newFate(im, uint64(2*i+1)), failed)
		toTrunk.back, down.back = down, toTrunk
		toTrunk.gate, down.gate = &faults.in, &faults.out
		go pump(s, func(frame []byte, vlan int) {
			if vlan == 0 { // an access port has no tags
				toTrunk.enter(frame)
			}
		}, failed)
		downs[p.VLAN] = append(downs[p.VLAN], down)
	}
	go pump(up, func(frame []byte, vlan int) {
		for _, l := range downs[vlan] {
			l.enter(frame)
		}
	}, failed)
	fmt.Fprintln(os.Stdout, Ready)
	return <-failed
}

// pump hands every frame that arrives at s to sink, which must not keep it.
func pump(s *socket, sink func(frame []byte, vlan int), failed chan<- error) {
	buf := make([]byte, 1<<17)
	for {
		frame, vlan, err := s.receive(buf)
		switch {
		case errors.Is(err, syscall.EINTR), errors.Is(err, syscall.ENETDOWN):
		case err != nil:
			failed <- fmt.Errorf("receive: %w", err)
			return
		case len(frame) >= etherHeader:
			sink(frame, vlan)
		}
	}
}

// line is one direction: frames wait in it for their time.
type line struct {
	in   chan waiting
	fate *fate      // used by enter only
	mu   sync.Mutex // guards fate: the reader of either side may enter
	vlan int
	gate *gate // faults of this direction
	back *line // the other direction
}

// waiting is a frame and when it leaves; turn keeps the order of equal times.
type waiting struct {
	frame []byte
	at    time.Time
	turn  uint64
}

// lineDepth is how many frames may be on their way from reader to sender.
const lineDepth = 4096

func startLine(out *socket, vlan int, f *fate, failed chan<- error) *line {
	l := &line{in: make(chan waiting, lineDepth), fate: f, vlan: vlan}
	go l.deliver(out, failed)
	return l
}

// enter decides about a frame and copies it if it has a future.
func (l *line) enter(frame []byte) {
	ok, answer := l.gate.admit(frame)
	if answer != nil {
		l.back.pass(answer)
	}
	if ok {
		l.pass(frame)
	}
}

// pass lets a frame in that no fault stopped.
func (l *line) pass(frame []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	at, copies := l.fate.decide(time.Now(), len(frame))
	if copies == 0 {
		return
	}
	var kept []byte
	if l.vlan != 0 {
		kept = tagged(frame, l.vlan)
	} else {
		kept = append([]byte(nil), frame...)
	}
	slow := l.gate.fault.Load().Slow
	for i := range copies {
		l.in <- waiting{frame: kept, at: at[i].Add(slow)}
	}
}

// deliver sends each frame at its time.
func (l *line) deliver(out *socket, failed chan<- error) {
	var queue byTime
	var turn uint64
	timer := time.NewTimer(time.Hour)
	for {
		for len(queue) > 0 && !queue[0].at.After(time.Now()) {
			w := heap.Pop(&queue).(waiting)
			if err := out.send(w.frame); fatal(err) {
				failed <- fmt.Errorf("send %d bytes: %w", len(w.frame), err)
				return
			}
		}
		if len(queue) > 0 {
			timer.Reset(time.Until(queue[0].at))
		}
		select {
		case w := <-l.in:
			turn++
			w.turn = turn
			heap.Push(&queue, w)
		case <-timer.C:
		}
	}
}

// fatal tells errors that end the emulator from those of a link that is down,
// full or too narrow, where the frame is lost as on any wire.
func fatal(err error) bool {
	for _, fine := range []error{syscall.ENETDOWN, syscall.ENOBUFS, syscall.EAGAIN, syscall.EMSGSIZE, syscall.EINTR} {
		if errors.Is(err, fine) {
			return false
		}
	}
	return err != nil
}

// byTime is a heap of frames, the next one to leave first.
type byTime []waiting

// Len, Less, Swap, Push and Pop are heap.Interface.
func (q byTime) Len() int { return len(q) }

// Less puts the earlier frame first.
func (q byTime) Less(i, j int) bool {
	if q[i].at.Equal(q[j].at) {
		return q[i].turn < q[j].turn
	}
	return q[i].at.Before(q[j].at)
}

// Swap exchanges two frames.
func (q byTime) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push adds a frame at the end.
func (q *byTime) Push(x any) { *q = append(*q, x.(waiting)) }

// Pop takes the last frame.
func (q *byTime) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = waiting{}
	*q = (*q)[:last]
	return w
}
