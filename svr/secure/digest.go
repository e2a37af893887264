package secure

import (
	"crypto/subtle"
	"encoding/binary"
)

// Verdict is what Verify found.
type Verdict uint8

// The verdicts. Bad is the zero value, so that a forgotten case drops.
const (
	Bad  Verdict = iota // no tick that was tried fits
	Good                // right, and for time-based digests of tick −1, 0 or +1
	Late                // right for another tick within ±LateTicks: the clocks differ, drop and count apart
)

// String returns "bad", "good" or "late".
func (v Verdict) String() string {
	switch v {
	case Good:
		return "good"
	case Late:
		return "late"
	}
	return "bad"
}

const (
	// TickSeconds is the length of a tick of time-based digests.
	TickSeconds = 2
	// LateTicks is how many ticks from now a digest may be to count as Late.
	LateTicks = 15
	// lateEvery is how many failed packets share one search for a late tick.
	lateEvery = 64
)

// lateSearch bounds what a forged packet may cost. A full search tries 28 more
// ticks and runs for one of lateEvery failed packets, the first included; the
// offset it finds is tried at once for every packet behind it. A forged packet
// so costs one pass, at most 6 short finishes (3 while no offset is known; one
// more in a pair) and 28/64 of one more, whatever an attacker sends and whatever
// clocks say.
type lateSearch struct {
	failed uint64
	offset int32 // ticks that a late peer is off, 0 = none known
}

// Tick returns the tick of a UTC time in Unix seconds.
func Tick(unix int64) uint32 { return uint32(unix >> 1) }

var _ [TickSeconds]byte = [1 << 1]byte{}

// AppendDigest appends the digest of msg to dst and returns the result. msg is
// everything behind the L4 header. dst may be msg itself or msg[len(msg):];
// with DigestSize bytes of capacity left the digest lands right behind msg and
// nothing allocates. unix is the sender's own UTC clock in seconds and is used
// in time-based mode only. Without a digest it returns dst.
func (p *Policy) AppendDigest(dst, msg []byte, unix int64) []byte {
	if p.size == 0 {
		return dst
	}
	p.begin(msg)
	return append(dst, p.digest(p.end(Tick(unix)))[:p.size]...)
}

// Verify compares digest with that of msg in constant time. unix is the
// receiver's UTC clock in seconds, corrected by the offset of the peer. A policy
// without a digest finds an empty one Good and any other Bad.
//
// Only Good may pass. Late tells a wrong clock from a wrong key; among many
// forged packets a late one may count as Bad (see LateOffset).
func (p *Policy) Verify(msg, digest []byte, unix int64) Verdict {
	if len(digest) != p.size {
		return Bad
	}
	if p.size == 0 {
		return Good
	}
	p.begin(msg)
	return p.judge(digest, unix)
}

// Pairs tells whether two packets at once take less time than one after the
// other: VerifyPair and SealCBCPair work in any case.
func (p *Policy) Pairs() bool { return p.twin != nil }

// VerifyPair is Verify for two messages with a digest each.
func (p *Policy) VerifyPair(a, digestA, b, digestB []byte, unix int64) (va, vb Verdict) {
	if p.twin == nil || len(digestA) != p.size || len(digestB) != p.size {
		return p.Verify(a, digestA, unix), p.Verify(b, digestB, unix)
	}
	p.twin.beginBoth(a, b)
	p.twin.digests(p.end(Tick(unix)))
	va, vb = p.judgeLane(0, digestA, unix), p.judgeLane(1, digestB, unix)
	p.lane = 0
	return va, vb
}

// judgeLane compares a digest with the one that was made in lane i, and looks for
// another tick when it differs.
func (p *Policy) judgeLane(i int, digest []byte, unix int64) Verdict {
	if subtle.ConstantTimeCompare(p.twin.lane[i].sum[:p.size], digest) == 1 {
		return Good
	}
	if p.cfg.Mode != ModeTimeBased {
		return Bad
	}
	p.lane = i
	return p.verifyTicks(digest, Tick(unix))
}

// judge compares a digest with that of the message that was begun.
func (p *Policy) judge(digest []byte, unix int64) Verdict {
	if p.cfg.Mode == ModeTimeBased {
		return p.verifyTicks(digest, Tick(unix))
	}
	if p.matches(digest, nil) {
		return Good
	}
	return Bad
}

// begin takes a message; digest can then be called for several ends.
func (p *Policy) begin(msg []byte) {
	if p.twin != nil {
		p.twin.begin(msg)
		return
	}
	p.mac.start(msg)
}

// end is what a digest covers behind the message: a tick, or nothing.
func (p *Policy) end(tick uint32) []byte {
	if p.cfg.Mode != ModeTimeBased {
		return nil
	}
	binary.BigEndian.PutUint32(p.tick[:], tick)
	return p.tick[:]
}

// digest returns the full digest of the message with an end.
func (p *Policy) digest(end []byte) []byte {
	if p.twin != nil {
		return p.twin.digest(p.lane, end)
	}
	p.mac.resume()
	p.mac.write(end)
	return p.mac.finish()
}

// LateOffset returns how many ticks of 2 s the last late packets were off
// (positive: the sender's clock is ahead), 0 if none were.
func (p *Policy) LateOffset() int { return int(p.late.offset) }

// verifyTicks tries the ticks around now over a message that was started.
func (p *Policy) verifyTicks(digest []byte, now uint32) Verdict {
	if p.twin == nil {
		p.mac.save()
	}
	for _, off := range [...]int32{0, -1, 1} {
		if p.tryTick(digest, now, off) {
			return Good
		}
	}
	return p.verifyLate(digest, now)
}

// verifyLate tries the offset known from before, and now and then all of them.
func (p *Policy) verifyLate(digest []byte, now uint32) Verdict {
	l := &p.late
	l.failed++
	if l.offset != 0 && p.tryNear(digest, now, l.offset) {
		return Late
	}
	if (l.failed-1)%lateEvery != 0 {
		return Bad
	}
	for off := int32(2); off <= LateTicks; off++ {
		if p.tryLate(digest, now, -off) || p.tryLate(digest, now, off) {
			return Late
		}
	}
	l.offset = 0
	return Bad
}

// tryNear tries a known offset and its neighbours: a skew is seldom a whole
// number of ticks, and drifts.
func (p *Policy) tryNear(digest []byte, now uint32, off int32) bool {
	return p.tryLate(digest, now, off) || p.tryLate(digest, now, off-1) || p.tryLate(digest, now, off+1)
}

// tryLate tries one late tick and remembers it when it fits.
func (p *Policy) tryLate(digest []byte, now uint32, off int32) bool {
	if off > LateTicks || off < -LateTicks || (off >= -1 && off <= 1) {
		return false
	}
	if !p.tryTick(digest, now, off) {
		return false
	}
	p.late.offset = off
	return true
}

func (p *Policy) tryTick(digest []byte, now uint32, off int32) bool {
	return p.matches(digest, p.end(now+uint32(off)))
}

func (p *Policy) matches(digest, end []byte) bool {
	return subtle.ConstantTimeCompare(p.digest(end)[:p.size], digest) == 1
}
