package peer

// Link tests: a burst of polls that the peer answers at once. They are packets
// of their own beside the machine's, as any user's packets on the path.

// TestConfig says how a path is measured.
type TestConfig struct {
	Length   int   // packets of a test, 0: none
	Interval int64 // between tests, ns; on demand: the least time between two
	// OnDemand: only when Measure asks for one. Wanted: traffic does, for there is
	// a service-policy that compares paths by what tests show.
	OnDemand, Wanted bool
}

const (
	testSpacing  = second / 50 // between the packets of a test
	testPatience = second      // for the last answer
	// rolling is the time over which results are averaged.
	rolling = 60 * second
	// pollsAnswered bounds what a peer's polls make us say, per second.
	pollsAnswered = 1000
)

// quality is what link tests found out about a path.
type quality struct {
	left, sent, answered int       // of the test under way
	next                 int64     // its next packet, its end, or the next test
	first                uint64    // counter of its first packet
	mine, seen           [8]uint64 // bit n: counter first+n is a packet of the test, and was answered
	rtt, jitter          float64   // rolling, ns
	loss                 float64   // rolling, percent
	before               int64     // round trip of the answer before, 0: none
	tests                uint32
	polls                answers
	asked                bool // a test was asked for that has not begun
}

// Measure asks for a link test on a path that has them on demand only. It begins
// when the path is up and the last one was long enough ago.
func (s *Set) Measure(id uint16, now int64) {
	if p := s.Path(id); p != nil && p.cfg.Test.OnDemand && !p.quality.asked {
		p.quality.asked = true
		p.work(s, now)
	}
}

// testDue says whether the clock brings something of a link test.
func (p *Path) testDue() bool {
	q := &p.quality
	return p.tests() && p.ready() && (!p.cfg.Test.OnDemand || q.asked || q.sent > 0)
}

// testing does what is due of link tests.
func (p *Path) testing(s *Set, now int64) {
	q := &p.quality
	if !p.tests() || !p.ready() {
		q.left, q.sent = 0, 0
		return
	}
	switch {
	case now < q.next || !p.testDue():
	case q.left > 0:
		p.testPacket(s, now)
	case q.sent > 0:
		q.finish(p.cfg.Test.Interval)
		q.next = now + p.cfg.Test.Interval
	default:
		*q = quality{left: min(p.cfg.Test.Length, 255), rtt: q.rtt, jitter: q.jitter, loss: q.loss, tests: q.tests,
			before: q.before, polls: q.polls}
		p.testPacket(s, now)
	}
}

// tests: this end measures. Where a path is metered at the other end only that
// one does.
func (p *Path) tests() bool {
	return p.cfg.Test.Length > 0 && (p.cfg.Metered || !p.thrift.active)
}

// ready: the peer knows us and answers.
func (p *Path) ready() bool {
	to, ok := p.ends.Best()
	return ok && p.usable(to) && p.in.knowsUs && p.hold.verdict == Up
}

func (p *Path) testPacket(s *Set, now int64) {
	q := &p.quality
	to, _ := p.ends.Best()
	pkt := p.m.Packet()
	pkt.Poll = true
	p.thrift.as = asTest
	p.sendSteady(s, &pkt, to, now)
	p.thrift.as = asBFD
	if q.sent == 0 {
		q.first = p.out.counter
	}
	if n := p.out.counter - q.first; n < uint64(64*len(q.mine)) {
		q.mine[n/64] |= 1 << (n % 64)
		q.sent++
	}
	q.left--
	q.next = now + testSpacing
	if q.left == 0 {
		q.next = now + testPatience
	}
}

// tested says whether a counter is that of a packet of the test.
func (q *quality) tested(counter uint64) bool {
	n := counter - q.first
	return q.sent > 0 && counter >= q.first && n < uint64(64*len(q.mine)) && q.mine[n/64]>>(n%64)&1 != 0
}

// answeredTest takes the counter that the answer to a poll echoes; rtt 0: not
// known.
func (q *quality) answeredTest(counter uint64, rtt int64) {
	n := counter - q.first
	if q.sent == 0 || counter < q.first || n >= uint64(64*len(q.mine)) {
		return
	}
	if bit := uint64(1) << (n % 64); q.mine[n/64]&^q.seen[n/64]&bit != 0 {
		q.seen[n/64] |= bit
		q.answered++
	}
	if rtt <= 0 {
		return
	}
	if q.rtt == 0 {
		q.rtt = float64(rtt)
	}
	q.rtt += (float64(rtt) - q.rtt) / 16
	if q.before > 0 {
		d := float64(rtt - q.before)
		q.jitter += (max(d, -d) - q.jitter) / 16 // RFC 3550 6.4.1
	}
	q.before = rtt
}

// finish takes the loss of a test into the average.
func (q *quality) finish(interval int64) {
	loss := 100 * float64(q.sent-q.answered) / float64(q.sent)
	weight := min(float64(interval)/float64(rolling), 1)
	if q.tests == 0 {
		weight = 1
	}
	q.loss += (loss - q.loss) * weight
	q.tests++
	q.sent = 0
}

// Quality returns the rolling round trip and jitter in ns and loss in percent;
// false before the first test has ended.
func (p *Path) Quality() (rtt, jitter int64, loss float64, ok bool) {
	q := &p.quality
	return int64(q.rtt), int64(q.jitter), q.loss, q.tests > 0
}
