package fast_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cilium/ebpf"

	"waymark/svr/lane/fast"
	"waymark/svr/packet"
	"waymark/svr/pool"
)

// Verdicts of the programs.
const (
	xdpPass     = 2
	xdpRedirect = 4
	tcRedirect  = 7
	tcNext      = 0xffffffff
	tcShot      = 2
)

// frame describes a test packet: Ethernet with the interface's address (all
// zero, as loopback has it, which test runs use) as destination.
type frame struct {
	t       packet.Tuple
	vlan    uint16 // in the frame
	tos     uint8
	ttl     uint8
	flags   uint8 // TCP
	options int   // bytes of TCP options
	payload []byte
	noCsum  bool
	df      bool
}

// ip builds the IP packet with right checksums.
func (f *frame) ip() []byte {
	l4 := 8
	if f.t.Proto == packet.ProtoTCP {
		l4 = 20 + f.options
	}
	h := 20
	if f.t.Family == 6 {
		h = 40
	}
	b := make([]byte, h+l4+len(f.payload))
	f.header(b)
	copy(b[h+l4:], f.payload)
	x := b[h:]
	binary.BigEndian.PutUint16(x[0:], f.t.SrcPort)
	binary.BigEndian.PutUint16(x[2:], f.t.DstPort)
	at := 6
	if f.t.Proto == packet.ProtoTCP {
		binary.BigEndian.PutUint32(x[4:], 0x01020304)
		x[12], x[13], at = byte(l4/4)<<4, f.flags, 16
	} else {
		binary.BigEndian.PutUint16(x[4:], uint16(len(x)))
	}
	if !f.noCsum {
		f.seal(b, h, at)
	}
	return b
}

func (f *frame) header(b []byte) {
	if f.t.Family == 6 {
		binary.BigEndian.PutUint32(b, 6<<28|uint32(f.tos)<<20|0x12345)
		binary.BigEndian.PutUint16(b[4:], uint16(len(b)-40))
		b[6], b[7] = f.t.Proto, f.ttl
		copy(b[8:], f.t.Src[:])
		copy(b[24:], f.t.Dst[:])
		return
	}
	b[0], b[1] = 0x45, f.tos
	binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
	b[4], b[5] = 0x77, 0x88
	if f.df {
		b[6] = 0x40
	}
	b[8], b[9] = f.ttl, f.t.Proto
	copy(b[12:], f.t.Src[:4])
	copy(b[16:], f.t.Dst[:4])
	binary.BigEndian.PutUint16(b[10:], packet.Checksum(b[:20]))
}

// seal computes the L4 checksum.
func (f *frame) seal(b []byte, h, at int) {
	n := 4
	if f.t.Family == 6 {
		n = 16
	}
	pseudo := append(append([]byte{}, f.t.Src[:n]...), f.t.Dst[:n]...)
	pseudo = append(pseudo, 0, f.t.Proto, 0, 0)
	binary.BigEndian.PutUint16(pseudo[len(pseudo)-2:], uint16(len(b)-h))
	c := packet.Checksum(append(pseudo, b[h:]...))
	if c == 0 && f.t.Proto == packet.ProtoUDP {
		c = 0xffff
	}
	binary.BigEndian.PutUint16(b[h+at:], c)
}

// bytes puts the link header in front.
func (f *frame) bytes() []byte {
	return link([6]byte{}, [6]byte{2, 0, 0, 0, 0, 9}, f.vlan, f.t.Family, f.ip())
}

func link(dst, src [6]byte, vlan uint16, family uint8, ip []byte) []byte {
	b := append(append([]byte{}, dst[:]...), src[:]...)
	if vlan != 0 {
		b = binary.BigEndian.AppendUint16(append(b, 0x81, 0), vlan)
	}
	if family == 6 {
		b = append(b, 0x86, 0xdd)
	} else {
		b = append(b, 8, 0)
	}
	return append(b, ip...)
}

// readdressed is what svr/packet makes of the same packet.
func readdressed(t *testing.T, ip []byte, to packet.Tuple) []byte {
	t.Helper()
	buf := make([]byte, 256+len(ip))
	copy(buf[256:], ip)
	var p packet.Packet
	p.Reset(buf, 256, len(buf), 1)
	if err := p.Parse(); err != nil {
		t.Fatal(err)
	}
	if !p.Readdress(to) || !p.DecTTL() {
		t.Fatal("packet refuses")
	}
	return p.IP()
}

var (
	srcMAC = [6]byte{2, 0, 0, 0, 0, 1}
	hopMAC = [6]byte{2, 0, 0, 0, 0, 2}
)

// bench is a lane whose network-interfaces are: 1 untagged ingress, 2 egress,
// 3 tag 30 on the same device as ingress, 4 egress with tag 40, 5 egress that
// takes no XDP frames.
func bench(t *testing.T) *world {
	w := newWorld(t, fast.Config{})
	w.in(func() error {
		set := func(id, vlan uint16, xdp bool) error {
			w.lane.SetHop(id, hopMAC, id)
			return w.lane.SetNetif(id, fast.NetifConfig{Index: 1, MAC: srcMAC, VLAN: vlan, MTU: 1500, XDP: xdp})
		}
		for id, vlan := range map[uint16]uint16{2: 0, 4: 40} {
			if err := set(id, vlan, true); err != nil {
				return err
			}
		}
		if err := set(5, 0, false); err != nil {
			return err
		}
		return w.lane.SetVLAN(1, 30, 3, true)
	})
	return w
}

// run runs a program on a frame.
func run(t *testing.T, p *ebpf.Program, in []byte, ctx any) (verdict uint32, out []byte) {
	t.Helper()
	o := ebpf.RunOptions{Data: in, DataOut: make([]byte, len(in)+256), Context: ctx}
	verdict, err := p.Run(&o)
	if err != nil {
		t.Fatal(err)
	}
	return verdict, o.DataOut
}

var addrs = map[uint8][4]string{
	4: {"10.1.0.2:40000", "10.2.0.2:443", "192.0.2.1:16386", "198.51.100.7:16389"},
	6: {"[2001:db8::1]:40000", "[2001:db8::2]:443", "[2001:db8:1::1]:16386", "[2001:db8:ffff:2::7]:16389"},
}

// TestRewrite: both programs change packets exactly as svr/packet does.
func TestRewrite(t *testing.T) {
	w := bench(t)
	cfg := fast.PortConfig{Index: 1, Untagged: 1}
	tc, xdp := w.load(fast.ProgTC, cfg), w.load(fast.ProgXDP, cfg)
	n, rnd := uint16(0), rand.New(rand.NewPCG(1, 0))
	for _, from := range []uint8{4, 6} {
		for _, to := range []uint8{4, 6} {
			for _, proto := range []uint8{packet.ProtoTCP, packet.ProtoUDP} {
				for range 60 {
					n++
					f, target := randomFrame(rnd, from, to, proto, n)
					t.Run(fmt.Sprintf("%d-%d-%d-%d", from, to, proto, n), func(t *testing.T) {
						w.rewrites(t, tc, xdp, f, target)
					})
				}
			}
		}
	}
}

func randomFrame(rnd *rand.Rand, from, to, proto uint8, n uint16) (frame, packet.Tuple) {
	f := frame{t: tuple(proto, addrs[from][0], addrs[from][1]), tos: uint8(rnd.Uint32()), ttl: 2 + uint8(rnd.Uint32N(253)), df: n%2 == 0}
	f.t.SrcPort += n
	f.payload = make([]byte, rnd.IntN(200))
	for i := range f.payload {
		f.payload[i] = byte(rnd.Uint32())
	}
	if proto == packet.ProtoTCP {
		f.flags, f.options = packet.FlagACK|uint8(rnd.Uint32())&^(packet.FlagSYN|packet.FlagRST), 4*rnd.IntN(11)
	} else {
		f.noCsum = from == 4 && to == 4 && n%5 == 0
	}
	target := tuple(proto, addrs[to][2], addrs[to][3])
	target.DstPort += n
	return f, target
}

func (w *world) rewrites(t *testing.T, tc, xdp *ebpf.Program, f frame, to packet.Tuple) {
	in := f.ip()
	want := readdressed(t, in, to)
	for _, c := range []struct {
		name     string
		ifc, hop uint16
		inTag    uint16
		outTag   uint16
	}{{"untagged", 1, 2, 0, 0}, {"push", 1, 4, 0, 40}, {"pop", 3, 2, 30, 0}, {"swap", 3, 4, 30, 40}} {
		slot := w.insert(f.t, c.ifc, to, c.hop, fast.Fast|1500)
		f.vlan = c.inTag
		frame := link(hopMAC, srcMAC, c.outTag, to.Family, want)
		verdict, out := run(t, xdp, f.bytes(), nil)
		if verdict != xdpRedirect || !bytes.Equal(out, frame) {
			t.Errorf("XDP %s: verdict %d\n got %x\nwant %x\n was %x", c.name, verdict, out, frame, f.bytes())
		}
		if c.inTag == 0 && c.outTag == 0 {
			verdict, out = run(t, tc, f.bytes(), nil)
			if verdict != tcRedirect || !bytes.Equal(out, frame) {
				t.Errorf("TC %s: verdict %d\n got %x\nwant %x\n was %x", c.name, verdict, out, frame, f.bytes())
			}
			packets, n, seen, flags := w.table.Counters(slot)
			if packets != 2 || n != 2*uint64(len(in)) || seen == 0 || flags != f.flags {
				t.Errorf("counters: %d packets, %d bytes, seen %d, flags %x", packets, n, seen, flags)
			}
		}
		w.remove(slot)
	}
}

// TestSeen: the last-seen word follows the clock, which the programs ask once per
// jiffy only. 16.8 ms are its own grain, 10 ms are the longest jiffy.
func TestSeen(t *testing.T) {
	const grain, jiffy = 1 << 24, 10e6
	w := bench(t)
	cfg := fast.PortConfig{Index: 1, Untagged: 1}
	f := frame{t: tuple(packet.ProtoUDP, addrs[4][0], addrs[4][1]), ttl: 64}
	slot := w.insert(f.t, 1, tuple(packet.ProtoUDP, addrs[4][2], addrs[4][3]), 2, fast.Fast|1500)
	h, err := pool.ReadHeader(w.lane.Memory())
	if err != nil {
		t.Fatal(err)
	}
	for _, prog := range []*ebpf.Program{w.load(fast.ProgTC, cfg), w.load(fast.ProgXDP, cfg)} {
		for start := fast.Monotonic(); fast.Monotonic() < start+6*grain; {
			before := fast.Monotonic()
			run(t, prog, f.bytes(), nil)
			after := fast.Monotonic()
			_, _, seen, _ := w.table.Counters(slot)
			if at := h.Clock + seen; at < before-2*jiffy || at > after+grain {
				t.Fatalf("packet of %d to %d: seen at %d", before, after, at)
			}
		}
	}
}
