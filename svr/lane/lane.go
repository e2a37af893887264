package lane

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"waymark/svr/packet"
)

// Size chooses a spare buffer.
type Size uint8

// Sizes of spare buffers.
const (
	Small Size = iota // one packet of an MTU up to 1,500 with head- and tailroom
	Large             // a 64 KB super-packet with head- and tailroom
)

// Headroom is the space in front of every packet the lane hands out, in bytes;
// Tailroom is the least space behind one of up to 1,500 bytes.
const (
	Headroom = 512
	Tailroom = 192
)

// ErrClosed is returned by Do when the loop does not run any more.
var ErrClosed = errors.New("lane closed")

// ErrWorkers: a port was opened for fewer workers than the lane has.
var ErrWorkers = errors.New("too few workers' sockets")

// Config sizes a lane. The zero value of a field takes the default.
type Config struct {
	Batch int           // packets per port and round; 64
	Small int           // spare small buffers; 256
	Large int           // spare large buffers, half of them for receiving; 32
	Clock func() int64  // monotonic nanoseconds since the router's start, never 0
	Tick  time.Duration // longest time between ticks under load; 10 ms
	Keep  bool          // leave the kernel's neighbours managed at Close
	Feeds []Feed        // served before the ports, the first one first
	// Workers is how many goroutines seal and transmit, each the packets of its
	// flows; 0: the loop does it.
	Workers int
	// Published hears of every link address that is known from now on, or, with
	// ok false, not any more. On the loop's goroutine.
	Published func(hop, ifc uint16, mac [6]byte, ok bool)
}

// Lane is the loop over a set of ports.
type Lane struct {
	ports    []*Port
	byID     []*iface // network-interface number → interface
	hops     *Hops
	handler  Handler
	cfg      Config
	small    pool
	large    pool
	longs    int                      // large buffers the batch took for receiving
	rx       [handBatch]packet.Packet // of frames in rings
	wait     [handBatch]*packet.Packet
	waiting  int // of wait; 0 between batches
	held     holder
	pool     workers
	neigh    *kernelNeigh
	mail     mailbox
	epoll    int
	event    int // eventfd: mail arrived, or stop
	now      int64
	ticked   int64 // when the handler was last called
	next     int64 // when it wants to be called, 0: no wish
	upkeep   int64 // next look at next-hops and stations
	weighed  int64 // last look at what was lost
	fed      intake
	brought  uint64                   // packets of the first feed
	naps     bool                     // other goroutines have a processor besides the loop's
	vain     int                      // naps in a row that nothing ended
	gave     int64                    // when the loop last gave way
	awake    atomic.Int64             // since when the loop has something to do, 0: it sleeps
	shared   atomic.Pointer[[]*iface] // byID, for other goroutines
	counters Counters
	accept   func(p *packet.Packet, etherType uint16, src [6]byte) // of feeds
}

// New builds a lane over ports; it takes the ports and the table of next-hops
// over. Nothing is received before Run. Call it in the ports' network
// namespace. Close it when Run has returned, or instead of Run.
func New(ports []*Port, hops *Hops, h Handler, cfg Config) (*Lane, error) {
	l := &Lane{hops: hops, handler: h, cfg: cfg.defaults(), epoll: -1, event: -1, naps: runtime.GOMAXPROCS(0) > 1}
	l.small, l.large = newPool(l.cfg.Small, smallBuf), newPool(l.cfg.Large, largeBuf)
	l.held.init()
	l.pool.init(l.cfg.Workers)
	l.now = l.cfg.Clock()
	if err := l.open(); err != nil {
		l.Close()
		return nil, fmt.Errorf("open lane: %w", err)
	}
	for _, p := range ports {
		if err := l.Attach(p); err != nil {
			l.Close()
			return nil, err
		}
	}
	hops.resolve = l.resolve
	hops.published = l.cfg.Published
	return l, nil
}

func (c Config) defaults() Config {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&c.Batch, 64)
	if c.Workers > 0 {
		set(&c.Small, 256*(Flights+1))
	}
	set(&c.Small, 256)
	set(&c.Large, 32)
	if c.Tick <= 0 {
		c.Tick = 10 * time.Millisecond
	}
	if c.Clock == nil {
		start := time.Now()
		c.Clock = func() int64 { return int64(time.Since(start)) + 1 }
	}
	return c
}

func (l *Lane) open() (err error) {
	if l.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("create epoll: %w", err)
	}
	if l.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("create eventfd: %w", err)
	}
	if err = l.watch(l.event); err != nil {
		return err
	}
	l.accept = l.deliver
	for _, f := range l.cfg.Feeds {
		if err = l.watch(f.FD()); err != nil {
			return err
		}
	}
	l.mail.event = l.event
	l.neigh, err = newKernelNeigh(l.mail.post, l.neighbour)
	return err
}

func (l *Lane) watch(fd int) error {
	e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
	if err := unix.EpollCtl(l.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
		return fmt.Errorf("watch descriptor: %w", err)
	}
	return nil
}

// Attach adds a port and starts receiving from it. Through Do once the lane
// runs.
func (l *Lane) Attach(p *Port) error {
	p.lane = l
	l.ports = append(l.ports, p)
	err := l.indexInterfaces()
	if err == nil && len(p.more) < len(l.pool.list) {
		err = fmt.Errorf("sockets for %d workers, have %d: %w", len(p.more), len(l.pool.list), ErrWorkers)
	}
	if err == nil && p.ring != nil {
		err = l.watch(p.in)
	}
	if err == nil && p.ring != nil {
		err = bindAll(p.in, p.link.Index)
	}
	if err != nil {
		l.Detach(p)
		return fmt.Errorf("attach port %s: %w", p.Name(), err)
	}
	p.announce()
	return nil
}

// Detach takes a port out and closes it. Through Do once the lane runs.
func (l *Lane) Detach(p *Port) {
	for i, q := range l.ports {
		if q == p {
			l.ports = append(l.ports[:i:i], l.ports[i+1:]...)
			if p.ring != nil {
				_ = unix.EpollCtl(l.epoll, unix.EPOLL_CTL_DEL, p.in, nil)
			}
			p.Close()
			_ = l.indexInterfaces() // fewer interfaces cannot clash
			return
		}
	}
}

// indexInterfaces rebuilds the table of network-interfaces and starts to
// resolve the next-hops that can be resolved now.
func (l *Lane) indexInterfaces() error {
	var top uint16
	for _, p := range l.ports {
		for i := range p.ifs {
			top = max(top, p.ifs[i].ID)
		}
	}
	byID := make([]*iface, int(top)+1)
	for _, p := range l.ports {
		for i := range p.ifs {
			it := &p.ifs[i]
			if byID[it.ID] != nil {
				return fmt.Errorf("network-interface %d on two ports: %w", it.ID, ErrInterface)
			}
			byID[it.ID] = it
		}
	}
	l.byID = byID
	l.shared.Store(&byID)
	l.rebind()
	return nil
}

func (l *Lane) iface(id uint16) *iface {
	if int(id) >= len(l.byID) {
		return nil
	}
	return l.byID[id]
}

// Counters returns what belongs to no single port. Call it through Do, or from
// the Handler.
func (l *Lane) Counters() Counters { return l.counters }

// Ports returns the ports in the order they were attached. Through Do.
func (l *Lane) Ports() []*Port { return l.ports }

// Memory returns the bytes of receive rings and spare buffers.
func (l *Lane) Memory() int {
	n := len(l.small.slab) + len(l.large.slab) + l.held.memory()
	for _, p := range l.ports {
		n += p.Memory()
	}
	return n
}

// Do runs fn on the loop's goroutine and waits for it: configuration, show.
// Never call it from the Handler. ErrClosed when the loop has ended.
func (l *Lane) Do(fn func()) error { return l.mail.do(fn) }

// Run moves packets until ctx ends. It locks the goroutine to its OS thread.
func (l *Lane) Run(ctx context.Context) error { return l.run(ctx) }

// Close closes the ports and releases the kernel's neighbours. Not while Run
// runs.
func (l *Lane) Close() error {
	l.mail.close()
	var err error
	for _, p := range l.ports {
		err = errors.Join(err, p.Close())
	}
	l.ports = nil
	if l.neigh != nil {
		err = errors.Join(err, l.neigh.close(l.cfg.Keep))
	}
	for _, fd := range []*int{&l.epoll, &l.event} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
	return err
}
