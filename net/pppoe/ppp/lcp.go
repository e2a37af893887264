package ppp

import (
	"encoding/binary"
	"slices"
)

// Options of LCP (RFC 1661 section 6).
const (
	optMRU   = 1
	optAuth  = 3
	optMagic = 5
)

// Auth says how we prove who we are.
type Auth uint8

// Ways to authenticate.
const (
	CHAP Auth = iota // CHAP with MD5
	PAP
)

// String names the way.
func (a Auth) String() string {
	if a == PAP {
		return "PAP"
	}
	return "CHAP"
}

// value is the Authentication-Protocol option's.
func (a Auth) value() []byte {
	if a == PAP {
		return binary.BigEndian.AppendUint16(nil, uint16(ProtoPAP))
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(ProtoCHAP)), 5)
}

const (
	// leastMRU is what IPv4 needs to be of use; a peer that takes less is asked
	// to take more.
	leastMRU = 576
	// maxLoops is how often our own request may come back before the line is
	// looped.
	maxLoops = 3
)

// lcp are the rules of LCP.
type lcp struct {
	auth     Auth
	newMagic func() uint32

	mru      uint16 // we can receive
	askMRU   bool
	magic    uint32 // 0: the peer wants none
	loops    int
	peerMRU  uint16
	peerAuth bool // the peer wants to know who we are
	insists  bool // the peer wants another way of authentication
	peerMag  uint32
}

func newLCP(mru uint16, auth Auth, magic func() uint32) *lcp {
	return &lcp{auth: auth, newMagic: magic, mru: mru, askMRU: true, magic: nonZero(magic)}
}

func nonZero(f func() uint32) uint32 {
	for range 8 {
		if v := f(); v != 0 {
			return v
		}
	}
	return 1
}

func (l *lcp) request() []byte {
	var b []byte
	if l.askMRU {
		b = appendOption(b, optMRU, binary.BigEndian.AppendUint16(nil, l.mru)...)
	}
	if l.magic != 0 {
		b = appendOption(b, optMagic, binary.BigEndian.AppendUint32(nil, l.magic)...)
	}
	return b
}

func (l *lcp) judge(o option) (code, []byte) {
	switch {
	case o.kind == optMRU && len(o.value) == 2:
		if binary.BigEndian.Uint16(o.value) < leastMRU {
			return configNak, binary.BigEndian.AppendUint16(nil, l.mru)
		}
		return configAck, nil
	case o.kind == optAuth && len(o.value) >= 2:
		if slices.Equal(o.value, l.auth.value()) {
			return configAck, nil
		}
		l.insists = true
		return configNak, l.auth.value()
	case o.kind == optMagic && len(o.value) == 4:
		if m := binary.BigEndian.Uint32(o.value); m == 0 || m == l.magic {
			l.loops++
			return configNak, binary.BigEndian.AppendUint32(nil, nonZero(l.newMagic))
		}
		return configAck, nil
	}
	return configReject, nil
}

func (l *lcp) missing([]option) []option { return nil }

func (l *lcp) agreed(list []option) {
	l.peerMRU, l.peerAuth, l.peerMag, l.loops, l.insists = 1500, false, 0, 0, false
	for _, o := range list {
		switch o.kind {
		case optMRU:
			l.peerMRU = binary.BigEndian.Uint16(o.value)
		case optAuth:
			l.peerAuth = true
		case optMagic:
			l.peerMag = binary.BigEndian.Uint32(o.value)
		}
	}
}

func (l *lcp) naked(o option) {
	switch {
	case o.kind == optMRU && len(o.value) == 2:
		if n := binary.BigEndian.Uint16(o.value); n >= leastMRU && n < l.mru {
			l.mru = n
		}
	case o.kind == optMagic && len(o.value) == 4:
		l.magic = nonZero(l.newMagic)
	}
}

func (l *lcp) rejected(o option) {
	switch o.kind {
	case optMRU:
		l.askMRU = false
	case optMagic:
		l.magic = 0
	}
}
