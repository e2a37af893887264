package demand

const (
	ms     = int64(1e6)
	second = int64(1e9)

	// LeastSilence is how long an answer to traffic may take at least before the
	// path is asked; the round trip may make it longer.
	LeastSilence = 250 * ms
	// Verify bounds how long packets of sessions alone prove that a path lives:
	// those of sessions without a digest are authenticated by nothing.
	Verify = 60 * second
	// OneWay is the least time from an answer to the next question while traffic
	// flows one way only, so that a stream that nobody answers costs little.
	OneWay = 800 * ms
	// Revival is how long a dead path may come back at once.
	Revival = 5 * second
	// deadEvery is the time between polls of a dead path.
	deadEvery = second

	// Never is later than every time of the clock.
	Never = int64(1<<63 - 1)
)

// polls is how often a path is asked before it is dead.
const polls = 3

// A question in a hurry, because traffic needs the path, and one for its own
// sake: on radio that sleeps the first packet of a while takes seconds.
var (
	hurried = pace{gaps: [polls]int64{250 * ms, 500 * ms, 750 * ms}, trip: 1}
	calm    = pace{gaps: [polls]int64{2 * second, 4 * second, 8 * second}}
)

// pace is the time from each poll to the next, and from the last one to the
// verdict, a round trip longer if trip is 1.
type pace struct {
	gaps [polls]int64
	trip int64
}

// RTT is what is known of a path's round trip.
type RTT struct{ Smooth, Variance int64 }

// Silence is how long an answer to traffic may take.
func (r RTT) Silence() int64 { return max(LeastSilence, 2*r.Smooth+4*r.Variance) }

// Verdict of a Watch.
type Verdict uint8

// The verdicts.
const (
	Alive Verdict = iota
	Dead          // it did not answer; an answer within Revival ends that
	Gone          // it did not come back; the Watch has ended
)

// Watch is what is known of one path. The zero value is off.
type Watch struct {
	on, asking bool
	eager      bool
	verdict    Verdict
	idle       int64 // longest time without an authentic packet

	authentic int64 // newest packet of BFD
	heard     int64 // newest packet of a session
	need      int64 // first packet sent since anything was heard, 0: none
	asked     int64 // when the last question began
	answered  int64 // when it was answered, 0: it was not

	pace *pace
	sent int   // polls of this question
	next int64 // next poll, or the verdict
	died int64
}

// Begin watches a path that has just come up. idle is the longest time without
// an authentic packet before the path is asked for its own sake.
func (w *Watch) Begin(idle, now int64) { *w = Watch{on: true, idle: idle, authentic: now} }

// Eager makes a packet need an answer also when it left no later than the last one
// came, as far as the clock of Traffic tells: where the peer cannot reach us once a
// NAT forgot us, its silence after an exchange is worth a question.
func (w *Watch) Eager() { w.eager = true }

// End stops watching.
func (w *Watch) End() { *w = Watch{} }

// On says whether the path is watched.
func (w *Watch) On() bool { return w.on }

// Verdict returns what the path counts as.
func (w *Watch) Verdict() Verdict { return w.verdict }

// Traffic tells when the newest packets of sessions left by the path and came
// over it, 0 for none.
func (w *Watch) Traffic(sent, heard, now int64) {
	if !w.on {
		return
	}
	w.heard = max(w.heard, heard)
	last := max(w.heard, w.authentic)
	tie := w.eager && sent == w.heard
	if w.need < last || w.need == last && !tie {
		w.need = 0
	}
	if w.need == 0 && sent > 0 && (sent > last || tie && sent == last) {
		w.need = sent
	}
	if w.asking && w.verdict == Alive && w.pace == &hurried && w.need == 0 && w.heard > w.asked { // answered by data
		w.asking = false
	}
}

// Authentic tells that an authentic packet came. It returns true when the path
// was dead and lives again.
func (w *Watch) Authentic(now int64) (revived bool) {
	if !w.on {
		return false
	}
	revived = w.verdict == Dead
	if w.asking && w.pace == &hurried {
		w.answered = now
	}
	w.asking, w.verdict, w.need, w.authentic = false, Alive, 0, now
	return revived
}

// due is when the next question begins: for its own sake, or because traffic
// needs the path.
func (w *Watch) due(r RTT) (own, needed int64) {
	own, needed = w.authentic+w.idle, Never
	if w.heard > w.authentic {
		own = min(own, w.authentic+Verify)
	}
	if w.need == 0 {
		return own, needed
	}
	needed = w.need + r.Silence()
	if w.answered != 0 && w.heard < w.asked { // nothing but our own polls is answered
		needed = max(needed, w.answered+OneWay)
	}
	return own, needed
}

func (w *Watch) begin(hurry bool, now int64) {
	w.asking, w.asked, w.answered, w.sent, w.next = true, now, 0, 0, now
	w.pace = &calm
	if hurry {
		w.pace = &hurried
	}
}

// Advance does what is due: poll says that a poll must leave now, and full that
// it should tell all, for a peer that may have forgotten us.
func (w *Watch) Advance(now int64, r RTT) (poll, full bool) {
	if !w.on {
		return false, false
	}
	own, needed := w.due(r)
	switch {
	case w.verdict != Alive:
	case now >= needed && (!w.asking || w.pace == &calm): // now it is urgent
		w.begin(true, now)
	case now >= own && !w.asking:
		w.begin(false, now)
	}
	switch {
	case !w.asking || now < w.next:
		return false, false
	case w.verdict == Dead && now >= w.died+Revival:
		w.End()
		w.verdict = Gone
		return false, false
	case w.verdict == Dead:
		w.next = min(now+deadEvery, w.died+Revival)
		return true, true
	case w.sent == polls:
		w.verdict, w.died, w.next = Dead, now, now+deadEvery
		return true, true
	}
	w.next = now + w.pace.gaps[w.sent]
	if w.sent++; w.sent == polls {
		w.next += w.pace.trip * r.Smooth
	}
	return true, w.sent > 1
}

// Next returns when Advance has something to do, Never if only Traffic can
// change that.
func (w *Watch) Next(r RTT) int64 {
	own, needed := w.due(r)
	switch {
	case !w.on:
		return Never
	case !w.asking:
		return min(own, needed)
	case w.pace == &calm && w.verdict == Alive:
		return min(w.next, needed)
	}
	return w.next
}
