package session

// recBits are what holds for a session. They stand in records that outlive the
// process, so their values stay.
type recBits uint16

const (
	recUsed      recBits = 1 << iota
	recMore              // no session, but the IPv6 addresses of one (inner.go)
	recSix               // the inner tuple is IPv6
	recAnswered          // packets came from both sides
	recRecovered         // it was forgotten, and made again
	recLent              // the lane in the kernel has it while it may
	recBridge            // two peers, two forms: see bridge.go
	recProtected         // the security of its service protects the payload
	recHeard             // a packet arrived on leg 0, the next bit: on leg 1
	_
	recShort // two bits: see short
)

const shortMask = 3 * recShort

// is tells whether one of the bits is set.
func (r *record) is(b recBits) bool { return r.bits&b != 0 }

// put sets or clears bits.
func (r *record) put(b recBits, on bool) {
	if r.bits &^= b; on {
		r.bits |= b
	}
}

// heard tells whether a packet arrived on leg l.
func (r *record) heard(l int) bool { return r.is(recHeard << l) }

// short tells which directions of the session go the short way.
func (r *record) short() short { return short(r.bits & shortMask / recShort) }

func (r *record) setShort(s short) { r.bits = r.bits&^shortMask | recBits(s)*recShort }

// legBits are kind and role of a leg and what holds for it. Their values stay.
type legBits uint8

const (
	legRole     legBits = 4      // two bits; those below are the kind
	legSignal   legBits = 1 << 4 // packets that leave on this leg carry metadata
	legOwned    legBits = 1 << 5 // the wayport pair is from our pool
	legAnnounce legBits = 1 << 6 // a lost peer asked for names, so reverse metadata carries them
	legMask     legBits = legRole - 1
)

// legOf is a leg of which nothing else holds yet.
func legOf(k kind, r role) legBits { return legBits(k) | legBits(r)*legRole }

func (g *leg) kind() kind      { return kind(g.bits & legMask) }
func (g *leg) role() role      { return role(g.bits / legRole & legMask) }
func (g *leg) signal() bool    { return g.bits&legSignal != 0 }
func (g *leg) owned() bool     { return g.bits&legOwned != 0 }
func (g *leg) announces() bool { return g.bits&legAnnounce != 0 }

// put sets or clears bits.
func (g *leg) put(b legBits, on bool) {
	if g.bits &^= b; on {
		g.bits |= b
	}
}

// countUp counts a metadata packet, as far as anybody asks.
func (g *leg) countUp() { g.count = min(g.count, 254) + 1 }
