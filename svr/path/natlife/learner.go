// Package natlife learns for how long a NAT or firewall keeps a binding of UDP
// that is silent, and how often it must be refreshed for that. A round of probes
// with rising waits leaves by source ports of their own: each binding is used
// twice, so that the NAT takes it for an established one, and then rests while
// the peer waits as long as it was asked to. The answer that still arrives shows
// that the binding lived. A Learner is pure; times are nanoseconds.
package natlife

import "math"

const (
	second = int64(1e9)
	day    = 24 * 3600 * second

	// Ports is the number of source ports that a round uses at once.
	Ports = 7
	// Unproven is the time between refreshes before anything is known.
	Unproven = 15 * second
	// Careful is that time once a binding was lost meanwhile.
	Careful = 10 * second
	// Longest is the longest wait that is tried.
	Longest = 300 * second
	// warm is the time between the two uses of a binding: Linux takes one for
	// established when it is used 2 s after its beginning.
	warm = 3 * second
	// grace is how long an answer may be late.
	grace = 2 * second
	// Unit is what waits are multiples of.
	Unit = second / 10

	settle  = 10 * second   // from the path's coming up to the first look
	retry   = 600 * second  // behind a look that a broken path ended
	refresh = 30 * day      // age at which knowledge is tested again
	soonest = 3600 * second // between looks that lost bindings ask for

	never = int64(1<<63 - 1)
)

// first are the waits of a first round.
var first = []int64{10 * second, 20 * second, 40 * second, 80 * second, 160 * second, Longest}

// Known is what has been learned, to be kept over restarts.
type Known struct {
	Best int64 `json:"best"` // longest wait that a binding outlived, 0: none
	At   int64 `json:"at"`   // when, seconds since 1970
}

// Step is what a Learner wants done.
type Step struct {
	Port  uint8 // 1 to Ports
	Ask   bool  // send a question by the port; else it is done with: close it
	Delay int64 // that the peer waits with its answer
}

// Learner is one NAT. The zero value is not usable, use New.
type Learner struct {
	known  Known
	lost   bool // a binding was lost
	phase  phase
	probes [Ports]probe // the waits of a round, rising
	low    int64        // longest wait that a binding outlived in this look, 0: none
	high   int64        // shortest that it did not, 0: none
	next   int64        // next look
	pause  int64        // between looks that lost bindings ask for
	looks  int
}

// phase is what a round is for.
type phase uint8

const (
	resting    phase = iota
	rising           // which of the first waits fails?
	narrowing        // and between that and the last one that did not?
	confirming       // a failure that fits nothing else is tried again
)

// New makes a learner that goes on from what was known. wall is the time in
// seconds since 1970.
func New(k Known, wall, now int64) *Learner {
	l := &Learner{known: k, pause: soonest, next: now + settle}
	if k.Best > 0 {
		l.next = now + min(max(refresh-(wall-k.At)*second, settle), refresh)
	}
	return l
}

// Renew begins on another network, of which something may be known.
func (l *Learner) Renew(k Known, wall, now int64) {
	fresh := New(k, wall, now)
	l.known, l.lost, l.pause = fresh.known, false, fresh.pause
	l.rest(fresh.next)
}

// Known returns what has been learned.
func (l *Learner) Known() Known { return l.known }

// Looks returns how often the lifetime has been looked at, to an end.
func (l *Learner) Looks() int { return l.looks }

// Interval returns how often a binding must be refreshed.
func (l *Learner) Interval() int64 {
	switch {
	case l.known.Best > 0:
		return l.known.Best / 10 * 8
	case l.lost:
		return Careful
	}
	return Unproven
}

// Lost tells that a binding was lost although it was refreshed in time. The NAT
// may be another one now: less is trusted, and it is looked at again.
func (l *Learner) Lost(now int64) {
	l.lost = true
	if l.known.Best > 0 {
		l.known.Best = max(l.known.Best/10*8, Careful)
	}
	if l.phase == resting && now+l.pause < l.next {
		l.next = now + l.pause
		l.pause = min(2*l.pause, day)
	}
}

// Stop ends a look without a result: the path is gone. The steps that follow
// close its ports.
func (l *Learner) Stop(now int64) {
	if l.phase != resting {
		l.rest(now + retry)
	}
}

// Next returns when Due has something to do.
func (l *Learner) Next() int64 {
	at := never
	for i := range l.probes {
		at = min(at, l.probes[i].next())
	}
	if l.phase == resting {
		at = min(at, l.next)
	}
	return at
}

// Answered tells that the peer's answer of a delay arrived at a port.
func (l *Learner) Answered(port uint8, delay int64) {
	if port >= 1 && port <= Ports {
		l.probes[port-1].answer(delay)
	}
}

// Due returns the next step; ask until it says no. wall is in seconds.
func (l *Learner) Due(now, wall int64) (s Step, ok bool) {
	for {
		if l.phase == resting && now >= l.next {
			l.low, l.high = 0, 0
			l.start(rising, first)
		}
		for i := range l.probes {
			if s, ok := l.probes[i].step(now); ok {
				s.Port = uint8(i + 1)
				return s, true
			}
		}
		if l.phase == resting || !l.ended() {
			return s, false
		}
		l.conclude(now, wall)
	}
}

// start begins a round.
func (l *Learner) start(p phase, waits []int64) {
	l.phase = p
	for i := range l.probes {
		l.probes[i].drop()
		if i < len(waits) {
			l.probes[i].wait = waits[i]
		}
	}
}

// rest ends a look.
func (l *Learner) rest(next int64) {
	l.start(resting, nil)
	l.next = next
}

// ended: a wait failed and all that are shorter are done, or all are.
func (l *Learner) ended() bool {
	for i := range l.probes {
		switch p := &l.probes[i]; {
		case p.wait != 0 && !p.done:
			return false
		case p.wait != 0 && p.asks != 0 && !p.lived:
			return true
		}
	}
	return true
}

// take notes what a round found; none: no binding could be opened.
func (l *Learner) take() (failed, none bool) {
	none = true
	for i := range l.probes {
		p := &l.probes[i]
		if p.wait == 0 || p.asks == 0 {
			continue
		}
		none = false
		switch {
		case p.lived:
			l.low = max(l.low, p.wait)
		case p.done:
			failed = true
			l.high = p.wait
		}
	}
	return failed, none
}

// conclude draws the conclusion of a round and begins the next one, if any.
func (l *Learner) conclude(now, wall int64) {
	failed, none := l.take()
	switch {
	case none:
		l.rest(now + retry)
	case l.phase == confirming && !failed: // the failure was bad luck
		l.high = 0
		if l.low >= Longest {
			l.learned(now, wall)
			return
		}
		l.start(rising, longer(l.low))
	case l.phase != confirming && l.low == 0, l.phase == narrowing && !failed:
		l.start(confirming, []int64{l.high})
	case l.phase == rising && failed && l.high*10 > l.low*11:
		l.start(narrowing, between(l.low, l.high))
	default:
		l.learned(now, wall)
	}
}

// learned ends a look with its result, low.
func (l *Learner) learned(now, wall int64) {
	l.looks++
	l.known = Known{Best: l.low, At: wall}
	l.lost = l.low == 0
	l.rest(now + refresh)
}

// longer returns the waits of a first round beyond one.
func longer(than int64) (list []int64) {
	for _, w := range first {
		if w > than {
			list = append(list, w)
		}
	}
	return list
}

// between returns waits that cut the ratio of two others into equal parts.
func between(low, high int64) (list []int64) {
	ratio := math.Pow(float64(high)/float64(low), 1.0/(Ports+1))
	for i := 1; i <= Ports; i++ {
		w := float64(low) * math.Pow(ratio, float64(i))
		list = append(list, int64(w/float64(Unit))*Unit)
	}
	return list
}
