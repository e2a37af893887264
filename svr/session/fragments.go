package session

import (
	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/wire"
)

type pathID = policy.PathID

const noPath = policy.NoPath

// reassemble joins IP fragments from hosts and underlay before anything else
// looks at them: only the first one has ports.
func (e *Engine) reassemble(p *packet.Packet) {
	b, largest, err := e.host.Join(e.now, p, e.largeBuffer)
	if err != nil {
		e.stats.Add(DropFragment, 1)
	}
	if b == nil {
		return
	}
	e.stats.Add(HostJoined, 1)
	b.If = p.If
	e.largest = uint16(min(largest, 65535))
	e.receiveJoined(b)
	e.largest = 0
}

// largeBuffer has room for the largest packet there is; nil when all are in use.
func (e *Engine) largeBuffer() *packet.Packet { return e.out.Buffer(true) }

// receiveJoined takes a whole packet that came in fragments.
func (e *Engine) receiveJoined(p *packet.Packet) {
	switch p.Kind {
	case packet.KindTCP, packet.KindUDP, packet.KindEcho:
		e.receiveFlow(p)
	case packet.KindICMPError:
		e.icmpError(p)
	default:
		e.stats.Add(DropProtocol, 1)
	}
}

// pieceKey names a packet in fabric fragments: the peer's tuple and its
// extended id.
type pieceKey struct {
	key pool.Key
	id  uint32
}

// fabricSend cuts the L4 payload of p, metadata and data without a digest,
// into fabric fragments (docs/wire.md 11).
func (e *Engine) fabricSend(p *packet.Packet, o *outgoing) {
	if p.T != o.a.To && !p.Readdress(o.a.To) {
		e.stats.Add(DropNoRoom, 1)
		return
	}
	send := e.paths[o.g.path].send
	head := p.Data - p.Off
	piece := (o.mtu - head - wire.HeaderSize - fabricTLVs - send.DigestSize()) &^ 7
	if piece < 8 {
		e.stats.Add(DropTooBig, 1)
		return
	}
	p.DecTTL()
	e.fragID++
	f := wire.Fragment{ID: e.fragID, OrigID: p.IPID(), DF: p.DF() && !p.V6(), Largest: e.largest}
	data := p.Payload()
	for at := 0; at < len(data); at += piece {
		f.Offset, f.MF = at, at+piece < len(data)
		if !e.fabricSendPiece(p, o, f, data[at:min(at+piece, len(data))]) {
			return
		}
	}
	e.table.Count(o.r.slot[o.d], 1, uint64(p.Len()), e.now)
	e.stats.Add(Forwarded, 1)
}

// fabricTLVs is the size of TLV 16 and TLV 1 with their heads.
const fabricTLVs = 4 + 4 + 4 + 10

// fabricSendPiece sends one piece behind a copy of p's headers.
func (e *Engine) fabricSendPiece(p *packet.Packet, o *outgoing, f wire.Fragment, data []byte) bool {
	b := e.out.Buffer(false)
	if b == nil {
		e.stats.Add(DropBuffer, 1)
		return false
	}
	head := p.Data - p.Off
	n := head + wire.HeaderSize + fabricTLVs + len(data)
	if len(b.Buf)-b.Off < n {
		e.stats.Add(DropNoRoom, 1)
		return false
	}
	at := b.Off
	copy(b.Buf[at:], p.Buf[p.Off:p.Data])
	view := *p
	view.Buf, view.Off, view.End = b.Buf, at, at+n
	view.L4, view.Data = at+(p.L4-p.Off), at+head
	view.Csum, view.GSO, view.GSOSize = packet.CsumPartial, packet.GSONone, 0
	m := &e.meta
	m.head = wire.Header{}
	m.head.SetSecurityID(keyIndex)
	m.head.SetFragment(f)
	h := wire.AppendHeader(view.Buf[view.Data:view.Data], &m.head)
	copy(view.Buf[view.Data+len(h):], data)
	if !e.appendDigest(&view, e.paths[o.g.path].send) {
		return false
	}
	view.Finish()
	*b = view
	e.out.Send(b, o.g.ifc, o.a.Hop)
	e.stats.Add(FabricFragmentsSent, 1)
	return true
}

// fabricPiece joins a verified fabric fragment to the others of its packet and
// takes the whole when it is complete. A piece inside a joined packet is no
// peer's doing.
func (e *Engine) fabricPiece(p *packet.Packet, m *receivedMeta, nested bool) {
	e.stats.Add(FabricFragmentsReceived, 1)
	if nested {
		e.stats.Add(DropFragment, 1)
		return
	}
	f := m.h.Fragment
	k := pieceKey{key: pool.Key{Tuple: p.T, If: p.If}, id: f.ID}
	whole, done, err := e.fabric.Add(e.now, k, f.Offset, f.MF, p.Payload()[m.size:])
	if err != nil {
		e.stats.Add(DropFragment, 1)
		return
	}
	if !done {
		return
	}
	b := e.out.Buffer(true)
	head := p.Data - p.Off
	if b == nil || len(b.Buf)-b.Off < head+len(whole)+joinRoom {
		e.stats.Add(DropBuffer, 1)
		return
	}
	at := b.Off
	copy(b.Buf[at:], p.Buf[p.Off:p.Data])
	copy(b.Buf[at+head:], whole)
	view := *p
	view.Buf, view.Off, view.End = b.Buf, at, at+head+len(whole)
	view.L4, view.Data = at+(p.L4-p.Off), at+head
	if !view.V6() {
		view.SetDF(f.DF)
	}
	view.Finish()
	*b = view
	e.stats.Add(FabricJoined, 1)
	e.largest = f.Largest
	e.joined(b)
	e.largest = 0
}

// joinRoom is tailroom that a joined packet keeps.
const joinRoom = 64

// joined takes a packet put together from fabric fragments.
func (e *Engine) joined(p *packet.Packet) {
	b := p.Payload()
	if s, ok := e.table.Lookup(&pool.Key{Tuple: p.T, If: p.If}); ok {
		owner := e.table.Owner(s)
		if i, d := owner>>1, int(owner&1); e.recs[i].leg[d].kind() == kindSVR {
			e.decode(p, i, d, true)
		}
		return
	}
	if wire.HasCookie(b) && !wire.FalsePositive(b) {
		e.arriveJoined(p, true)
		return
	}
	e.stranger(p)
}
