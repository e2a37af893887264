package emulate

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"waymark/cmd/lab/emulate/nat"
	"waymark/cmd/lab/world"
	"waymark/svr/packet"
)

// Fault is what is wrong with one direction of a link. The zero value is a
// direction in order. It may be changed while frames pass (Link.Set).
type Fault struct {
	Dead bool // every frame is lost
	// Slow is how much later than the link's delay every frame arrives.
	Slow time.Duration
	Hole int // IP packets of more bytes are lost; 0: none is
	// ICMP: the sender of a packet that Hole takes is told so, in the name of
	// the packet's destination.
	ICMP bool
}

// Faults are those of both directions.
type Faults struct {
	In  Fault // towards the namespace that Between was given
	Out Fault // away from it
	// External makes the link's NAT forget every mapping and use this address from
	// now on, Forget only the former. Set does it once.
	External netip.Addr
	Forget   bool
}

// Link is a cable with an emulator in it, whose faults can be switched.
type Link struct {
	*world.Proc
	control string // path of the socket that it listens on
}

// Switchable is Between with faults that can be switched.
func Switchable(w *world.World, ns, dev string, im Impairment) (*Link, error) {
	im.control = w.Path("emulate-" + ns + "-" + dev)
	p, err := Between(w, ns, dev, im)
	if err != nil {
		return nil, err
	}
	return &Link{Proc: p, control: im.control}, nil
}

// Set puts faults in place of those before. Frames that enter the link after it
// returned meet them; what is on its way arrives.
func (l *Link) Set(f Faults) error {
	c, err := net.DialTimeout("unix", l.control, startLimit)
	if err != nil {
		return fmt.Errorf("reach emulator: %w", err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(startLimit)); err != nil {
		return fmt.Errorf("reach emulator: %w", err)
	}
	if err := json.NewEncoder(c).Encode(f); err != nil {
		return fmt.Errorf("tell emulator: %w", err)
	}
	if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
		return fmt.Errorf("wait for emulator: %w", err)
	}
	return nil
}

// gates hold the faults in force, one per direction.
type gates struct {
	in, out gate
	hide    hiding
}

// gate is the way into one direction.
type gate struct {
	fault atomic.Pointer[Fault]
	pass  func(frame []byte, now time.Time) bool // by the NAT, if there is one
}

func newGates(c *nat.Config) *gates {
	g := &gates{}
	if c != nil {
		g.hide.n = nat.New(*c)
		g.in.pass, g.out.pass = g.hide.in, g.hide.out
	}
	g.set(Faults{})
	return g
}

func (g *gates) set(f Faults) {
	g.in.fault.Store(&f.In)
	g.out.fault.Store(&f.Out)
	g.hide.change(f)
}

// hiding is the NAT of a link.
type hiding struct {
	mu sync.Mutex // guards n: each direction has a reader
	n  *nat.NAT   // nil: none
}

func (h *hiding) change(f Faults) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.n == nil:
	case f.External.IsValid():
		h.n.Move(f.External)
	case f.Forget:
		h.n.Forget()
	}
}

// in takes a frame from outside, out one from inside: false, it does not pass.
// What is no IPv4 has nothing to hide.
func (h *hiding) in(frame []byte, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !isIP(frame) || h.n.In(frame, etherHeader, now)
}

func (h *hiding) out(frame []byte, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return !isIP(frame) || h.n.Out(frame, etherHeader, now)
}

// serve takes faults from the socket until it is closed; a socket that a
// killed emulator left is replaced.
func (g *gates) serve(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove old socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("listen for faults: %w", err)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			g.take(c)
		}
	}()
	return nil
}

// take reads one set of faults and answers when it is in force.
func (g *gates) take(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(startLimit)) // a failure shows when reading
	var f Faults
	if json.NewDecoder(bufio.NewReader(c)).Decode(&f) != nil {
		return // whoever asked gets no answer and says so
	}
	g.set(f)
	_, _ = c.Write([]byte{1})
}

// admit says whether a frame enters, and what goes back to its sender if it
// does not: nil for silence.
func (g *gate) admit(frame []byte) (ok bool, back []byte) {
	f := g.fault.Load()
	switch {
	case f.Dead, g.pass != nil && !g.pass(frame, time.Now()):
		return false, nil
	case f.Hole == 0 || len(frame) <= etherHeader+f.Hole || !isIP(frame):
		return true, nil
	case f.ICMP:
		return false, tooBig(frame, f.Hole)
	}
	return false, nil
}

func isIP(frame []byte) bool {
	t := uint16(frame[12])<<8 | uint16(frame[13])
	return t == 0x0800 || t == 0x86dd
}

// tooBig is the frame that tells the sender of frame what fits, nil for packets
// that nobody may answer.
func tooBig(frame []byte, mtu int) []byte {
	var about, out packet.Packet
	about.Reset(frame, etherHeader, len(frame), 0)
	if about.Parse() != nil {
		return nil
	}
	out.Reset(make([]byte, 1500), etherHeader, etherHeader, 0)
	if !packet.BuildICMPError(&out, &about, packet.ErrTooBig, mtu, about.T.Dst) {
		return nil
	}
	b := out.Buf[:out.End]
	copy(b[0:6], frame[6:12])
	copy(b[6:12], frame[0:6])
	copy(b[12:14], frame[12:14])
	return b
}
