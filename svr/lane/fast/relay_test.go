package fast_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"waymark/net/netns"
	"waymark/svr/lane/fast"
	"waymark/svr/lane/fast/fasttest"
	"waymark/svr/packet"
	"waymark/svr/pool"
)

// relay forwards punted packets of sessions by svr/packet, as a stand-in for
// the service lane.
type relay struct {
	w       *world
	sockets map[uint16]int // by network-interface
	egress  map[uint16]out // by next-hop
	mu      sync.Mutex
	seen    map[fast.Reason]int
	large   int // super-packets
	wrong   int // packets of unknown flows in the queue of known ones, and the reverse
}

type out struct {
	netif    uint16
	dst, src [6]byte
}

// start reads both queues of worker 0 until the test ends. Call it before
// Attach, so that nothing is lost.
func (r *relay) start(t testing.TB, row *fasttest.Row) {
	r.seen = make(map[fast.Reason]int)
	r.sockets = make(map[uint16]int)
	r.egress = map[uint16]out{1: {2, row.S0.MAC, row.A1.MAC}, 2: {1, row.C0.MAC, row.A0.MAC}}
	r.w.in(func() error {
		for id, index := range map[uint16]int{1: row.A0.Index, 2: row.A1.Index} {
			fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0)
			if err != nil {
				return err
			}
			r.sockets[id] = fd
			if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
				return err
			}
		}
		return nil
	})
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	known, unknown := r.w.lane.Queues(0)
	known.Init(16, 1)
	unknown.Init(16, 1)
	go func() { done <- r.loop(ctx, known, unknown) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		for _, fd := range r.sockets {
			unix.Close(fd)
		}
	})
}

func (r *relay) loop(ctx context.Context, queues ...*fast.Queue) error {
	fds := make([]unix.PollFd, len(queues))
	for i, q := range queues {
		fds[i] = unix.PollFd{Fd: int32(q.FD()), Events: unix.POLLIN}
	}
	for ctx.Err() == nil {
		patience := 20
		for _, q := range queues {
			if !q.Rest() {
				patience = 0
			}
		}
		if _, err := unix.Poll(fds, patience); err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		for i, q := range queues {
			batch, err := q.Read()
			if err != nil {
				return err
			}
			for k := range batch {
				r.receive(&batch[k], i == 0)
			}
		}
	}
	return nil
}

func (r *relay) receive(p *fast.Punted, known bool) {
	r.mu.Lock()
	r.seen[p.Reason]++
	if known == (p.Reason == fast.PuntMiss || p.Reason == fast.PuntOwn || p.Reason == fast.PuntStation) {
		r.wrong++
	}
	if p.GSO != packet.GSONone {
		r.large++
	}
	r.mu.Unlock()
	if p.Parse() != nil {
		return
	}
	k := pool.Key{Tuple: p.T, If: p.If}
	slot, ok := r.w.table.Lookup(&k)
	if !ok {
		return
	}
	a := r.w.table.Action(slot)
	if !p.Readdress(a.To) || !p.DecTTL() {
		return
	}
	p.CompleteCsum()
	e := r.egress[a.Hop]
	f := link(e.dst, e.src, 0, a.To.Family, p.IP())
	_, _ = unix.Write(r.sockets[e.netif], f)
}

func (r *relay) count(why fast.Reason) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.seen[why]
}

// connect puts the lane on a row: session slots for TCP and UDP from the client
// to the server, with a change of family or not.
func (w *world) connect(row *fasttest.Row, xdp bool) {
	w.t.Helper()
	w.in(func() error {
		for id, l := range map[uint16]struct {
			index int
			mac   [6]byte
			hop   uint16
			peer  [6]byte
		}{1: {row.A0.Index, row.A0.MAC, 2, row.C0.MAC}, 2: {row.A1.Index, row.A1.MAC, 1, row.S0.MAC}} {
			err := w.lane.SetNetif(id, fast.NetifConfig{Index: l.index, MAC: l.mac, MTU: 1500, XDP: xdp})
			if err != nil {
				return err
			}
			w.lane.SetHop(l.hop, l.peer, id)
			if err := w.lane.Attach(fast.PortConfig{Index: l.index, MAC: l.mac, Untagged: id, XDP: xdp, Ring: w.ring}); err != nil {
				return err
			}
		}
		return nil
	})
}

// session inserts both directions.
func (w *world) session(from, to packet.Tuple, flags uint16) (there, back uint32) {
	return w.insert(from, 1, to, 1, flags), w.insert(to.Reverse(), 2, from.Reverse(), 2, flags)
}

// inside runs fn in a namespace on a goroutine of its own.
func inside(ns string, fn func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- netns.Do(ns, fn) }()
	return done
}
