package router

import (
	"context"
	"net/netip"

	"waymark/svr/packet"
	"waymark/svr/path/peer"
	"waymark/svr/policy"
)

// BFD on a VLAN: the kernel has no device for it, so the lane carries the
// datagrams. Both directions go through a bounded queue: neither the lane nor
// the paths ever wait for the other.

const taggedQueue = 256 // datagrams each way; what finds it full is lost

// taggedOut is a datagram on its way to the lane.
type taggedOut struct {
	peer.Sending
	data []byte
}

// taggedQueues are made when an interface with a VLAN has paths.
type taggedQueues struct {
	out chan taggedOut
	in  chan peer.Datagram
}

func newTaggedQueues() taggedQueues {
	return taggedQueues{out: make(chan taggedOut, taggedQueue), in: make(chan peer.Datagram, taggedQueue)}
}

// sendTagged queues a datagram for the lane; mu is held.
func (w *watcher) sendTagged(s *peer.Sending) {
	o := taggedOut{Sending: *s, data: append([]byte(nil), s.Data...)}
	select {
	case w.queues.out <- o:
	default:
	}
}

// heardTagged takes BFD out of what arrives on a VLAN for the box. It is on the
// lane's goroutine and copies what it keeps.
func (w *watcher) heardTagged(p *packet.Packet) {
	if p.Kind != packet.KindUDP || p.T.DstPort != bfdPort || p.GSO != packet.GSONone || !p.VerifyL4() {
		return
	}
	d := peer.Datagram{If: p.If, Hops: p.TTL(), Data: append([]byte(nil), p.Payload()...),
		To:   netip.AddrPortFrom(packet.ToAddr(p.T.Dst, p.T.Family), p.T.DstPort),
		From: netip.AddrPortFrom(packet.ToAddr(p.T.Src, p.T.Family), p.T.SrcPort)}
	select {
	case w.queues.in <- d:
	default:
	}
}

// serveTagged moves datagrams between queues, lane and paths until ctx ends.
func (w *watcher) serveTagged(ctx context.Context, send func(*taggedOut)) {
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-w.queues.out:
			send(&o)
		case d := <-w.queues.in:
			w.receive(&d)
		}
	}
}

// sendTagged builds a datagram of BFD and sends it by the lane.
func (r *Router) sendTagged(o *taggedOut) {
	src, family := packet.FromAddr(o.Local)
	dst, _ := packet.FromAddr(o.To.Addr())
	t := packet.Tuple{Src: src, Dst: dst, SrcPort: o.Port, DstPort: o.To.Port(), Proto: packet.ProtoUDP, Family: family}
	_ = r.lane.Do(func() { // fails only when the lane has ended
		p := r.adapter.Buffer(false)
		if p == nil {
			return
		}
		b := packet.Build(p, t, o.Hops, o.DSCP<<2, len(o.data))
		if b == nil {
			return
		}
		copy(b, o.data)
		p.Finish()
		r.parts.Engine.SendLocal(p, policy.IfID(o.If))
	})
}
