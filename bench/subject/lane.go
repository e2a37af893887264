package subject

import (
	"errors"
	"fmt"
	"net/netip"

	"waymark/bench/field"
	"waymark/bench/probe"
	"waymark/svr/lane/fast"
	"waymark/svr/packet"
	"waymark/svr/pool"
)

// Lanes is the in-kernel lane by itself at every router of a line: attached, and
// its session table filled by this process as a router would, without a router
// process. Sessions are those of a generator's flows, both directions.
type Lanes struct {
	line  *field.Line
	lanes []*lane
}

// lane is one router of them. Sides are towards the client and the server.
type lane struct {
	ns      string
	sides   [2]side
	in, out tupleOf // a session as it comes from the client, and as it leaves
	fast    *fast.Lane
	table   *pool.Table
}

// side is an interface of a lane and who is behind it.
type side struct {
	dev   string
	index int
	mac   [6]byte
	peer  [2]string // namespace and interface of the next-hop
	hop   [6]byte
}

// tupleOf returns the tuple of session i, client to server.
type tupleOf func(i int) packet.Tuple

// Ids of network-interfaces and next-hops in every lane.
const (
	near = 1
	far  = 2
)

// loadPart of the slots are used when all sessions are there.
const loadPart = 0.6

// mtu of every interface, in bytes of IP packet.
const mtu = 1500

// StartLanes sets the lanes of a line up: XDP and TC programs, or TC alone.
func StartLanes(l *field.Line, f probe.Flows, xdp bool) (*Lanes, error) {
	s := &Lanes{line: l}
	if err := s.plan(f); err != nil {
		return nil, err
	}
	for _, n := range s.lanes {
		if err := s.start(n, int(f.Count), xdp); err != nil {
			return nil, errors.Join(fmt.Errorf("start lane in %s: %w", n.ns, err), s.Close())
		}
	}
	return s, nil
}

// plan says who the lanes are and what they do: one router exchanges the
// client's tuple for wayports, a second one exchanges them back.
func (s *Lanes) plan(f probe.Flows) error {
	l := s.line
	target := netip.AddrPortFrom(netip.AddrFrom4(f.To), f.Port)
	plain := func(i int) packet.Tuple { return packet.MakeTuple(f.Flow(i), target, packet.ProtoUDP) }
	client, server := [2]string{l.Client, field.Eth}, [2]string{l.Server, field.Eth}
	if l.East == "" {
		ways := wayports(netip.MustParseAddr("10.2.0.1"), netip.AddrFrom4(f.To))
		s.lanes = []*lane{{ns: l.West, in: plain, out: ways, sides: [2]side{{dev: field.LAN, peer: client}, {dev: field.WAN, peer: server}}}}
		return s.addresses()
	}
	ways := wayports(field.WestWAN, field.EastWAN)
	west, east := [2]string{l.West, field.WAN}, [2]string{l.East, field.WAN}
	s.lanes = []*lane{
		{ns: l.West, in: plain, out: ways, sides: [2]side{{dev: field.LAN, peer: client}, {dev: field.WAN, peer: east}}},
		{ns: l.East, in: ways, out: plain, sides: [2]side{{dev: field.WAN, peer: west}, {dev: field.LAN, peer: server}}},
	}
	return s.addresses()
}

// wayports gives session i a pair of ports of its own: even here, odd there.
func wayports(from, to netip.Addr) tupleOf {
	const each = 20000
	return func(i int) packet.Tuple {
		return packet.MakeTuple(netip.AddrPortFrom(from, uint16(16386+2*(i%each))),
			netip.AddrPortFrom(to, uint16(16387+2*(i/each))), packet.ProtoUDP)
	}
}

// addresses reads numbers and link addresses of every side.
func (s *Lanes) addresses() (err error) {
	for _, n := range s.lanes {
		for i := range n.sides {
			d := &n.sides[i]
			if d.index, d.mac, err = s.line.Device(n.ns, d.dev); err != nil {
				return err
			}
			if _, d.hop, err = s.line.Device(d.peer[0], d.peer[1]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Lanes) start(n *lane, sessions int, xdp bool) error {
	return s.line.In(n.ns, func() error {
		cfg := pool.TableConfig{Slots: max(int(float64(2*sessions)/loadPart), 128), Clock: fast.Monotonic(), Barrier: fast.Barrier}
		var err error
		if n.fast, err = fast.Open(fast.Config{Slots: cfg.Slots, Tap: "-", Fresh: true}); err != nil {
			return err
		}
		if n.table, err = pool.NewTable(n.fast.Memory(), cfg); err != nil {
			return err
		}
		if err := n.fill(sessions); err != nil {
			return err
		}
		return n.attach(xdp)
	})
}

// fill makes both directions of every session.
func (n *lane) fill(sessions int) error {
	for i := range sessions {
		in, out := n.in(i), n.out(i)
		for _, d := range []struct {
			key pool.Key
			to  pool.Action
		}{
			{pool.Key{Tuple: in, If: near}, pool.Action{To: out, Hop: far, Flags: fast.Fast | mtu}},
			{pool.Key{Tuple: out.Reverse(), If: far}, pool.Action{To: in.Reverse(), Hop: near, Flags: fast.Fast | mtu}},
		} {
			if _, err := n.table.Insert(d.key, d.to, 1); err != nil {
				return fmt.Errorf("insert session %d of %d: %w", i, sessions, err)
			}
		}
	}
	return nil
}

func (n *lane) attach(xdp bool) error {
	for i, d := range n.sides {
		id := [...]uint16{near, far}[i]
		if err := n.fast.SetNetif(id, fast.NetifConfig{Index: d.index, MAC: d.mac, MTU: mtu, XDP: xdp}); err != nil {
			return err
		}
		n.fast.SetHop(id, d.hop, id)
		if err := n.fast.Attach(fast.PortConfig{Index: d.index, MAC: d.mac, Untagged: id, XDP: xdp}); err != nil {
			return err
		}
	}
	return nil
}

// Close takes the programs off the interfaces.
func (s *Lanes) Close() error {
	var errs []error
	for _, n := range s.lanes {
		if n.fast != nil {
			errs = append(errs, s.line.In(n.ns, func() error { return n.fast.Close(false) }))
		}
	}
	return errors.Join(errs...)
}
