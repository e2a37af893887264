package dhcp4

import "time"

const (
	// firstPause bounds the pause before the first message. RFC 2131 4.4.1 has
	// 1 to 10 s, against herds after a power cut; users wait, and boots spread
	// a herd by themselves.
	firstPause = 500 * time.Millisecond

	backOffFirst = 4 * time.Second
	backOffMost  = 64 * time.Second
	backOffBlur  = time.Second // either way

	requestTries = 4 // 60 s (RFC 2131 3.1)
	rebootTries  = 2 // 12 s, then the lease is used unconfirmed
	unanswered   = 3 // DISCOVERs before somebody is told

	askAgain = time.Minute // least pause between renewals (RFC 2131 4.4.5)

	nakFirst = time.Second
	nakMost  = time.Minute

	declinePause  = 10 * time.Second // least pause behind a DECLINE (RFC 2131 3.1)
	declineMost   = time.Minute      // pause when address after address is taken
	declineStreak = 10               // RFC 5227 MAX_CONFLICTS
)

// backOff counts a message and returns the pause behind it: 4, 8, … 64 s, each
// blurred by 1 s.
func (m *Machine) backOff() time.Duration {
	d := backOffMost
	if m.tries < 4 {
		d = backOffFirst << m.tries
	}
	m.tries++
	return d - backOffBlur + m.cfg.Random(2*backOffBlur)
}

// nakPause grows while servers offer and refuse by turns.
func (m *Machine) nakPause() time.Duration {
	d := nakMost
	if m.naks < 6 {
		d = nakFirst << m.naks
	}
	m.naks++
	if m.naks == 1 {
		return m.cfg.Random(firstPause)
	}
	return d
}

// over is when so many seconds of a lease are over; infinite ones never are.
func (m *Machine) over(start time.Duration, s uint32) time.Duration {
	if s == Infinite || start == Never {
		return Never
	}
	return start + term(s)
}
