package mtu

// rise is what a path must take more, in bytes, for a test to notice.
const rise = 8

// begin starts a test.
func (m *Machine) begin(k kind, now int64) {
	m.kind, m.count, m.low, m.high, m.hint, m.busy, m.voids = k, 0, 0, m.most+1, 0, false, 0
	m.tests++
	m.at = now
	switch k {
	case confirm:
		m.add(m.most)
		if m.value > 0 && m.value < m.most {
			m.add(m.value)
			m.add(min(m.value+rise, m.most))
		}
	case hole:
		m.high = m.current() + 1
		if m.cfg.Thrifty {
			m.add(small)
			m.add(m.base())
		} else {
			m.ladder(0, m.high)
		}
		m.add(m.current())
	case revive:
		m.add(m.base())
	}
	m.sendAll()
}

// ladder puts sizes between low and high, both apart, into the test: the usual
// ones where many are between, otherwise some at the same distance.
func (m *Machine) ladder(low, high int) {
	m.count = 0
	if low < m.base() {
		m.add(small)
		m.add(m.base())
	}
	if high-low > 60 {
		for _, s := range steps {
			if s > low && s < high {
				m.add(s)
			}
		}
	}
	if m.count > 0 {
		return
	}
	const parts = 8
	for i := 1; i < parts; i++ {
		if s := low + (high-low)*i/parts; s > low && s < high {
			m.add(s)
		}
	}
}

// advance does what the clock makes due: the next tries, or the next test.
func (m *Machine) advance(now int64) {
	switch {
	case m.dead && m.kind == idle:
		m.begin(revive, now)
	case m.kind == idle && m.cfg.Thrifty && !m.busy:
		m.schedule(now)
	case m.kind == idle:
		m.begin(confirm, now)
	default:
		m.round(now)
	}
}

// round ends one in which not everything was answered.
func (m *Machine) round(now int64) {
	i, small := m.witness()
	if small && !m.list[i].answered {
		m.voids++
		m.forgive()
	}
	if m.exhausted() || m.voids >= voidsMost {
		m.conclude(now)
		return
	}
	if small {
		m.list[i].answered, m.list[i].tries = false, 0
	}
	m.provisional()
	m.sendAll()
}

// witness returns which size of the test shows that anything passes, as long as
// Base had no answer.
func (m *Machine) witness() (i int, ok bool) {
	if m.kind == revive || m.low >= m.base() {
		return 0, false
	}
	for i := range m.list[:m.count] {
		if m.list[i].bytes < m.base() {
			return i, true
		}
	}
	return 0, false
}

// forgive takes back the tries of a round that shows nothing.
func (m *Machine) forgive() {
	for i := range m.list[:m.count] {
		if s := &m.list[i]; !s.answered && s.tries > 0 {
			s.tries--
		}
	}
}

// exhausted says whether every size had its tries.
func (m *Machine) exhausted() bool {
	for i := range m.list[:m.count] {
		if s := &m.list[i]; !s.answered && s.tries < m.triesOf(s) {
			return false
		}
	}
	return true
}

// triesOf is how often a size is tried: Base more often while nothing larger
// passes either.
func (m *Machine) triesOf(s *size) int {
	if s.bytes <= m.base() && m.low < m.base() && m.kind != revive && m.silent() < silences {
		return baseTries
	}
	return Tries
}

// silent is how many probes of Base bytes or more had no answer.
func (m *Machine) silent() (n int) {
	for i := range m.list[:m.count] {
		if s := &m.list[i]; s.bytes >= m.base() && !s.answered {
			n += s.tries
		}
	}
	return n
}

// provisional: data vanishes and its size had no answer, but a smaller one had.
// Better a small MTU for a moment than none of the data.
func (m *Machine) provisional() {
	if m.kind == hole && m.low >= m.base() && m.low < m.current() {
		m.value = m.low
	}
}

// conclude ends a round of tries.
func (m *Machine) conclude(now int64) {
	for i := range m.list[:m.count] {
		if s := &m.list[i]; !s.answered && s.bytes > m.low {
			m.high = min(m.high, s.bytes)
		}
	}
	m.queue = 0
	switch m.kind {
	case confirm:
		m.confirmed(now)
	case revive:
		m.revived(now)
	default:
		m.searched(now)
	}
}

func (m *Machine) confirmed(now int64) {
	switch {
	case m.low >= m.most:
		m.settle(m.most, now)
	case m.low > m.value && m.value > 0: // more than before passes
		m.narrow(now)
	case m.low == m.value && m.value > 0:
		m.settle(m.value, now)
	default: // not even what passed before
		m.between(m.high, now)
	}
}

// searched goes on between what passed and what did not.
func (m *Machine) searched(now int64) {
	switch {
	case m.low == 0 || m.voids >= voidsMost: // nobody answers anything: that is for BFD to judge
		m.kind, m.at = idle, now+calmFirst
	case m.low < m.base():
		m.die(now)
	case m.high-m.low <= 1 || m.low == m.hint || m.low >= m.most:
		m.settle(m.low, now)
	default:
		m.provisional()
		m.narrow(now)
	}
}

// narrow begins the next round of a search.
func (m *Machine) narrow(now int64) {
	if m.kind == confirm {
		m.kind = search
	}
	m.ladder(m.low, m.high)
	m.at = now
	m.sendAll()
}

// settle ends a test with its result.
func (m *Machine) settle(value int, now int64) {
	switch {
	case value != m.current():
		m.calmFor = calmFirst
	case m.kind == hole: // the doubts were unfounded
		m.calm = now + m.calmFor
		m.calmFor = min(2*m.calmFor, calmMost)
	}
	m.kind, m.value, m.dead, m.revives = idle, value, false, 0
	m.schedule(now)
}

// schedule sets the time of the next test.
func (m *Machine) schedule(now int64) {
	switch {
	case m.cfg.Interval > 0:
		m.at = now + m.cfg.Interval
	case m.value > 0 && m.value < m.most:
		m.at = now + retry
	default:
		m.at = never
	}
}

// die: small packets pass, and Base does not.
func (m *Machine) die(now int64) {
	m.kind, m.dead, m.value = idle, true, m.base()
	m.revives = min(max(2*m.revives, reviveFirst), reviveMost)
	m.at = now + m.revives
}

func (m *Machine) revived(now int64) {
	if m.low == 0 {
		m.die(now)
		return
	}
	m.dead, m.revives, m.value = false, 0, m.base()
	m.between(m.most+1, now)
}

// between searches all that is below high.
func (m *Machine) between(high int, now int64) {
	m.begin(search, now)
	m.high = high
	m.ladder(0, high)
	if high > m.most {
		m.add(m.most)
	}
	m.sendAll()
}
