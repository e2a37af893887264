package fast_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	netlink "waymark/net/link"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/rtnl"
	"waymark/svr/lane"
	"waymark/svr/lane/fast"
	"waymark/svr/packet"
)

// segment is a packet that a session sends in TCP.
type segment struct {
	port  uint16
	seq   uint32
	id    uint16
	n     int // bytes of payload, as on the wire
	flags uint8
	ack   uint32
}

// sealed are count segments that grew by so much.
func sealed(port uint16, seq uint32, id uint16, count, n, grown int) (list []segment) {
	for i := range count {
		list = append(list, segment{port, seq + uint32(i*(n-grown)), id + uint16(i), n, packet.FlagACK, 1})
	}
	return list
}

// last makes the last one what the last of a super-packet may be.
func last(list []segment, n int) []segment {
	list[len(list)-1].n, list[len(list)-1].flags = n, packet.FlagACK|packet.FlagPSH
	return list
}

// change changes one of them.
func change(list []segment, i int, fn func(*segment)) []segment {
	fn(&list[i])
	return list
}

// Segments that grew without moving their sequence numbers leave as super-packets,
// and what arrives is byte by byte what arrives when they are sent one by one.
func TestCutterChangesNothing(t *testing.T) {
	w := newCutWorld(t)
	two := sealed(1000, 5, 1, 6, 1400, 32)
	for i, s := range sealed(2000, 9, 1, 6, 1000, 24) {
		two = slices.Insert(two, 2*i, s)
	}
	for _, tt := range []struct {
		name     string
		sent     []segment
		messages int // with the cutter
	}{
		{"all alike", sealed(1000, 77, 5, 30, 1424, 56), 1},
		{"GCM", sealed(1000, 77, 5, 30, 1424, 24), 1},
		{"more than a super-packet holds", sealed(1000, 77, 5, 50, 1424, 56), 2},
		{"the last one shorter", last(sealed(1000, 1<<32-9000, 65530, 20, 1424, 40), 48), 1},
		{"the last one of one byte", last(sealed(1000, 1<<32-9000, 65530, 20, 1424, 40), 1), 1},
		{"two flows", two, 2},
		{"nothing grew", sealed(1000, 77, 5, 5, 1424, 0), 5},
		{"grew too much", sealed(1000, 77, 5, 5, 1424, 400), 5},
		{"repeated", change(sealed(1000, 77, 5, 4, 1424, 40), 2, func(s *segment) { s.seq = 77 }), 3},
		{"a number left out", change(sealed(1000, 77, 5, 4, 1424, 40), 2, func(s *segment) { s.seq += 99 }), 3},
		{"identification left out", change(sealed(1000, 77, 5, 4, 1424, 40), 2, func(s *segment) { s.id = 99 }), 3},
		{"another acknowledgement", change(sealed(1000, 77, 5, 4, 1424, 40), 2, func(s *segment) { s.ack++ }), 3},
		{"an acknowledgement alone between", change(sealed(1000, 77, 5, 5, 1424, 40), 2, func(s *segment) { s.n = 0 }), 3},
		{"a push in the middle", change(sealed(1000, 77, 5, 6, 1424, 40), 2, func(s *segment) { s.flags |= packet.FlagPSH }), 2},
	} {
		for _, how := range []string{"v4", "v6", "v4 tagged"} {
			if how[:2] == "v6" && tt.name == "identification left out" {
				continue
			}
			t.Run(tt.name+" "+how, func(t *testing.T) { w.compare(t, how, tt.sent, tt.messages) })
		}
	}
}

// A cutter that is gone costs nothing but time.
func TestCutterGone(t *testing.T) {
	w := newCutWorld(t)
	w.compare(t, "v4", sealed(1000, 77, 5, 30, 1424, 56), 1)
	ip(t, w.ns, "link", "delete", "waymark1")
	w.compare(t, "v4", last(sealed(1000, 77, 5, 30, 1424, 56), 100), 30)
	if w.port.Cuts() {
		t.Error("the port still believes in its cutter")
	}
}

// A cutter that was left behind is made anew, and goes with its process.
func TestCutterLife(t *testing.T) {
	w := newWorld(t, fast.Config{})
	names := func() (list []string) {
		w.in(func() error {
			c, err := rtnl.Dial()
			if err != nil {
				return err
			}
			defer c.Close()
			links, err := netlink.List(c)
			for _, l := range links {
				if l.Name != "lo" {
					list = append(list, l.Name)
				}
			}
			return err
		})
		slices.Sort(list)
		return list
	}
	open := func() { w.in(func() error { _, err := w.lane.OpenCutter(); return err }) }
	want := []string{"waymark0", "waymark1", "waymark1p"}
	for range 2 {
		if open(); !slices.Equal(names(), want) {
			t.Fatalf("got %v, want %v", names(), want)
		}
	}
	w.in(func() error { return w.lane.Close(true) })
	if got := names(); !slices.Equal(got, want[:1]) {
		t.Errorf("after the end: %v", got)
	}
	w.open(fast.Config{})
	open()
	w.in(func() error { return w.lane.Close(true) })
	ip(t, w.ns, "link", "add", "waymark1", "type", "veth", "peer", "name", "waymark1p")
	w.in(func() error { return fast.Clear(fast.Config{}) })
	if got := names(); len(got) != 0 {
		t.Errorf("after Clear: %v", got)
	}
}

// cutWorld is a lane whose port leads to a namespace where frames are looked at.
type cutWorld struct {
	*world
	far      string
	farIndex int
	sock     int // all frames of the far end
	svc      *lane.Lane
	port     *lane.Port
	known    *lane.Hops
	hops     [3]uint16 // by family and tag
	cut      int
	names    map[string]int
}

func ip(t testing.TB, ns string, args ...string) {
	t.Helper()
	if err := netns.Run(ns, exec.Command("ip", args...)); err != nil {
		t.Fatalf("ip %v: %v", args, err)
	}
}

func newCutWorld(t *testing.T) *cutWorld {
	t.Helper()
	w := &cutWorld{world: newWorld(t, fast.Config{}), far: nstest.New(t)}
	prefixes := []netip.Prefix{netip.MustParsePrefix("10.9.0.2/24"), netip.MustParsePrefix("fd09::2/64")}
	nstest.Veth(t, netns.End{NS: w.ns, Name: "out0", Addrs: []netip.Prefix{netip.MustParsePrefix("10.9.0.1/24"), netip.MustParsePrefix("fd09::1/64")}},
		netns.End{NS: w.far, Name: "far0", Addrs: prefixes})
	if err := netns.Run(w.ns, exec.Command("ethtool", "-K", "out0", "tx", "off", "tso", "off", "gso", "off")); err != nil {
		t.Fatal(err)
	}
	w.in(w.start)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.svc.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		w.svc.Close()
		unix.Close(w.sock)
	})
	nstest.In(t, w.far, func() (err error) {
		if far, err := net.InterfaceByName("far0"); err == nil {
			w.farIndex = far.Index
		}
		w.sock, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, int(ethAll()))
		if err != nil {
			return err
		}
		tv := unix.NsecToTimeval(int64(100 * time.Millisecond))
		_ = unix.SetsockoptTimeval(w.sock, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv)
		_ = unix.SetsockoptInt(w.sock, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 8<<20)
		return unix.SetsockoptInt(w.sock, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1)
	})
	w.resolve(t)
	return w
}

func ethAll() uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL))
}

// start opens port, lane, next-hops and cutter, in the namespace.
func (w *cutWorld) start() (err error) {
	list := []lane.Interface{{ID: 1, CoalesceSealed: true}, {ID: 2, VLAN: 7, CoalesceSealed: true,
		Addrs: []netip.Prefix{netip.MustParsePrefix("10.7.0.1/24")}}}
	if w.port, err = lane.OpenPort(lane.PortConfig{Name: "out0", Interfaces: list}); err != nil {
		return err
	}
	for i, vlan := range []uint16{0, 7} {
		err := w.lane.SetNetif(uint16(i), fast.NetifConfig{Index: w.port.Index(), MAC: w.port.MAC(), VLAN: vlan, MTU: 1500})
		if err != nil {
			return err
		}
	}
	hops := lane.NewHops(16)
	w.known = hops
	w.svc, err = lane.New([]*lane.Port{w.port}, hops, noHandler{}, lane.Config{
		Published: func(hop, ifc uint16, mac [6]byte, ok bool) { w.lane.SetHop(hop, mac, ifc-1) }})
	if err != nil {
		return err
	}
	for i, a := range []string{"10.9.0.2", "fd09::2", "10.7.0.2"} {
		b, family := packet.FromAddr(netip.MustParseAddr(a))
		w.hops[i], _ = hops.Get(uint16(1+i/2), b, family)
	}
	w.names = map[string]int{"v4": 0, "v6": 1, "v4 tagged": 2}
	w.cut, err = w.lane.OpenCutter()
	return err
}

// answer is the far end's kernel on tag 7: it answers ARP requests.
func (w *cutWorld) answer(t *testing.T, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		b := make([]byte, 256)
		n, _, err := unix.Recvfrom(w.sock, b, 0)
		if err != nil || n < 42 || b[12] != 8 || b[13] != 6 || b[21] != 1 || string(b[38:42]) != "\x0a\x07\x00\x02" {
			continue
		}
		mac := []byte{2, 0, 0, 0, 0, 7}
		f := slices.Concat(b[6:12], mac, []byte{0x81, 0, 0, 7, 8, 6}, b[14:20], []byte{0, 2}, mac, b[38:42], b[22:32], make([]byte, 18))
		if err := unix.Sendto(w.sock, f, 0, &unix.SockaddrLinklayer{Ifindex: w.farIndex}); err != nil {
			t.Error(err)
		}
	}
}

// resolve waits until all next-hops answered.
func (w *cutWorld) resolve(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { defer close(stopped); w.answer(t, stop) }()
	defer func() {
		close(stop)
		<-stopped
	}()
	for end := time.Now().Add(time.Minute); ; <-tick.C {
		n := 0
		_ = w.svc.Do(func() {
			for _, h := range w.hops {
				if st, _ := w.known.State(h); st == lane.HopResolved {
					n++
				}
			}
		})
		if n == len(w.hops) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d next-hops of %d answered", n, len(w.hops))
		}
	}
}

// compare sends segments without and with the cutter.
func (w *cutWorld) compare(t *testing.T, how string, list []segment, messages int) {
	t.Helper()
	alone, n := w.send(t, how, list, 0)
	if n != len(list) {
		t.Errorf("without the cutter: %d messages, want %d", n, len(list))
	}
	cut, n := w.send(t, how, list, w.cut)
	if n != messages {
		t.Errorf("with the cutter: %d messages, want %d", n, messages)
	}
	if slices.Equal(alone, cut) {
		return
	}
	for i := range alone {
		if i >= len(cut) || alone[i] != cut[i] {
			t.Fatalf("frame %d of %d and %d:\n%.100x\n%.100x", i, len(alone), len(cut), alone[i], cut[min(i, len(cut)-1)])
		}
	}
}

// send sends segments in one batch and returns the frames that arrive in the order of
// each flow, with their tags, and how many messages they were.
func (w *cutWorld) send(t *testing.T, how string, list []segment, cutter int) (frames []string, messages int) {
	t.Helper()
	kind := w.names[how]
	err := w.svc.Do(func() {
		before := w.port.Counters()
		w.port.SetCutter(cutter)
		for _, s := range list {
			p := w.svc.Buffer(lane.Small)
			s.write(p, kind%2 == 1)
			w.svc.Send(p, uint16(1+kind/2), w.hops[kind])
		}
		messages = -int(before.TxPackets)
	})
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); len(frames) < len(list); {
		f, err := w.frame()
		if (err == unix.EAGAIN || err == unix.EINTR) && time.Now().Before(end) {
			continue
		}
		if err != nil {
			t.Fatalf("%d frames of %d arrived: %v", len(frames), len(list), err)
		}
		if f != "" {
			frames = append(frames, f)
		}
	}
	_ = w.svc.Do(func() { messages += int(w.port.Counters().TxPackets) })
	slices.SortStableFunc(frames, func(a, b string) int { return bytes.Compare([]byte(portOf(a)), []byte(portOf(b))) })
	return frames, messages
}

// portOf is where a frame's source port is, with the tag in front of it.
func portOf(f string) string {
	if f[4+12:4+14] == "\x86\xdd" {
		return f[4+54 : 4+56]
	}
	return f[4+34 : 4+36]
}

// frame reads one frame, its tag in front; "" for what is none of the test's.
func (w *cutWorld) frame() (string, error) {
	b, oob := make([]byte, 70000), make([]byte, 256)
	n, nob, _, from, err := unix.Recvmsg(w.sock, b, oob, 0)
	if err != nil {
		return "", err
	}
	l2 := from.(*unix.SockaddrLinklayer)
	tcp := n > 60 && (b[12] == 8 && b[23] == packet.ProtoTCP || b[12] == 0x86 && b[20] == packet.ProtoTCP)
	if !tcp || l2.Pkttype == unix.PACKET_OUTGOING {
		return "", nil
	}
	tci := uint16(0)
	msgs, err := unix.ParseSocketControlMessage(oob[:nob])
	for _, m := range msgs {
		if m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA {
			tci = binary.NativeEndian.Uint16(m.Data[16:])
		}
	}
	return fmt.Sprintf("%04x", tci) + string(b[:n]), err
}

// write makes the packet.
func (s *segment) write(p *packet.Packet, v6 bool) {
	ip, head := p.Buf[p.Off:], packet.IPv4Size
	clear(ip[:packet.IPv6Size])
	if v6 {
		head = packet.IPv6Size
		ip[0], ip[6], ip[7] = 0x60, packet.ProtoTCP, 63
		copy(ip[8:24], netip.MustParseAddr("fd09::1").AsSlice())
		copy(ip[24:40], netip.MustParseAddr("fd09::2").AsSlice())
	} else {
		copy(ip, []byte{0x45, 2, 0, 0, byte(s.id >> 8), byte(s.id), 0x40, 0, 63, packet.ProtoTCP, 0, 0, 10, 9, 0, 1, 10, 9, 0, 2})
	}
	tcp := ip[head:]
	copy(tcp, []byte{byte(s.port >> 8), byte(s.port), 0, 80, 12: 0x80, 13: s.flags, 14: 1, 15: 2, 20: 1, 21: 1, 22: 8, 23: 10, 31: 0})
	binary.BigEndian.PutUint32(tcp[4:], s.seq)
	binary.BigEndian.PutUint32(tcp[8:], s.ack)
	for i := range s.n {
		tcp[32+i] = byte(uint32(i) * (s.seq + 3) >> 2)
	}
	p.End = p.Off + head + 32 + s.n
	if v6 {
		binary.BigEndian.PutUint16(ip[4:], uint16(32+s.n))
	} else {
		binary.BigEndian.PutUint16(ip[2:], uint16(head+32+s.n))
		binary.BigEndian.PutUint16(ip[10:], packet.Checksum(ip[:head]))
	}
	if err := p.Parse(); err != nil {
		panic(err)
	}
	p.Finish()
}

// noHandler takes no packets.
type noHandler struct{}

func (noHandler) Receive(*packet.Packet, int64) {}
func (noHandler) Batch([]*packet.Packet, int64) {}
func (noHandler) Tick(int64) int64              { return 0 }

// TestCutterAllocs: to gather for the cutter costs no memory.
func TestCutterAllocs(t *testing.T) {
	w := newCutWorld(t)
	list, allocs := sealed(1000, 77, 5, 300, 1424, 56), 1.0 // more than there are buffers: it has to send
	err := w.svc.Do(func() {
		w.port.SetCutter(w.cut)
		allocs = testing.AllocsPerRun(20, func() {
			for i := range list {
				p := w.svc.Buffer(lane.Small)
				list[i].write(p, false)
				w.svc.Send(p, 1, w.hops[0])
			}
		})
	})
	if c := w.port.Counters(); err != nil || allocs != 0 || c.TxErrors != 0 || c.TxCoalesced < 5000 || w.counters().Cut < 5000 {
		t.Errorf("%v allocations, %v, %+v, %+v", allocs, err, c, w.counters())
	}
}
