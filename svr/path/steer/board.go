// Package steer judges the quality of peer paths for those who choose between
// them: which paths keep the limits of a service-policy, and which one is the
// better. Its answers change slowly on purpose: a path that leaves the limits
// has to do so for a while, and to stay inside for longer, ever longer the more
// often it left, before it counts as good again. It is pure and one owner feeds
// it; answers may be read from any goroutine and allocate nothing.
package steer

import (
	"sync/atomic"
	"time"

	"waymark/svr/path"
)

// Limits are what a service-policy asks of a path. A limit of 0
// is none, but for MaxLoss, where it is one: no loss at all.
type Limits struct {
	MaxLoss    float64 // percent
	MaxLatency time.Duration
	MaxJitter  time.Duration
	MinMOS     float64
}

// Quality is what is known of a path now. What was never measured, such as the
// loss of a path without link tests, is 0. Known false: nothing is.
type Quality struct {
	Known   bool
	Latency time.Duration // round trip
	Jitter  time.Duration
	Loss    float64 // percent
}

// MOS of a path with this quality.
func (q Quality) MOS() float64 { return path.MOS(q.Latency, q.Jitter, q.Loss) }

// within says whether q keeps the limits, each made stricter by a share: 0 for
// as it is, 0.1 for a tenth.
func (l *Limits) within(q Quality, share float64) bool {
	part := 1 - share
	switch {
	case !q.Known:
		return true
	case q.Loss > l.MaxLoss*part:
		return false
	case l.MaxLatency > 0 && float64(q.Latency) > float64(l.MaxLatency)*part:
		return false
	case l.MaxJitter > 0 && float64(q.Jitter) > float64(l.MaxJitter)*part:
		return false
	}
	return l.MinMOS == 0 || q.MOS() >= min(l.MinMOS*(1+share/5), 4.5)
}

// Times of the hysteresis, in ns.
const (
	second = int64(1e9)

	// leaveAfter is how long a path must be beyond a limit to count as poor.
	leaveAfter = 2 * second
	// returnFirst is how long it must keep every limit by a tenth to count as
	// good again. It doubles with each time that it leaves soon after, up to
	// returnMost.
	returnFirst = 10 * second
	returnMost  = 3600 * second
	// steady is after how many such times of quiet a path begins anew.
	steady = 10
	// strict is the share by which limits must be kept to come back.
	strict = 0.1
	// rounds in a row that a measurement must differ to become the one that
	// paths are compared by.
	rounds = 3
)

// standing is how a path stands with the limits of one policy.
type standing struct {
	poor   atomic.Bool
	since  int64 // the contrary is seen since then, 0: it is not
	change int64 // of poor
	wait   int64 // before it is good again
}

// merit is what paths are compared by.
type merit struct {
	latency atomic.Int64 // ns, 0: not known
	mos     atomic.Int64 // hundredths, 0: not known
	apart   int          // rounds in a row that the measurement was another
}

// Board holds the standings of all paths.
type Board struct {
	limits []Limits
	stand  []standing // by path, then by policy
	merits []merit
}

// NewBoard makes a board for so many paths; every path is good until it is
// shown not to be. The limits are numbered as they come.
func NewBoard(limits []Limits, paths int) *Board {
	b := &Board{limits: limits, stand: make([]standing, len(limits)*paths), merits: make([]merit, paths)}
	for i := range b.stand {
		b.stand[i].wait = returnFirst
	}
	return b
}

// Poor says whether a path is beyond limits k. Numbers that the board does not
// know are of paths that are good.
func (b *Board) Poor(id uint16, k int) bool {
	if b == nil || k < 0 || k >= len(b.limits) || int(id) >= len(b.merits) {
		return false
	}
	return b.stand[int(id)*len(b.limits)+k].poor.Load()
}

// Latency is the round trip that a path is compared by, 0 if it is not known.
func (b *Board) Latency(id uint16) time.Duration {
	if b == nil || int(id) >= len(b.merits) {
		return 0
	}
	return time.Duration(b.merits[id].latency.Load())
}

// MOS is the score that a path is compared by in hundredths, 0 if it is not
// known.
func (b *Board) MOS(id uint16) int {
	if b == nil || int(id) >= len(b.merits) {
		return 0
	}
	return int(b.merits[id].mos.Load())
}

// Observe tells the quality of a path at a time, about once a second. It answers
// whether an answer of the board is another now.
func (b *Board) Observe(id uint16, q Quality, now int64) (changed bool) {
	if int(id) >= len(b.merits) {
		return false
	}
	for k := range b.limits {
		if b.stand[int(id)*len(b.limits)+k].observe(&b.limits[k], q, now) {
			changed = true
		}
	}
	return b.merits[id].observe(q) || changed
}

// Gone forgets the measurements of a path that is down: when it is up again, it
// is compared by new ones. Its standings stay.
func (b *Board) Gone(id uint16) {
	if int(id) < len(b.merits) {
		m := &b.merits[id]
		m.latency.Store(0)
		m.mos.Store(0)
		m.apart = 0
	}
}

func (s *standing) observe(l *Limits, q Quality, now int64) bool {
	poor := s.poor.Load()
	contrary := !l.within(q, 0)
	need := leaveAfter
	if poor {
		contrary, need = l.within(q, strict), s.wait
	}
	switch {
	case !contrary:
		s.since = 0
		return false
	case s.since == 0:
		s.since = now
	}
	if now-s.since < need {
		return false
	}
	if !poor {
		s.price(now)
	}
	s.poor.Store(!poor)
	s.since, s.change = 0, now
	return true
}

// price is how long a path that leaves now has to be good before it counts so.
func (s *standing) price(now int64) {
	switch {
	case s.change == 0 || now-s.change > steady*s.wait:
		s.wait = returnFirst
	default:
		s.wait = min(2*s.wait, returnMost)
	}
}

// observe lets a measurement count when it differed for some rounds by 10 ms and
// 15 %, or by a tenth of a MOS.
func (m *merit) observe(q Quality) bool {
	if !q.Known {
		return false
	}
	latency, mos := int64(q.Latency), int64(q.MOS()*100)
	was, score := m.latency.Load(), m.mos.Load()
	if was != 0 && abs(latency-was) <= max(10e6, was*15/100) && abs(mos-score) < 10 {
		m.apart = 0
		return false
	}
	if m.apart++; was != 0 && m.apart < rounds {
		return false
	}
	m.apart = 0
	m.latency.Store(max(latency, 1))
	m.mos.Store(mos)
	return true
}

func abs(n int64) int64 { return max(n, -n) }
