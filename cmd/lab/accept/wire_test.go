package accept

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"waymark/cmd/lab/world"
	"waymark/svr/packet"
	"waymark/svr/wire"
)

// outer is a captured packet as a bystander can take it apart.
type outer struct {
	frame   int // number in the capture
	src     netip.AddrPort
	dst     netip.AddrPort
	proto   uint8
	flags   uint8  // TCP
	seq     uint32 // TCP
	ip      []byte
	payload []byte // behind the L4 header
	icmp    bool
	meta    *wire.Header // nil: the payload does not begin with metadata
}

// flow names both directions of an outer packet's tuple alike.
type flow struct {
	a, b  netip.AddrPort
	proto uint8
}

func (o *outer) flow() flow {
	if o.src.Compare(o.dst) < 0 {
		return flow{o.src, o.dst, o.proto}
	}
	return flow{o.dst, o.src, o.proto}
}

// digestSize is what the inter-router policy of acme.json puts behind a packet
// with metadata.
const digestSize = 16

// data is what the host sent: without metadata and its digest. A clear service
// adds nothing else.
func (o *outer) data() []byte {
	if o.meta == nil {
		return o.payload
	}
	return o.payload[o.meta.Len+o.meta.PayloadLen : max(o.meta.Len+o.meta.PayloadLen, len(o.payload)-digestSize)]
}

// control tells whether the packet was made by a router, not by a host.
func (o *outer) control() bool { return o.meta != nil && o.meta.Has.Has(wire.TypeControl) }

func (o *outer) String() string {
	return fmt.Sprintf("frame %d, protocol %d, %v to %v, %d bytes", o.frame, o.proto, o.src, o.dst, len(o.ip))
}

// dissect takes every IP packet of a capture apart.
func dissect(t *testing.T, frames []world.Frame) (list []*outer) {
	t.Helper()
	for n, f := range frames {
		ip := f.IP()
		if ip == nil {
			continue
		}
		var p packet.Packet
		p.Reset(ip, 0, len(ip), 0)
		if err := p.Parse(); err != nil {
			t.Errorf("frame %d: %v", n+1, err)
			continue
		}
		o := &outer{
			frame: n + 1, proto: p.T.Proto, flags: p.TCPFlags, ip: ip[:p.End],
			src:     netip.AddrPortFrom(p.T.SrcAddr(), p.T.SrcPort),
			dst:     netip.AddrPortFrom(p.T.DstAddr(), p.T.DstPort),
			payload: p.Payload(),
			icmp:    p.Kind == packet.KindICMPError || p.Kind == packet.KindEcho || p.T.Proto == packet.ProtoICMP,
		}
		if p.Kind == packet.KindTCP {
			o.seq = binary.BigEndian.Uint32(ip[p.L4+4:])
		}
		if (p.Kind == packet.KindTCP || p.Kind == packet.KindUDP) && wire.HasCookie(o.payload) {
			o.meta = new(wire.Header)
			if err := wire.ParseHeader(o.payload, o.meta); err != nil {
				t.Errorf("%v: metadata: %v", o, err)
				o.meta = nil
			}
		}
		list = append(list, o)
	}
	return list
}

// between keeps the packets between two addresses, whatever the direction.
func between(list []*outer, a, b string) (kept []*outer) {
	x, y := netip.MustParseAddr(a), netip.MustParseAddr(b)
	for _, o := range list {
		s, d := o.src.Addr(), o.dst.Addr()
		if s == x && d == y || s == y && d == x {
			kept = append(kept, o)
		}
	}
	return kept
}

// byFlow sorts packets by their tuple, in order of appearance.
func byFlow(list []*outer) map[flow][]*outer {
	flows := map[flow][]*outer{}
	for _, o := range list {
		flows[o.flow()] = append(flows[o.flow()], o)
	}
	return flows
}

// stream puts together what a TCP direction carried, from its SYN on; sequence
// numbers are the inner ones, whatever else SVR changes.
func stream(list []*outer, from netip.AddrPort) []byte {
	var start uint32
	var out []byte
	for _, o := range list {
		if o.proto != packet.ProtoTCP || o.src != from || o.control() {
			continue
		}
		if o.flags&packet.FlagSYN != 0 {
			start = o.seq + 1
			continue
		}
		at, data := int(o.seq-start), o.data()
		if at < 0 || at > 1<<26 {
			continue
		}
		if need := at + len(data); need > len(out) {
			out = append(out, make([]byte, need-len(out))...)
		}
		copy(out[at:], data)
	}
	return out
}
