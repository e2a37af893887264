package watch

import (
	"context"
	"net/netip"

	"waymark/svr/packet"
	"waymark/svr/path/peer"
)

// BFD on a VLAN: the kernel has no device for it, so the lane carries the
// datagrams. Both directions go through a bounded queue: neither the lane nor
// the paths ever wait for the other.

const taggedQueue = 256 // datagrams each way; what finds it full is lost

// taggedQueues are made when an interface with a VLAN has paths.
type taggedQueues struct {
	out chan peer.Sending
	in  chan peer.Datagram
}

func newTaggedQueues() taggedQueues {
	return taggedQueues{out: make(chan peer.Sending, taggedQueue), in: make(chan peer.Datagram, taggedQueue)}
}

// sendTagged queues a datagram for the lane; mu is held.
func (w *Watcher) sendTagged(s *peer.Sending) {
	o := *s
	o.Data = append([]byte(nil), s.Data...)
	select {
	case w.queues.out <- o:
	default:
	}
}

// Heard takes BFD out of what arrives on a VLAN for the box. It is on the
// lane's goroutine and copies what it keeps.
func (w *Watcher) Heard(p *packet.Packet) {
	scratch := p.T.DstPort >= scratchFirst && p.T.DstPort < scratchFirst+scratchPorts
	if p.Kind != packet.KindUDP || p.T.DstPort != Port && !scratch || p.GSO != packet.GSONone || !p.VerifyL4() {
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

// ServeTagged moves datagrams between queues, lane and paths until ctx ends. What
// send gets is its own.
func (w *Watcher) ServeTagged(ctx context.Context, send func(*peer.Sending)) {
	for {
		select {
		case <-ctx.Done():
			return
		case o := <-w.queues.out:
			send(&o)
		case d := <-w.queues.in:
			if d.To.Port() == Port || w.toScratch(&d) {
				w.receive(&d)
			}
		}
	}
}

// toScratch says whether a datagram is for a port of the questions, and for which.
func (w *Watcher) toScratch(d *peer.Datagram) (ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d.Scratch, ok = w.scratch.find(d.If, d.To.Port())
	return ok
}
