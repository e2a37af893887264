package lane

import (
	"context"
	"errors"

	"waymark/svr/packet"
)

// Size chooses a spare buffer.
type Size uint8

const (
	Small Size = iota // holds one packet of an MTU up to 1,500 with head- and tailroom
	Large             // holds a 64 KB super-packet with head- and tailroom
)

// Headroom is the space in front of every packet the lane hands out, in bytes;
// Tailroom is the least space behind it.
const (
	Headroom = 512
	Tailroom = 192
)

// ErrClosed is returned by Do when the loop does not run any more.
var ErrClosed = errors.New("lane closed")

// Config sizes a lane. The zero value of a field takes the default.
type Config struct {
	Batch  int          // packets per port and round; 64
	Small  int          // spare small buffers; 256
	Large  int          // spare large buffers, half of them for receiving; 32
	Clock  func() int64 // monotonic nanoseconds since the router's start, never 0
	TickNS int64        // longest time between ticks under load; 10 ms
}

// Lane is the loop over a set of ports.
type Lane struct {
	ports    []*Port
	hops     *Hops
	handler  Handler
	cfg      Config
	pool     pool
	counters Counters
}

// New builds a lane over ports; it takes the ports and the table of next-hops
// over. Nothing is received before Run.
func New(ports []*Port, hops *Hops, h Handler, cfg Config) (*Lane, error) {
	return nil, errors.New("lane: not built yet")
}

// Counters returns what belongs to no single port. Call it through Do, or from
// the Handler.
func (l *Lane) Counters() Counters { return l.counters }

// Ports returns the ports in the order given to New.
func (l *Lane) Ports() []*Port { return l.ports }

// Send queues p for transmission on network-interface ifc to next-hop hop. The
// bytes must stay untouched until the batch is flushed; the Packet itself is
// free at return. p must be parsed. Packets of one flow leave in the order of
// the calls.
func (l *Lane) Send(p *packet.Packet, ifc, hop uint16) { l.send(p, ifc, hop) }

// Buffer returns a spare packet with head- and tailroom: p.Off = p.End =
// Headroom. It is valid until it was sent or the batch is flushed. nil (and
// counted) when there is none.
func (l *Lane) Buffer(s Size) *packet.Packet { return l.pool.get(s) }

// Do runs fn on the loop's goroutine and waits for it: configuration, show.
// Never call it from the Handler. ErrClosed when the loop has ended.
func (l *Lane) Do(fn func()) error { return l.do(fn) }

// Run moves packets until ctx ends. It locks the goroutine to its OS thread.
func (l *Lane) Run(ctx context.Context) error { return l.run(ctx) }
