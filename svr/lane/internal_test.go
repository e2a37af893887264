package lane

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/net/link"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/rtnl"
	"waymark/svr/packet"
)

// bench2 is a lane between two veth pairs that a test turns by hand, round by
// round, and raw sockets at the far ends.
type bench2 struct {
	lane        *Lane
	hops        *Hops
	hop         uint16
	in, out     int // raw sockets with virtio-net headers at the far ends
	got         int // packets the handler saw
	sendTo      *Port
	receiveFrom *Port
	src, far    link.Link
	err         error
	inNS, outNS string
}

func (b *bench2) Receive(p *packet.Packet, now int64) {
	b.got++
	if err := p.Parse(); err != nil {
		b.err = err
		return
	}
	p.DecTTL()
	b.lane.Send(p, 2, b.hop)
}

func (b *bench2) Batch(list []*packet.Packet, now int64) {
	for _, p := range list {
		b.Receive(p, now)
	}
}

func (b *bench2) Tick(now int64) int64 { return 0 }

func rawSocket(t testing.TB, ns, dev string) (fd int, l link.Link) {
	t.Helper()
	nstest.In(t, ns, func() error {
		c, err := rtnl.Dial()
		if err != nil {
			return err
		}
		defer c.Close()
		if l, err = link.ByName(c, dev); err != nil {
			return err
		}
		if fd, err = openSocket(4<<20, true); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: l.Index})
	})
	t.Cleanup(func() { unix.Close(fd) })
	return fd, l
}

func newBench2(t testing.TB, change func(in, out *PortConfig)) *bench2 {
	t.Helper()
	return newBenchOf(t, 0, change)
}

// newBenchOf is newBench2 with workers.
func newBenchOf(t testing.TB, workers int, change func(in, out *PortConfig)) *bench2 {
	t.Helper()
	left, router, right := nstest.New(t), nstest.New(t), nstest.New(t)
	nstest.Veth(t, netns.End{NS: left, Name: "c0"}, netns.End{NS: router, Name: "lan0"})
	nstest.Veth(t, netns.End{NS: right, Name: "s0", Addrs: []netip.Prefix{netip.MustParsePrefix("10.2.0.2/24")}},
		netns.End{NS: router, Name: "wan0", Addrs: []netip.Prefix{netip.MustParsePrefix("10.2.0.1/24")}})
	b := &bench2{hops: NewHops(16), inNS: left, outNS: right}
	in := PortConfig{Name: "lan0", Interfaces: []Interface{{ID: 1}}}
	out := PortConfig{Name: "wan0", Interfaces: []Interface{{ID: 2}}}
	in.Workers, out.Workers = workers, workers
	if change != nil {
		change(&in, &out)
	}
	nstest.In(t, router, func() (err error) {
		if b.receiveFrom, err = OpenPort(in); err != nil {
			return err
		}
		if b.sendTo, err = OpenPort(out); err != nil {
			return err
		}
		b.lane, err = New([]*Port{b.receiveFrom, b.sendTo}, b.hops, b, Config{Workers: workers})
		return err
	})
	t.Cleanup(func() { b.lane.Close() })
	b.lane.pool.start()
	t.Cleanup(func() {
		b.lane.settleWorkers()
		b.lane.pool.stop()
	})
	b.in, b.src = rawSocket(t, left, "c0")
	b.out, b.far = rawSocket(t, right, "s0")
	b.hop, _ = b.hops.Get(2, [16]byte{10, 2, 0, 2}, 4)
	b.turn(t, "next-hop resolves", func() bool { st, _ := b.hops.State(b.hop); return st == HopResolved })
	return b
}

// turn turns the loop until cond holds.
func (b *bench2) turn(t testing.TB, what string, cond func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !cond(); {
		if !b.lane.round() && time.Now().After(deadline) {
			t.Fatalf("timeout: %s", what)
		}
	}
}

// frame builds a virtio-net header, Ethernet and IP for the port.
func (b *bench2) frame(vnet [vnetLen]byte, ip []byte) []byte {
	f := append([]byte(nil), vnet[:]...)
	f = append(f, b.receiveFrom.link.MAC[:]...)
	f = append(f, b.src.MAC[:]...)
	if ip[0]>>4 == 6 {
		f = append(f, 0x86, 0xdd)
	} else {
		f = append(f, 0x08, 0x00)
	}
	return append(f, ip...)
}

// build makes an IP packet to the far end with payload n and full checksums.
func build(t testing.TB, v6 bool, proto uint8, port uint16, sequence uint32, n int) []byte {
	t.Helper()
	src, dst := netip.MustParseAddrPort(fmt.Sprintf("10.1.0.2:%d", port)), netip.MustParseAddrPort("10.9.0.2:7")
	if v6 {
		src, dst = netip.MustParseAddrPort(fmt.Sprintf("[fd01::2]:%d", port)), netip.MustParseAddrPort("[fd09::2]:7")
	}
	h, l4 := 20, 8
	if v6 {
		h = 40
	}
	if proto == packet.ProtoTCP {
		l4 = 20
	}
	b := make([]byte, h+l4+n)
	s, _ := packet.FromAddr(src.Addr())
	d, _ := packet.FromAddr(dst.Addr())
	if v6 {
		b[0], b[6], b[7] = 0x60, proto, 64
		binary.BigEndian.PutUint16(b[4:], uint16(min(l4+n, 0xffff)))
		copy(b[8:], s[:])
		copy(b[24:], d[:])
	} else {
		b[0], b[6], b[8], b[9] = 0x45, 0x40, 64, proto
		binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
		copy(b[12:], s[:4])
		copy(b[16:], d[:4])
		binary.BigEndian.PutUint16(b[10:], packet.Checksum(b[:20]))
	}
	binary.BigEndian.PutUint16(b[h:], port)
	binary.BigEndian.PutUint16(b[h+2:], 7)
	if proto == packet.ProtoTCP {
		binary.BigEndian.PutUint32(b[h+4:], sequence)
		b[h+12], b[h+13] = 0x50, packet.FlagACK
	} else {
		binary.BigEndian.PutUint16(b[h+4:], uint16(l4+n))
	}
	var p packet.Packet
	p.Reset(b, 0, len(b), 0)
	if err := p.Parse(); err != nil {
		t.Fatal(err)
	}
	p.FinishFull()
	return b
}

// superFrame makes a TCP super-packet frame with its virtio-net header.
func (b *bench2) superFrame(t testing.TB, v6 bool, n, size int) []byte {
	ip := build(t, v6, packet.ProtoTCP, 1000, 1, n)
	var p packet.Packet
	p.Reset(ip, 0, len(ip), 0)
	if err := p.Parse(); err != nil {
		t.Fatal(err)
	}
	p.Finish() // partial checksum
	p.GSO, p.GSOSize = packet.GSOTCP4, uint16(size)
	if v6 {
		p.GSO = packet.GSOTCP6
	}
	var h [vnetLen]byte
	writeVnet(&h, &p, 14)
	return b.frame(h, ip)
}

func TestZeroAllocations(t *testing.T) {
	const batch = 32
	for _, tt := range []struct {
		name   string
		change func(in, out *PortConfig)
		frames func(b *bench2) [][]byte
		check  func(c PortCounters) bool
	}{
		{"udp v4", nil, func(b *bench2) [][]byte { return b.many(t, batch, false, packet.ProtoUDP, 18) }, nil},
		{"udp v6", nil, func(b *bench2) [][]byte { return b.many(t, batch, true, packet.ProtoUDP, 18) }, nil},
		{"udp merged v4", func(in, out *PortConfig) { out.Interfaces[0].CoalesceUDP = true },
			func(b *bench2) [][]byte { return b.many(t, batch, false, packet.ProtoUDP, 1400) },
			func(c PortCounters) bool { return c.TxCoalesced > 0 }},
		{"udp merged v6", func(in, out *PortConfig) { out.Interfaces[0].CoalesceUDP = true },
			func(b *bench2) [][]byte { return b.many(t, batch, true, packet.ProtoUDP, 1400) },
			func(c PortCounters) bool { return c.TxCoalesced > 0 }},
		{"tcp merged v4", func(in, out *PortConfig) { out.Interfaces[0].Coalesce = true },
			func(b *bench2) [][]byte { return b.many(t, batch, false, packet.ProtoTCP, 1400) },
			func(c PortCounters) bool { return c.TxCoalesced > 0 }},
		{"tcp merged v6", func(in, out *PortConfig) { out.Interfaces[0].Coalesce = true },
			func(b *bench2) [][]byte { return b.many(t, batch, true, packet.ProtoTCP, 1400) },
			func(c PortCounters) bool { return c.TxCoalesced > 0 }},
		{"super-packet v4", nil, func(b *bench2) [][]byte { return [][]byte{b.superFrame(t, false, 60000, 1400)} },
			func(c PortCounters) bool { return c.TxBytes/c.TxPackets == 60040 }},
		{"super-packet v6", nil, func(b *bench2) [][]byte { return [][]byte{b.superFrame(t, true, 60000, 1400)} },
			func(c PortCounters) bool { return c.TxBytes/c.TxPackets == 60060 }},
		{"cut in software", func(in, out *PortConfig) { out.NoOffload = OffloadAll },
			func(b *bench2) [][]byte { return [][]byte{b.superFrame(t, false, 60000, 1400)} },
			func(c PortCounters) bool { return c.TxSegmented > 0 }},
	} {
		for _, workers := range []int{0, 2} {
			t.Run(fmt.Sprintf("%s, %d workers", tt.name, workers), func(t *testing.T) {
				b := newBenchOf(t, workers, tt.change)
				frames := tt.frames(b)
				allocs := testing.AllocsPerRun(300, func() {
					want := b.got + len(frames)
					for _, f := range frames {
						if _, err := unix.Write(b.in, f); err != nil {
							b.err = err
						}
					}
					for i := 0; b.got < want && i < 1_000_000; i++ {
						b.lane.round()
					}
				})
				b.lane.settleWorkers()
				c := b.sendTo.Counters()
				if allocs != 0 || b.err != nil || c.TxErrors != 0 || c.TxPackets == 0 || tt.check != nil && !tt.check(c) {
					t.Errorf("got %v allocations per batch, %v, %+v", allocs, b.err, c)
				}
			})
		}
	}
}

// many makes frames of one flow in sequence.
func (b *bench2) many(t testing.TB, count int, v6 bool, proto uint8, n int) (frames [][]byte) {
	for i := range count {
		frames = append(frames, b.frame([vnetLen]byte{}, build(t, v6, proto, 1000, uint32(1+i*n), n)))
	}
	return frames
}

// An offload the kernel refuses is cut in software, and after three refusals
// in a row not used any more.
func TestOffloadIsDropped(t *testing.T) {
	b := newBench2(t, nil)
	q := &b.sendTo.tx
	ip := b.superFrame(t, false, 14000, 1400)[vnetLen+14:]
	for i := 1; i <= maxStrikes; i++ {
		var p packet.Packet
		p.Reset(ip, 0, len(ip), 0)
		if err := p.Parse(); err != nil {
			t.Fatal(err)
		}
		p.Csum, p.GSO, p.GSOSize = packet.CsumPartial, packet.GSOTCP4, 1400
		if q.offloads&OffloadTCP4 == 0 {
			t.Fatalf("offload gone after %d refusals, want %d", i-1, maxStrikes)
		}
		q.refused(q.add(&p, b.far.MAC, b.sendTo.link.MAC, 0, false), unix.EINVAL)
		q.n = 0
		if want := uint64(10 * i); b.sendTo.sent.TxPackets != want {
			t.Errorf("refusal %d: got %d packets, want %d", i, b.sendTo.sent.TxPackets, want)
		}
	}
	if q.offloads != OffloadAll&^OffloadTCP4 {
		t.Errorf("offloads: got %04b, want all but TCP4", q.offloads)
	}
}

// The kernel really refuses a header that makes no sense, and one such packet
// costs no offload.
func TestRefusedPacket(t *testing.T) {
	b := newBench2(t, nil)
	q := &b.sendTo.tx
	ip := b.superFrame(t, false, 14000, 1400)[vnetLen+14:]
	var p packet.Packet
	p.Reset(ip, 0, len(ip), 0)
	if err := p.Parse(); err != nil {
		t.Fatal(err)
	}
	p.Csum, p.GSO, p.GSOSize = packet.CsumPartial, packet.GSOTCP4, 1400
	i := q.add(&p, b.far.MAC, b.sendTo.link.MAC, 0, false)
	q.heads[i].b[1] = 0x7e // a GSO type nobody knows
	q.flush()
	if c := b.sendTo.Counters(); c.TxErrors != 1 || c.TxPackets != 0 || c.Offloads != OffloadAll {
		t.Errorf("got %+v", c)
	}
}

func TestFilterAndVnetConstants(t *testing.T) {
	if got := len(filterProgram(true, true)); got != 12 {
		t.Errorf("filter: got %d instructions, want 12", got)
	}
	var p packet.Packet
	for name, h := range map[string][vnetLen]byte{
		"SCTP checksum":      {vnetNeedsCsum, 0, 0, 0, 0, 0, 34, 0, 8, 0},
		"unknown GSO type":   {0, 2, 0, 0, 1, 1},
		"GSO without a size": {0, vnetTCP4},
		"legacy UDP GSO":     {0, 3, 0, 0, 1, 1},
	} {
		if readVnet(h[:], &p) {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestMailbox(t *testing.T) {
	b := newBench2(t, nil)
	done := make(chan error)
	ran := false
	go func() { done <- b.lane.Do(func() { ran = true }) }()
	b.turn(t, "function runs", func() bool { return ran })
	if err := <-done; err != nil {
		t.Errorf("Do: %v", err)
	}
	b.lane.mail.close()
	if err := b.lane.Do(func() {}); !errors.Is(err, ErrClosed) {
		t.Errorf("Do after the end: got %v, want ErrClosed", err)
	}
}
