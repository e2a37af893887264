package pool

// Claim takes a reference on the mapping of (src, port) to ext for a session
// that an earlier process made, and makes the mapping when it is not there.
// False when ext is no port of ours or there is no room.
func (n *NAT) Claim(now int64, wanIf uint16, proto uint8, src [16]byte, port, ext uint16) bool {
	n.Advance(now)
	if ext < NATFirst || ext > NATLast {
		return false
	}
	p := n.pool(wanIf, proto)
	if p < 0 {
		return false
	}
	k := endpoint{src: src, port: port, pool: uint16(p)}
	other := func(p uint16) bool { return p != ext }
	if n.reuse(&k, other) != 0 {
		return true
	}
	if n.arena.full() && !n.forget(p) {
		return false
	}
	n.arena.enter(&k, ext)
	n.pools[p].mark(ext)
	n.up()
	return true
}
