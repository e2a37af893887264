package icmp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// Options say how to ask. The zero value asks three times, a second apart.
type Options struct {
	Source    netip.Addr    // our address; invalid: the kernel chooses
	Interface string        // Linux interface to leave by; empty: by route
	Count     int           // requests; 0: 3. Of Trace: per hop
	Interval  time.Duration // between requests; 0: a second
	Timeout   time.Duration // for an answer; 0: 2 s
	Size      int           // bytes of payload, at most 65000
	Hops      int           // of Trace: at most; 0: 30
}

// Reply is the fate of one request.
type Reply struct {
	Seq   int // from 1
	Hop   int // hop limit of the request, of Trace
	Kind  Kind
	From  netip.Addr // who answered
	Code  int        // of an ICMP error
	TTL   int        // hop limit of the answer, 0 unknown
	Bytes int        // of the ICMP message
	Time  time.Duration
}

// Reason says what an Unreachable means.
func (r Reply) Reason() string {
	table := reasons4
	if r.From.Is6() {
		table = reasons6
	}
	if s, ok := table[r.Code]; ok {
		return s
	}
	return fmt.Sprintf("unreachable, code %d", r.Code)
}

func (o *Options) defaults() {
	if o.Count == 0 {
		o.Count = 3
	}
	if o.Interval == 0 {
		o.Interval = time.Second
	}
	if o.Timeout == 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Hops == 0 {
		o.Hops = 30
	}
}

// Ping asks dst and tells each request's fate in order. A context that ends
// ends it without error.
func Ping(ctx context.Context, dst netip.Addr, o Options, tell func(Reply)) error {
	o.defaults()
	c, err := dial(dst, o)
	if err != nil {
		return err
	}
	defer c.close()
	defer context.AfterFunc(ctx, c.wake)()
	for seq := 1; seq <= o.Count && ctx.Err() == nil; seq++ {
		began := time.Now()
		r, err := c.ask(ctx, seq, 0, o)
		if err != nil || ctx.Err() != nil {
			return err
		}
		tell(r)
		if seq < o.Count {
			pause(ctx, time.Until(began.Add(o.Interval)))
		}
	}
	return nil
}

// Trace asks the routers on the way to dst, nearest first, Count times each,
// until dst answers or somebody refuses.
func Trace(ctx context.Context, dst netip.Addr, o Options, tell func(Reply)) error {
	o.defaults()
	c, err := dial(dst, o)
	if err != nil {
		return err
	}
	defer c.close()
	defer context.AfterFunc(ctx, c.wake)()
	seq := 0
	for hop := 1; hop <= o.Hops; hop++ {
		end := false
		for range o.Count {
			seq++
			r, err := c.ask(ctx, seq, hop, o)
			if err != nil || ctx.Err() != nil {
				return err
			}
			tell(r)
			end = end || r.Kind == Echo || r.Kind == Unreachable
		}
		if end {
			return nil
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// conn is a raw socket for one destination.
type conn struct {
	dst netip.Addr
	id  uint16
	pc  net.PacketConn
	p4  *ipv4.PacketConn
	p6  *ipv6.PacketConn
	buf [65536]byte
}

func dial(dst netip.Addr, o Options) (*conn, error) {
	c := &conn{dst: dst.Unmap(), id: uint16(rand.Uint32())}
	network, any := "ip4:icmp", "0.0.0.0"
	if c.dst.Is6() {
		network, any = "ip6:ipv6-icmp", "::"
	}
	if o.Source.IsValid() {
		any = o.Source.String()
	}
	l := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if o.Interface == "" {
			return nil
		}
		if e := raw.Control(func(fd uintptr) { err = unix.BindToDevice(int(fd), o.Interface) }); e != nil {
			return e
		}
		return err
	}}
	var err error
	if c.pc, err = l.ListenPacket(context.Background(), network, any); err != nil {
		return nil, fmt.Errorf("open ICMP socket: %w", err)
	}
	if c.dst.Is6() {
		c.p6 = ipv6.NewPacketConn(c.pc)
		err = c.p6.SetControlMessage(ipv6.FlagHopLimit, true)
	} else {
		c.p4 = ipv4.NewPacketConn(c.pc)
		err = c.p4.SetControlMessage(ipv4.FlagTTL, true)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open ICMP socket: %w", err), c.pc.Close())
	}
	return c, nil
}

func (c *conn) close() { _ = c.pc.Close() }

// wake ends a read that waits.
func (c *conn) wake() { _ = c.pc.SetReadDeadline(time.Unix(1, 0)) }

// ask sends one request and waits for its answer.
func (c *conn) ask(ctx context.Context, seq, hop int, o Options) (Reply, error) {
	r := Reply{Seq: seq, Hop: hop}
	b, err := marshal(c.dst.Is6(), c.id, uint16(seq), o.Size)
	if err != nil {
		return r, err
	}
	if hop > 0 {
		if err := c.limit(hop); err != nil {
			return r, fmt.Errorf("set hop limit: %w", err)
		}
	}
	began := time.Now()
	if err := c.pc.SetReadDeadline(began.Add(o.Timeout)); err != nil {
		return r, fmt.Errorf("ask %v: %w", c.dst, err)
	}
	if _, err := c.pc.WriteTo(b, &net.IPAddr{IP: c.dst.AsSlice()}); err != nil {
		return r, fmt.Errorf("ask %v: %w", c.dst, err)
	}
	for ctx.Err() == nil {
		n, ttl, from, err := c.read()
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return r, nil
		}
		if err != nil {
			return r, fmt.Errorf("hear from %v: %w", c.dst, err)
		}
		if a, ok := parse(c.dst.Is6(), c.buf[:n], c.id); ok && a.seq == uint16(seq) {
			r.Kind, r.Code, r.Bytes, r.TTL, r.From, r.Time = a.kind, a.code, a.bytes, ttl, from, time.Since(began)
			return r, nil
		}
	}
	return r, nil
}

func (c *conn) limit(hop int) error {
	if c.p6 != nil {
		return c.p6.SetHopLimit(hop)
	}
	return c.p4.SetTTL(hop)
}

// read returns the next ICMP message in buf.
func (c *conn) read() (n, ttl int, from netip.Addr, err error) {
	var addr net.Addr
	if c.p6 != nil {
		var m *ipv6.ControlMessage
		if n, m, addr, err = c.p6.ReadFrom(c.buf[:]); m != nil {
			ttl = m.HopLimit
		}
	} else {
		var m *ipv4.ControlMessage
		if n, m, addr, err = c.p4.ReadFrom(c.buf[:]); m != nil {
			ttl = m.TTL
		}
	}
	if a, ok := addr.(*net.IPAddr); ok {
		from, _ = netip.AddrFromSlice(a.IP)
	}
	return n, ttl, from.Unmap(), err
}
