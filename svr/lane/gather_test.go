package lane

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/svr/packet"
	"waymark/svr/wire"
)

// datagram is one that a host sends: flow, length, and what is special.
type datagram struct {
	port    uint16
	n       int
	special func(ip []byte)
}

func noDF(id uint16) func([]byte) {
	return func(ip []byte) {
		ip[6] = 0
		binary.BigEndian.PutUint16(ip[4:], id)
		ip[10], ip[11] = 0, 0
		binary.BigEndian.PutUint16(ip[10:], packet.Checksum(ip[:20]))
	}
}

func noChecksum(ip []byte)    { ip[26], ip[27] = 0, 0 }
func wrongChecksum(ip []byte) { ip[len(ip)-1] ^= 0x55 }

func metadata(ip []byte) {
	binary.BigEndian.PutUint64(ip[28:], wire.Cookie)
	ip[26], ip[27] = 0, 0
	var p packet.Packet
	p.Reset(ip, 0, len(ip), 0)
	if p.Parse() == nil {
		p.FinishFull()
	}
}

// repeat is count plain datagrams of a flow.
func repeat(count int, port uint16, n int) (list []datagram) {
	for range count {
		list = append(list, datagram{port: port, n: n})
	}
	return list
}

// Datagrams of one flow and length leave as one super-packet; cut again they
// are those that came, and those of a flow keep their order.
func TestDatagramsMerge(t *testing.T) {
	two := append(repeat(3, 1000, 900), repeat(3, 2000, 400)...)
	mixed := []datagram{two[0], two[3], two[1], two[4], two[2], two[5]}
	for _, tt := range []struct {
		name string
		v6   bool
		off  Offload
		sent []datagram
		want []int // datagrams in each message
	}{
		{"equal", false, 0, repeat(30, 1000, 1200), []int{30}},
		{"equal v6", true, 0, repeat(30, 1000, 1200), []int{30}},
		{"more than a super-packet holds", false, 0, repeat(50, 1000, 1200), []int{46, 4}},
		{"a shorter one is the last", false, 0, append(repeat(5, 1000, 800), append(repeat(1, 1000, 200), repeat(4, 1000, 800)...)...), []int{6, 4}},
		{"a longer one begins anew", false, 0, append(repeat(3, 1000, 200), repeat(4, 1000, 800)...), []int{3, 4}},
		{"two flows", false, 0, mixed, []int{3, 3}},
		{"counted identifications", false, 0, []datagram{{1000, 300, noDF(65534)}, {1000, 300, noDF(65535)}, {1000, 300, noDF(0)}}, []int{3}},
		{"other identifications", false, 0, []datagram{{1000, 300, noDF(7)}, {1000, 300, noDF(7)}, {1000, 300, noDF(9)}}, []int{1, 1, 1}},
		{"without checksum", false, 0, []datagram{{1000, 300, noChecksum}, {1000, 300, noChecksum}}, []int{1, 1}},
		{"metadata travels alone", false, 0, []datagram{{1000, 300, metadata}, {1000, 300, metadata}, {1000, 300, nil}, {1000, 300, nil}}, []int{1, 1, 2}},
		{"a wrong checksum stays wrong", false, 0, []datagram{{1000, 300, nil}, {1000, 300, wrongChecksum}, {1000, 300, nil}}, []int{1, 1, 1}},
		{"without offload", false, OffloadUDP, repeat(3, 1000, 1200), []int{1, 1, 1}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench2(t, func(in, out *PortConfig) { out.Interfaces[0].CoalesceUDP, out.NoOffload = true, tt.off })
			sent := b.inject(t, tt.v6, tt.sent)
			got, sizes := b.arrived(t, len(sent))
			if !slices.Equal(sizes, tt.want) {
				t.Errorf("datagrams in messages: got %v, want %v", sizes, tt.want)
			}
			for _, port := range []uint16{1000, 2000} {
				if !slices.Equal(ofFlow(got, tt.v6, port), ofFlow(sent, tt.v6, port)) {
					t.Errorf("flow %d: the datagrams differ", port)
				}
			}
		})
	}
}

// inject puts datagrams into one batch and returns them as they must leave.
func (b *bench2) inject(t *testing.T, v6 bool, list []datagram) (want []string) {
	t.Helper()
	for i, d := range list {
		ip := build(t, v6, packet.ProtoUDP, d.port, 0, d.n)
		ip[len(ip)-d.n] = byte(i) // tells them apart
		var p packet.Packet
		p.Reset(ip, 0, len(ip), 0)
		if err := p.Parse(); err != nil {
			t.Fatal(err)
		}
		p.FinishFull()
		if d.special != nil {
			d.special(ip)
		}
		if _, err := unix.Write(b.in, b.frame([vnetLen]byte{}, ip)); err != nil {
			t.Fatal(err)
		}
		p.DecTTL()
		want = append(want, string(ip))
	}
	seen := b.got + len(list)
	b.turn(t, "the lane sees all", func() bool { return b.got >= seen })
	return want
}

// arrived reads the messages at the far end until n datagrams came, cut as the
// kernel would cut them.
func (b *bench2) arrived(t *testing.T, n int) (ips []string, sizes []int) {
	t.Helper()
	buf := make([]byte, 1<<17)
	for deadline := time.Now().Add(time.Minute); len(ips) < n; {
		got, err := unix.Read(b.out, buf)
		if err == unix.EAGAIN && time.Now().Before(deadline) {
			continue
		}
		if err != nil {
			t.Fatalf("%d of %d datagrams: %v", len(ips), n, err)
		}
		var p packet.Packet
		ip := slices.Clone(buf[vnetLen+14 : got])
		p.Reset(ip, 0, len(ip), 0)
		if !readVnet(buf[:vnetLen], &p) || p.Parse() != nil || p.Kind != packet.KindUDP || p.T.DstPort != 7 {
			continue // the kernel's own
		}
		k := len(ips)
		ips = append(ips, apart(t, &p)...)
		sizes = append(sizes, len(ips)-k)
	}
	return ips, sizes
}

// apart cuts a super-packet into what a receiver sees of it.
func apart(t *testing.T, p *packet.Packet) (list []string) {
	t.Helper()
	if p.GSO == packet.GSONone {
		p.CompleteCsum()
		return []string{plainID(p)}
	}
	var s packet.Segmenter
	if !s.Init(p, int(p.GSOSize)) {
		t.Fatal("super-packet cannot be cut")
	}
	var k packet.Packet
	for k.Buf = make([]byte, 2048); s.Next(&k); k.Reset(k.Buf, 0, 0, 0) {
		k.CompleteCsum()
		list = append(list, plainID(&k))
	}
	return list
}

// plainID is the packet without the identification that nobody looks at
// (RFC 6864: with DF).
func plainID(p *packet.Packet) string {
	ip := p.IP()
	if p.DF() && !p.V6() {
		noDF(0)(ip)
		ip[6] = 0x40
		ip[10], ip[11] = 0, 0
		binary.BigEndian.PutUint16(ip[10:], packet.Checksum(ip[:20]))
	}
	return string(ip)
}

// ofFlow keeps the datagrams from port.
func ofFlow(list []string, v6 bool, port uint16) (flow []string) {
	at := 20
	if v6 {
		at = 40
	}
	for _, ip := range list {
		if binary.BigEndian.Uint16([]byte(ip[at:at+2])) == port {
			flow = append(flow, ip)
		}
	}
	return flow
}

// A gathered super-packet that the kernel refuses is cut in software like any
// other: nothing is lost while the offload goes.
func TestRefusedGatherIsCut(t *testing.T) {
	b := newBench2(t, func(in, out *PortConfig) { out.Interfaces[0].CoalesceUDP = true })
	q := &b.sendTo.tx
	for i := 1; i <= maxStrikes; i++ {
		sent := b.refuse(t, repeat(10, 1000, 500))
		if ips, _ := b.arrived(t, len(sent)); !slices.Equal(ips, sent) {
			t.Errorf("refusal %d: the datagrams differ", i)
		}
	}
	if q.offloads != OffloadAll&^OffloadUDP {
		t.Errorf("offloads: got %04b, want all but UDP", q.offloads)
	}
}

// refuse sends datagrams through a queue whose messages are all refused.
func (b *bench2) refuse(t *testing.T, list []datagram) (want []string) {
	t.Helper()
	q := &b.sendTo.tx
	for i, d := range list {
		ip := build(t, false, packet.ProtoUDP, d.port, 0, d.n)
		ip[len(ip)-d.n] = byte(i)
		p := new(packet.Packet)
		p.Reset(ip, 0, len(ip), 0)
		if err := p.Parse(); err != nil {
			t.Fatal(err)
		}
		p.FinishFull()
		want = append(want, string(ip))
		b.lane.Send(p, 2, b.hop)
	}
	b.sendTo.gather.finish()
	for i := range q.n {
		q.refused(i, unix.EINVAL)
	}
	q.n = 0
	b.sendTo.gather.reset()
	return want
}
