package ppp

import "encoding/binary"

// lcpInput takes a packet of LCP.
func (l *Link) lcpInput(c control) {
	if l.lcpA.input(l.now, c) {
		return
	}
	up := l.lcpA.phase == opened
	switch c.code {
	case protocolReject:
		if up && len(c.data) >= 2 {
			l.protocolRejected(Protocol(binary.BigEndian.Uint16(c.data)))
		}
	case echoRequest:
		if up && len(c.data) >= 4 {
			l.echoed(c)
		}
	case echoReply:
		if up && len(c.data) >= 4 {
			l.replied(c)
		}
	case discardRequest, identification, timeRemaining:
	default:
		l.refuse(codeReject, controlBytes(c))
	}
}

// echoed answers an echo with the data that came and our magic number.
func (l *Link) echoed(c control) {
	data := append([]byte(nil), c.data...)
	binary.BigEndian.PutUint32(data, l.lcp.magic)
	l.out.Frames = append(l.out.Frames, frame(ProtoLCP, control{echoReply, c.id, data}))
}

// replied takes the answer to an echo. Our own magic number in it means that we
// hear ourselves.
func (l *Link) replied(c control) {
	if m := binary.BigEndian.Uint32(c.data); m != 0 && m == l.lcp.magic {
		l.finish(Looped, "the line is looped: our own echo answers")
		return
	}
	if c.id == l.echo.id {
		l.echo.reply(l.now, len(c.data)-4)
	}
}

func (l *Link) protocolRejected(p Protocol) {
	switch p {
	case ProtoIPCP:
		l.ipA.refused("peer rejects IPCP")
	case ProtoIPv6CP:
		l.ip6A.refused("peer rejects IPv6CP")
	case ProtoPAP, ProtoCHAP:
		l.auth.end("peer rejects " + p.String())
	case ProtoLCP:
		l.finish(Disagreed, "peer rejects LCP")
	}
}

// lcpEdge hears the link layer.
func (l *Link) lcpEdge(e edge) {
	switch e {
	case layerUp:
		l.established()
	case layerDown:
		l.lowered()
	case layerFinished:
		l.lcpFinished()
	}
}

func (l *Link) established() {
	padding := 0
	if l.cfg.Probe {
		padding = int(min(l.cfg.MRU, l.lcp.peerMRU, l.lcp.mru)) - controlLen - 4
	}
	l.echo.start(l.now, padding)
	if !l.lcp.peerAuth {
		l.network()
		return
	}
	l.set(Authenticate)
	l.auth.start(l.now)
}

// network begins the network protocols.
func (l *Link) network() {
	l.set(Networking)
	l.ipA.open(l.now)
	l.ipA.lowerUp(l.now)
	if l.cfg.IPv6 {
		l.ip6A.open(l.now)
		l.ip6A.lowerUp(l.now)
	}
}

// lowered: LCP left the state opened. A peer that begins anew has forgotten who
// we are: so do we, instead of negotiating on a link of which the kernel has old
// parameters.
func (l *Link) lowered() {
	switch {
	case l.phase == Terminate: // by us
		l.echo.stop()
		l.auth.stop()
	case l.lcpA.phase == stopping:
		l.finish(Hungup, withReason("the other end ended the link", l.lcpA.reason))
	default:
		l.finish(Hungup, "the other end negotiates anew")
	}
}

func withReason(what, reason string) string {
	if reason == "" {
		return what
	}
	return what + ": " + reason
}

func (l *Link) lcpFinished() {
	switch {
	case l.phase == Terminate:
		l.finish(Closed, "")
	case l.lcp.loops > 0:
		l.finish(Looped, "the line is looped: our own packets come back")
	case l.lcp.insists:
		l.finish(Unknown, "the other end wants another authentication than "+l.cfg.Auth.String())
	default:
		l.finish(Disagreed, withReason("no agreement about the link", l.lcpA.reason))
	}
}

// ipEdge hears IPCP.
func (l *Link) ipEdge(e edge) {
	l.out.Changed = true
	switch e {
	case layerUp:
		if !host(l.ipcp.own) {
			l.ipA.refused("no address")
		}
	case layerFinished:
		l.networkFinished()
	}
}

// ip6Edge hears IPv6CP.
func (l *Link) ip6Edge(e edge) {
	l.out.Changed = true
	if e == layerFinished {
		l.networkFinished()
	}
}

// networkFinished: a link without any network protocol is of no use.
func (l *Link) networkFinished() {
	idle := func(a *automaton) bool { return a.phase < reqSent }
	if l.phase != Networking || !idle(&l.ipA) || l.cfg.IPv6 && !idle(&l.ip6A) {
		return
	}
	l.finish(NoNetwork, withReason("the other end gives no address", l.ipA.reason))
}
