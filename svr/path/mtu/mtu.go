// Package mtu finds the largest IP packet that passes a path (RFC 8899, with
// probes that the peer answers at once). It is pure: times, answers and hints
// go in, sizes to probe come out. Sizes are bytes of IP packet, times are
// nanoseconds of any clock that never runs back.
package mtu

import "math/bits"

// Base is what every path of ours must take; one that does not is dead.
const Base = 1280

// small is what BFD itself sends, about: where not even that has an answer the
// size is not what is wrong.
const small = 100

// Tries is how often a size may stay without an answer before it counts as too
// big, and baseTries how often Base may before the path counts as dead: a
// lossy path is no dead one. Where larger sizes are tried beside it, so many
// silences in all are as good. A round in which not even a small probe had an
// answer does not count, and with voidsMost of them the search is given up.
const (
	Tries     = 3
	baseTries = 6
	silences  = 12
	voidsMost = 4
)

const (
	second = int64(1e9)
	never  = int64(1<<63 - 1)

	// retry is when a path that takes less than its device is tried again
	// although no tests are configured.
	retry = 600 * second
	// reviveFirst and reviveMost bound the time between looks at a dead path.
	reviveFirst = second
	reviveMost  = 60 * second
	// calmFirst and calmMost bound for how long doubts are ignored after a test
	// that found nothing; it doubles each time.
	calmFirst = 10 * second
	calmMost  = 600 * second
	// hintEvery is the least time between tests that ICMP brings about: nobody
	// vouches for it.
	hintEvery = second
	// perByte is what a byte of a burst may take to leave: 2 Mbit/s.
	perByte = int64(4000)
)

// Config says how a path is tested.
type Config struct {
	// Interval is the time between tests, 0: none, neither at the start; what
	// traffic shows to vanish is looked at all the same.
	Interval int64
	// Thrifty skips a test when nothing was sent since the one before.
	Thrifty bool
}

// steps are the sizes that a search begins with: those of devices, tunnels and
// access lines.
var steps = [...]int{Base, 1320, 1360, 1400, 1420, 1440, 1460, 1472, 1480, 1492, 1500, 2000, 4000, 8000, 9000}

// kind of what goes on.
type kind uint8

const (
	idle    kind = iota
	confirm      // does the device's size pass, or what passed before?
	search       // what passes?
	hole         // search, with data that vanishes: every moment counts
	revive       // does a dead path take Base again?
)

// size is one that is being tried.
type size struct {
	bytes    int
	tries    int
	answered bool
}

// Machine is the search of one path.
type Machine struct {
	cfg   Config
	most  int // what the device takes, 0: not known yet
	value int // what passes, 0: not tested
	dead  bool

	kind    kind
	list    [len(steps) + 4]size
	count   int
	queue   uint32 // bit n: list[n] is to be sent now
	low     int    // largest size that was answered in this test
	high    int    // smallest that was not
	voids   int    // rounds of this test in which nothing was answered
	hint    int    // size that somebody named, 0: none; if it passes, the search ends there
	at      int64  // when the next tries are due, or the next test
	busy    bool   // something was sent since the last test
	calm    int64  // no doubts until then
	calmFor int64
	hintAt  int64 // last test that ICMP brought about
	revives int64 // time to the next look at a dead path
	tests   uint32
	burst   int64 // bytes sent at once: they need time to leave
}

// New makes the machine of a path that is not up yet.
func New(cfg Config) *Machine { return &Machine{cfg: cfg, at: never, calmFor: calmFirst} }

// MTU returns what passes, 0 while only the device limits it.
func (m *Machine) MTU() int { return m.value }

// Dead says that packets of Base bytes do not pass.
func (m *Machine) Dead() bool { return m.dead }

// Tests returns how many tests were begun.
func (m *Machine) Tests() uint32 { return m.tests }

// Start begins anew on a path that came up, or whose peer is elsewhere now.
// most is what the device takes.
func (m *Machine) Start(most int, now int64) {
	*m = Machine{cfg: m.cfg, most: most, at: never, calmFor: calmFirst, tests: m.tests, hintAt: m.hintAt}
	if m.cfg.Interval > 0 {
		m.begin(confirm, now)
	}
}

// Again goes on from what was found before on a path that is up again.
func (m *Machine) Again(now int64) {
	if m.ready() && (m.cfg.Interval > 0 || m.value > 0 && m.value < m.most) {
		m.begin(confirm, now)
	}
}

// base is Base, or what the device takes if that is less.
func (m *Machine) base() int { return min(Base, m.most) }

// Busy notes that packets were sent.
func (m *Machine) Busy() { m.busy = true }

// Suspect tells that big packets seem to vanish. It is looked at at once,
// unless such doubts were unfounded a moment ago.
func (m *Machine) Suspect(now int64) {
	if m.ready() && m.kind != hole && now >= m.calm {
		m.begin(hole, now)
	}
}

// TooBig takes the word of an ICMP error that only so many bytes fit. It is
// probed, never believed.
func (m *Machine) TooBig(fits int, now int64) {
	if !m.ready() || fits >= m.current() || m.kind == hole || m.hintAt != 0 && now-m.hintAt < hintEvery {
		return
	}
	m.hintAt = now
	m.begin(hole, now)
	if fits < Base { // whatever else passes, the path is of no use if Base does not
		return
	}
	m.hint, m.count = fits, 0
	m.add(small)
	m.add(m.base())
	m.add(fits)
	m.add(m.current())
	m.sendAll()
}

// ready: the path is up, and not known to be dead.
func (m *Machine) ready() bool { return m.most > 0 && !m.dead }

// current is what is sent on the path now.
func (m *Machine) current() int {
	if m.value > 0 {
		return m.value
	}
	return m.most
}

// Next returns when Due has something to say if nothing else happens.
func (m *Machine) Next(now int64) int64 {
	if m.queue != 0 {
		return now
	}
	return m.at
}

// Due returns the next size to probe, false when nothing is due. patience is
// how long an answer may take.
func (m *Machine) Due(patience, now int64) (bytes int, ok bool) {
	if m.queue == 0 && now >= m.at {
		m.advance(now)
	}
	if m.queue == 0 {
		return 0, false
	}
	i := bits.TrailingZeros32(m.queue)
	m.queue &^= 1 << i
	m.list[i].tries++
	m.burst += int64(m.list[i].bytes)
	m.at = now + patience + m.burst*perByte
	return m.list[i].bytes, true
}

// Answered tells that the peer received a probe of so many bytes.
func (m *Machine) Answered(bytes int, now int64) {
	if m.kind == idle {
		return
	}
	m.low = max(m.low, bytes)
	for i := range m.list[:m.count] {
		if m.list[i].bytes <= m.low {
			m.list[i].answered = true
			m.queue &^= 1 << i
		}
	}
	if !m.waits() {
		m.conclude(now)
	}
}

// waits says whether a size has no answer yet.
func (m *Machine) waits() bool {
	for i := range m.list[:m.count] {
		if !m.list[i].answered {
			return true
		}
	}
	return false
}

// add puts a size into the test, once.
func (m *Machine) add(bytes int) {
	for i := range m.list[:m.count] {
		if m.list[i].bytes == bytes {
			return
		}
	}
	if m.count < len(m.list) {
		m.list[m.count] = size{bytes: bytes}
		m.count++
	}
}

// sendAll makes every size due that has tries left.
func (m *Machine) sendAll() {
	m.queue, m.burst = 0, 0
	for i := range m.list[:m.count] {
		if s := &m.list[i]; !s.answered && s.tries < m.triesOf(s) {
			m.queue |= 1 << i
		}
	}
}
