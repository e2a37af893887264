package fast_test

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"

	"waymark/svr/lane/fast"
	"waymark/svr/packet"
)

// skbCtx is struct __sk_buff as far as test runs take it.
type skbCtx struct {
	_       [41]uint32
	gsoSegs uint32
	_       [2]uint32
	gsoSize uint32
	_       [3]uint32
}

var cookie = []byte{0x4c, 0x48, 0xdb, 0xc6, 0xdd, 0xf6, 0x67, 0x0c}

// icmp makes an ICMP packet of family 4 or 6 with the tuple's addresses.
func icmp(t packet.Tuple, typ uint8) []byte {
	f := frame{t: t, ttl: 64, payload: make([]byte, 40)}
	t.Proto = packet.ProtoUDP
	f.t.Proto = packet.ProtoUDP
	b := f.ip()
	h := 20
	if t.Family == 6 {
		h, b[6] = 40, packet.ProtoICMPv6
	} else {
		b[9] = packet.ProtoICMP
	}
	b[h], b[h+1] = typ, 0
	return b
}

// changed applies a change to the bytes of an IP packet.
func changed(b []byte, change func(b []byte)) []byte {
	change(b)
	return b
}

const t4, t6, udp, tcp = 4, 6, packet.ProtoUDP, packet.ProtoTCP

// mk is a session's tuple from the client, to the one that leaves.
func mk(fam, proto uint8) packet.Tuple { return tuple(proto, addrs[fam][0], addrs[fam][1]) }
func to(fam, proto uint8) packet.Tuple { return tuple(proto, addrs[fam][2], addrs[fam][3]) }

// port changes the source port, data makes a payload, fr an IP packet.
func port(t packet.Tuple, n uint16) packet.Tuple { t.SrcPort = n; return t }
func data(n int) []byte                          { return make([]byte, n) }
func fr(f frame) []byte                          { f.ttl = max(f.ttl, 2); return f.ip() }

// own is a tuple to a port of an own address.
func own(fam, proto uint8, n uint16) packet.Tuple {
	x := tuple(proto, addrs[fam][0], map[uint8]string{4: "10.1.0.1:1", 6: "[2001:db8::99]:1"}[fam])
	x.DstPort = n
	return x
}

// reasonWorld has the sessions and own addresses of reasonTests.
func reasonWorld(t *testing.T) *world {
	w := bench(t)
	w.in(func() error {
		o := fast.Own{Waypoint: true, Breakout: true, Ranges: []fast.PortRange{{First: 500, Last: 510}}}
		if err := w.lane.SetOwn(netip.MustParseAddr("2001:db8::99"), o); err != nil {
			return err
		}
		return w.lane.SetOwn(netip.MustParseAddr("10.1.0.1"), o)
	})
	udp, tcp := uint8(packet.ProtoUDP), uint8(packet.ProtoTCP)
	w.insert(mk(t4, udp), 1, to(t4, udp), 2, fast.Fast|1400)
	w.insert(mk(t4, tcp), 1, to(t4, tcp), 2, fast.Fast|1400)
	w.insert(mk(t6, udp), 1, to(t6, udp), 2, fast.Fast|1400)
	w.insert(port(mk(t4, tcp), 9), 1, to(t4, tcp), 2, fast.Fast|fast.Peer|1400)
	w.insert(port(mk(t4, udp), 11), 1, to(t4, udp), 2, fast.Fast|fast.Peer|1400)
	w.insert(port(mk(t4, udp), 7), 1, to(t4, udp), 2, 1400)
	w.insert(port(mk(t4, udp), 8), 1, to(t4, udp), 77, fast.Fast|1400)
	w.insert(port(mk(t4, udp), 9), 1, to(t6, udp), 2, fast.Fast|1400)
	w.insert(port(mk(t6, udp), 9), 1, to(t4, udp), 2, fast.Fast|1400)
	w.insert(port(mk(t4, udp), 6), 1, to(t4, udp), 60000, fast.Fast|1400)
	return w
}

type reasonTest struct {
	name string
	ip   []byte
	ctx  *skbCtx
	want fast.Reason // 0: forwarded
}

// with puts the cookie into b.
func with(b []byte, at int) []byte {
	copy(b[at:], cookie)
	return b
}

var hitTests = []reasonTest{
	{"hit", fr(frame{t: mk(t4, udp)}), nil, 0},
	{"hit 6", fr(frame{t: mk(t6, udp)}), nil, 0},
	{"fin passes", fr(frame{t: mk(t4, tcp), flags: packet.FlagFIN | packet.FlagACK}), nil, 0},
	{"cookie", fr(frame{t: mk(t4, udp), payload: append(cookie, 1)}), nil, fast.PuntControl},
	{"cookie tcp", fr(frame{t: mk(t4, tcp), options: 12, payload: cookie}), nil, fast.PuntControl},
	{"cookie 6", fr(frame{t: mk(t6, udp), payload: cookie}), nil, fast.PuntControl},
	{"short cookie", fr(frame{t: mk(t4, udp), payload: cookie[:7]}), nil, 0},
	{"late cookie", fr(frame{t: mk(t4, udp), payload: append([]byte{0}, cookie...)}), nil, 0},
	{"syn", fr(frame{t: mk(t4, tcp), flags: packet.FlagSYN}), nil, fast.PuntTCP},
	{"syn-ack", fr(frame{t: mk(t4, tcp), flags: packet.FlagSYN | packet.FlagACK}), nil, fast.PuntTCP},
	{"rst", fr(frame{t: mk(t4, tcp), flags: packet.FlagRST}), nil, fast.PuntTCP},
	{"ttl", (&frame{t: mk(t4, udp), ttl: 1}).ip(), nil, fast.PuntTTL},
	{"ttl 0", (&frame{t: mk(t6, udp), ttl: 0}).ip(), nil, fast.PuntTTL},
	{"fits", fr(frame{t: mk(t4, udp), payload: data(1400 - 28)}), nil, 0},
	{"mtu", fr(frame{t: mk(t4, udp), payload: data(1400 - 27)}), nil, fast.PuntMTU},
	{"fits after growth", fr(frame{t: port(mk(t4, udp), 9), payload: data(1400 - 48)}), nil, 0},
	{"mtu by growth", fr(frame{t: port(mk(t4, udp), 9), payload: data(1400 - 47)}), nil, fast.PuntMTU},
	{"super-packet", fr(frame{t: mk(t4, tcp), payload: data(3000)}), &skbCtx{gsoSegs: 3, gsoSize: 1000}, 0},
	{"super-packet too wide", fr(frame{t: mk(t4, tcp), payload: data(3000)}), &skbCtx{gsoSegs: 3, gsoSize: 1361}, fast.PuntMTU},
	{"cookie in third segment", fr(frame{t: mk(t4, tcp), payload: append(data(2000), cookie...)}), &skbCtx{gsoSegs: 3, gsoSize: 1000}, fast.PuntControl},
	{"cookie in fifth segment", fr(frame{t: mk(t4, tcp), payload: append(data(2000), cookie...)}), &skbCtx{gsoSegs: 5, gsoSize: 500}, fast.PuntControl},
	{"cookie in sixth segment", fr(frame{t: mk(t4, tcp), payload: append(data(2500), cookie...)}), &skbCtx{gsoSegs: 6, gsoSize: 500}, fast.PuntControl},
	{"peer's first segment", fr(frame{t: port(mk(t4, tcp), 9), payload: with(data(3000), 0)}), &skbCtx{gsoSegs: 3, gsoSize: 1000}, fast.PuntControl},
	{"peer's segment between, which TCP does not put there", fr(frame{t: port(mk(t4, tcp), 9), payload: with(data(3000), 1000)}), &skbCtx{gsoSegs: 3, gsoSize: 1000}, 0},
	{"peer's last segment", fr(frame{t: port(mk(t4, tcp), 9), payload: with(data(2500), 2000)}), &skbCtx{gsoSegs: 3, gsoSize: 1000}, fast.PuntControl},
	{"peer's last segment is full", fr(frame{t: port(mk(t4, tcp), 9), payload: with(data(3000), 2000)}), &skbCtx{gsoSegs: 3, gsoSize: 1000}, fast.PuntControl},
	{"peer's last segment is the cookie", fr(frame{t: port(mk(t4, tcp), 9), payload: append(data(2000), cookie...)}), &skbCtx{gsoSegs: 3, gsoSize: 1000}, fast.PuntControl},
	{"peer's last segment is shorter", fr(frame{t: port(mk(t4, tcp), 9), payload: append(data(2000), cookie[:7]...)}), &skbCtx{gsoSegs: 3, gsoSize: 1000}, 0},
	{"peer's only segment", fr(frame{t: port(mk(t4, tcp), 9), payload: cookie}), nil, fast.PuntControl},
	{"peer's UDP segment between", fr(frame{t: port(mk(t4, udp), 11), payload: with(data(3000), 1000)}), &skbCtx{gsoSegs: 3, gsoSize: 1000}, fast.PuntControl},
	{"cookie within segment", fr(frame{t: mk(t4, tcp), payload: append(data(2001), cookie...)}), &skbCtx{gsoSegs: 3, gsoSize: 1000}, 0},
	{"too many segments", fr(frame{t: mk(t4, tcp), payload: data(3000)}), &skbCtx{gsoSegs: 150, gsoSize: 20}, fast.PuntGSO},
	{"udp super-packet changes family", fr(frame{t: port(mk(t4, udp), 9), payload: data(3000)}), &skbCtx{gsoSegs: 3, gsoSize: 1000}, fast.PuntGSO},
	{"no checksum to 6", fr(frame{t: port(mk(t4, udp), 9), noCsum: true}), nil, fast.PuntCsum},
	{"no checksum to 4", fr(frame{t: port(mk(t6, udp), 9), noCsum: true}), nil, fast.PuntCsum},
}

var missTests = []reasonTest{
	{"not fast", fr(frame{t: port(mk(t4, udp), 7)}), nil, fast.PuntSlow},
	{"hop unresolved", fr(frame{t: port(mk(t4, udp), 8)}), nil, fast.PuntHop},
	{"hop out of range", fr(frame{t: port(mk(t4, udp), 6)}), nil, fast.PuntHop},
	{"miss", fr(frame{t: port(mk(t4, udp), 10)}), nil, fast.PuntMiss},
	{"miss 6", fr(frame{t: port(mk(t6, udp), 10)}), nil, fast.PuntMiss},
	{"fragment", changed(fr(frame{t: mk(t4, udp)}), func(b []byte) { b[6] = 0x20 }), nil, fast.PuntFragment},
	{"last fragment", changed(fr(frame{t: mk(t4, udp)}), func(b []byte) { b[7] = 9 }), nil, fast.PuntFragment},
	{"fragment 6", changed(fr(frame{t: mk(t6, udp)}), func(b []byte) { b[6] = 44 }), nil, fast.PuntFragment},
	{"options", changed(fr(frame{t: mk(t4, udp), payload: data(8)}), func(b []byte) { b[0] = 0x46 }), nil, fast.PuntOdd},
	{"length", changed(fr(frame{t: mk(t4, udp)}), func(b []byte) { b[2] = 1 }), nil, fast.PuntOdd},
	{"tcp offset", changed(fr(frame{t: mk(t4, tcp)}), func(b []byte) { b[32] = 0x40 }), nil, fast.PuntOdd},
	{"extension header", changed(fr(frame{t: mk(t6, udp)}), func(b []byte) { b[6] = 0 }), nil, fast.PuntProto},
	{"transit icmp", icmp(mk(t4, udp), 8), nil, fast.PuntProto},
	{"wayport", fr(frame{t: own(t4, udp, 16385)}), nil, fast.PuntOwn},
	{"last wayport", fr(frame{t: own(t6, tcp, 65533)}), nil, fast.PuntOwn},
	{"behind wayports", fr(frame{t: own(t4, udp, 65534)}), nil, fast.HostOwn},
	{"breakout", fr(frame{t: own(t4, udp, 9999)}), nil, fast.PuntOwn},
	{"range", fr(frame{t: own(t4, tcp, 510)}), nil, fast.PuntOwn},
	{"bfd", fr(frame{t: own(t4, udp, 1280)}), nil, fast.HostOwn},
	{"ssh 6", fr(frame{t: own(t6, tcp, 22)}), nil, fast.HostOwn},
	{"own echo", icmp(own(t4, udp, 1), 8), nil, fast.HostOwn},
	{"own echo 6", icmp(own(t6, udp, 1), 128), nil, fast.HostOwn},
	{"own error", icmp(own(t4, udp, 1), 3), nil, fast.HostOwn},
	{"own fragment", changed(fr(frame{t: own(t4, udp, 16385)}), func(b []byte) { b[6] = 0x20 }), nil, fast.HostOwn},
	{"neighbour 6", icmp(own(t6, udp, 1), 135), nil, fast.HostOwn},
	{"link-local", fr(frame{t: tuple(udp, "[fe80::1]:1", "[fe80::2]:20000")}), nil, fast.HostOwn},
}

// TestReasons: what is not forwarded goes where it belongs and is counted once.
func TestReasons(t *testing.T) {
	w := reasonWorld(t)
	tc := w.load(fast.ProgTC, fast.PortConfig{Index: 1, Untagged: 1})
	for _, tt := range append(hitTests, missTests...) {
		t.Run(tt.name, func(t *testing.T) { w.reason(t, tc, &tt) })
	}
}

func (w *world) reason(t *testing.T, tc *ebpf.Program, tt *reasonTest) {
	before := w.counters()
	family := tt.ip[0] >> 4
	var ctx any
	if tt.ctx != nil {
		ctx = tt.ctx
	}
	verdict, out := run(t, tc, link([6]byte{}, srcMAC, 0, family, tt.ip), ctx)
	after := w.counters()
	got, balanced := difference(&before, &after)
	if got != tt.want || !balanced {
		t.Errorf("reason %v, want %v; balanced %v", got, tt.want, balanced)
	}
	want := uint32(tcRedirect)
	if tt.want.Host() {
		want = tcNext
	}
	if verdict != want {
		t.Errorf("verdict %d, want %d", verdict, want)
	}
	if tt.want.Punted() && (binary.BigEndian.Uint16(out) != 1 || fast.Reason(out[2]) != tt.want) {
		t.Errorf("mark %x", out[:6])
	}
	if tt.want.Host() && out[2] != 0 {
		t.Errorf("destination address %x", out[:6])
	}
}

// counters reads the counters.
func (w *world) counters() fast.Counters {
	w.t.Helper()
	var c fast.Counters
	w.in(func() (err error) { c, err = w.lane.Counters(); return err })
	return c
}

// difference tells the reason that counted one packet, 0 for forwarded, and
// whether the sums are exact.
func difference(a, b *fast.Counters) (r fast.Reason, balanced bool) {
	for i := range b.Reason {
		if b.Reason[i] != a.Reason[i] {
			r = fast.Reason(i)
		}
	}
	return r, b.In == a.In+1 && b.In == b.Forwarded()+b.Punted()+b.Dropped()+b.Host()
}
