package session

import "waymark/svr/packet"

// pads says whether packets on a path get a higher hop limit (ttl-padding). The
// short way does not know how to.
func (e *Engine) pads(id pathID) bool {
	if id == noPath {
		return false
	}
	p := &e.tables.Paths[id].Adjacency.TTLPadding
	return p.Auto || p.TTL > 0
}

// padTTL raises the hop limit of a packet that leaves on a path: by the number
// that is configured, or by as many routers as BFD's packets met, so that hosts
// count none of them.
func (e *Engine) padTTL(p *packet.Packet, id pathID) {
	if !e.pads(id) {
		return
	}
	c := &e.tables.Paths[id].Adjacency.TTLPadding
	n := int(c.TTL)
	if c.Auto {
		n = e.cfg.Paths.Status(uint16(id)).Hops
	}
	p.SetTTL(uint8(min(int(p.TTL())+n, 255)))
}
