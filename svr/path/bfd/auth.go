package bfd

import (
	"crypto/sha1"
	"crypto/subtle"

	"waymark/svr/wire"
)

// Auth is the authentication section of RFC 5880 6.7.4 for a neighbour that has
// nothing better. The zero value is none.
type Auth struct {
	Type  uint8    // wire.BFDAuthNone, BFDAuthKeyedSHA1 or BFDAuthMeticulousSHA1
	KeyID uint8    // of the key
	Key   [20]byte // padded with zeros
}

// NewAuth makes an Auth of a password; more than 20 bytes are cut.
func NewAuth(kind, id uint8, password []byte) Auth {
	a := Auth{Type: kind, KeyID: id}
	copy(a.Key[:], password)
	return a
}

// authState is what authentication remembers.
type authState struct {
	use  Auth
	next Auth // the one that the peer will use, once changing
	// changing: next is accepted too; told: we send it already.
	changing, told bool
	sendSeq        uint32
	lastSent       wire.BFD // of keyed SHA1: the sequence rises when content changes
	seq            uint32   // newest received
	known          bool     // seq means something, until
	until          int64    // twice the detection time behind it (RFC 5880 6.8.1)
}

func (a *authState) start(use Auth, seq uint32) { a.use, a.sendSeq = use, seq }

// SetAuth changes the authentication without a flap: the old one is accepted
// until the peer uses the new one. delayed: we go on with the old one till then.
func (m *Machine) SetAuth(next Auth, delayed bool, now int64) {
	a := &m.auth
	a.next, a.changing, a.told = next, true, !delayed
	if a.told {
		m.urge(now)
		m.sent.urgent = 1
	}
}

// Receive works in a datagram of a neighbour without our metadata: all checks
// of RFC 5880 6.8.6, authentication included, then Accept. Bytes behind the
// packet are not ours.
func (m *Machine) Receive(b []byte, now int64) Drop {
	var p wire.BFD
	n, err := wire.ParseBFD(b, &p)
	if err != nil {
		return DropMalformed
	}
	if d := m.Check(&p); d != DropNone {
		return d
	}
	changed, d := m.authentic(b[:n], &p, now)
	if d != DropNone {
		return d
	}
	m.expire(now)
	m.auth.took(&p, changed, now, m)
	return m.Accept(&p, now)
}

// authentic verifies p by the authentication in use, or by the one that is
// about to be.
func (m *Machine) authentic(b []byte, p *wire.BFD, now int64) (changed bool, d Drop) {
	if d = m.auth.verify(&m.auth.use, b, p, m.auth.known && now < m.auth.until); d == DropNone || !m.auth.changing {
		return false, d
	}
	return true, m.auth.verify(&m.auth.next, b, p, false)
}

// verify checks type, key, sequence and digest. sequence: the number must follow
// the last one.
func (a *authState) verify(by *Auth, b []byte, p *wire.BFD, sequence bool) Drop {
	if p.AuthType != by.Type {
		return DropAuthType
	}
	if by.Type == wire.BFDAuthNone {
		return DropNone
	}
	if p.AuthKeyID != by.KeyID {
		return DropAuthKey
	}
	if sequence && !inWindow(p.AuthSeq, a.seq, p.Multiplier, by.Type) {
		return DropAuthSequence
	}
	if sum := digest(b, by); subtle.ConstantTimeCompare(sum[:], p.AuthDigest[:]) != 1 {
		return DropAuthDigest
	}
	return DropNone
}

// inWindow: seq is at most three times the multiplier ahead, circular; a
// meticulous one must have risen (RFC 5880 6.7.4).
func inWindow(seq, last uint32, multiplier, kind uint8) bool {
	ahead := seq - last
	if kind == wire.BFDAuthMeticulousSHA1 && ahead == 0 {
		return false
	}
	return ahead <= 3*uint32(multiplier)
}

// took notes the sequence number of an authentic packet.
func (a *authState) took(p *wire.BFD, changed bool, now int64, m *Machine) {
	if changed {
		a.use, a.changing, a.told = a.next, false, false
	}
	if p.AuthType == wire.BFDAuthNone {
		a.known = false
		return
	}
	a.seq, a.known, a.until = p.AuthSeq, true, now+2*m.silence(p)
}

// silence is the detection time that packet p will set.
func (m *Machine) silence(p *wire.BFD) int64 {
	return int64(p.Multiplier) * int64(max(m.rx, p.MinTx)) * µs
}

// digest is SHA1 over the packet with the key in the place of the digest.
func digest(b []byte, by *Auth) [20]byte {
	var buf [wire.BFDSize + wire.BFDAuthSize]byte
	copy(buf[:], b)
	copy(buf[wire.BFDSize+8:], by.Key[:])
	return sha1.Sum(buf[:])
}

// Append appends packet p of Due as it goes to a neighbour without our
// metadata, authenticated.
func (m *Machine) Append(dst []byte, p *wire.BFD) []byte {
	by := &m.auth.use
	if m.auth.told {
		by = &m.auth.next
	}
	if by.Type == wire.BFDAuthNone {
		return wire.AppendBFD(dst, p)
	}
	if by.Type == wire.BFDAuthMeticulousSHA1 || *p != m.auth.lastSent {
		m.auth.lastSent = *p
		m.auth.sendSeq++
	}
	p.AuthType, p.AuthKeyID, p.AuthSeq = by.Type, by.KeyID, m.auth.sendSeq
	at := len(dst)
	dst = wire.AppendBFD(dst, p)
	sum := digest(dst[at:], by)
	copy(dst[at+wire.BFDSize+8:], sum[:])
	return dst
}
