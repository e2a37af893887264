package ppp

import (
	"bytes"
	"math"
	"time"
)

// Never is an instant that does not come.
const Never = time.Duration(math.MaxInt64)

// phase is a state of the automaton of RFC 1661 section 4.2.
type phase uint8

const (
	initial phase = iota
	starting
	closed
	stopped
	closing
	stopping
	reqSent
	ackRcvd
	ackSent
	opened
)

var phaseNames = [...]string{"INITIAL", "STARTING", "CLOSED", "STOPPED", "CLOSING", "STOPPING", "REQ-SENT", "ACK-RCVD",
	"ACK-SENT", "OPENED"}

func (p phase) String() string { return phaseNames[p] }

const (
	restartFirst = time.Second
	restartMost  = 3 * time.Second
	maxConfigure = 10
	maxTerminate = 2
	maxFailure   = 5
	// maxRounds bounds how often one side may ask anew before both see that
	// they will never agree.
	maxRounds = 24
)

// rules are what a protocol wants of its options.
type rules interface {
	// request returns the options to ask for.
	request() []byte
	// judge looks at one option that the peer asks for: configAck, configNak
	// with what we suggest, or configReject.
	judge(option) (code, []byte)
	// missing returns options that the peer has to ask for and did not; they are
	// suggested to it. After some rounds nothing is suggested any more.
	missing([]option) []option
	// agreed takes over what the peer asked for and gets.
	agreed([]option)
	// naked and rejected take over what the peer says to our options.
	naked(option)
	rejected(option)
}

// edge is what the automaton tells the layers around it.
type edge uint8

const (
	layerUp edge = iota
	layerDown
	layerFinished
)

// automaton negotiates one protocol. The owner sends what it emits and hears
// its edges; both happen within the call that caused them.
type automaton struct {
	rules rules
	send  func(control)
	tell  func(edge)

	phase    phase
	id       uint8  // of the last packet of ours
	asked    []byte // options of the last request
	heard    bool   // it was answered
	count    int    // transmissions left
	sent     int    // transmissions since the counter began
	deadline time.Duration
	failures int // suggestions in a row
	rounds   int // requests of either side since the layer began
	reason   string
}

func newAutomaton(r rules, send func(control), tell func(edge)) automaton {
	return automaton{rules: r, send: send, tell: tell, deadline: Never}
}

// lowerUp: the layer below carries packets now.
func (a *automaton) lowerUp(now time.Duration) {
	switch a.phase {
	case initial:
		a.phase = closed
	case starting:
		a.begin(now)
	}
}

// open: the layer above wants this one.
func (a *automaton) open(now time.Duration) {
	switch a.phase {
	case initial:
		a.phase = starting
	case closed:
		a.begin(now)
	case closing:
		a.phase = stopping
	}
}

// close: the layer above wants this one no more.
func (a *automaton) close(now time.Duration, reason string) {
	switch a.phase {
	case starting:
		a.phase = initial
	case stopped:
		a.phase = closed
	case stopping:
		a.phase = closing
	case opened:
		a.phase = closing
		a.tell(layerDown)
		a.terminate(now, reason)
	case reqSent, ackRcvd, ackSent:
		a.phase = closing
		a.terminate(now, reason)
	}
}

func (a *automaton) begin(now time.Duration) {
	a.rounds, a.failures, a.reason = 0, 0, ""
	a.restart(maxConfigure)
	a.ask(now)
	a.phase = reqSent
}

func (a *automaton) restart(n int) { a.count, a.sent = n, 0 }

// timer counts a transmission and says when the next is due.
func (a *automaton) timer(now time.Duration) {
	a.deadline = now + min(restartMost, restartFirst<<min(a.sent, 4))
	a.count, a.sent = a.count-1, a.sent+1
}

// ask sends a new request.
func (a *automaton) ask(now time.Duration) {
	a.id++
	a.asked, a.heard = a.rules.request(), false
	a.timer(now)
	a.send(control{configRequest, a.id, a.asked})
}

// again sends a request whose predecessor nobody answered: with the same options
// it keeps its identifier, so that a late answer still counts.
func (a *automaton) again(now time.Duration) {
	a.heard = false
	a.timer(now)
	a.send(control{configRequest, a.id, a.asked})
}

func (a *automaton) terminate(now time.Duration, reason string) {
	a.id++
	a.restart(maxTerminate)
	a.timer(now)
	a.asked = []byte(reason)
	a.send(control{terminateReq, a.id, a.asked})
}

// tick does what is due: an answer did not come.
func (a *automaton) tick(now time.Duration) {
	if now < a.deadline {
		return
	}
	a.deadline = Never
	switch {
	case a.phase == closing || a.phase == stopping:
		if a.count > 0 {
			a.timer(now)
			a.send(control{terminateReq, a.id, a.asked})
			return
		}
		a.rest()
	case a.phase < reqSent || a.phase == opened:
	case a.count > 0:
		if a.phase == ackRcvd {
			a.phase = reqSent
		}
		a.again(now)
	default:
		a.finish("no answer")
	}
}

// rest goes where a termination ends.
func (a *automaton) rest() {
	a.deadline = Never
	if a.phase == closing {
		a.phase = closed
	} else {
		a.phase = stopped
	}
	a.tell(layerFinished)
}

// finish gives up.
func (a *automaton) finish(reason string) {
	a.reason, a.phase, a.deadline = reason, stopped, Never
	a.tell(layerFinished)
}

// input takes a packet with one of the codes that all protocols share; false:
// it has another.
func (a *automaton) input(now time.Duration, c control) bool {
	if a.phase == initial || a.phase == starting {
		return true // the layer below should not have passed it up
	}
	switch c.code {
	case configRequest:
		a.requested(now, c)
	case configAck, configNak, configReject:
		a.answered(now, c)
	case terminateReq:
		a.terminated(now, c)
	case terminateAck:
		a.termAcked(now)
	case codeReject:
		a.codeRejected(c)
	default:
		return false
	}
	return true
}

// requested answers what the peer asks for.
func (a *automaton) requested(now time.Duration, c control) {
	switch a.phase {
	case closed:
		a.send(control{terminateAck, c.id, nil})
		return
	case closing, stopping, stopped: // stopped: its owner begins anew, not the peer
		return
	}
	list, err := parseOptions(c.data)
	if err != nil {
		return
	}
	if a.phase == opened { // the peer begins anew
		a.tell(layerDown)
		if a.phase != opened {
			return
		}
		a.rounds, a.failures = 0, 0
		a.restart(maxConfigure)
		a.ask(now)
		a.phase = reqSent
	}
	if a.round() {
		return
	}
	a.reply(c.id, list)
}

// round counts a request; true: there were too many.
func (a *automaton) round() bool {
	a.rounds++
	if a.rounds > maxRounds {
		a.finish("no agreement")
		return true
	}
	return false
}

// reply judges the peer's options and moves on.
func (a *automaton) reply(id uint8, list []option) {
	verdict, answer := a.verdict(list)
	a.send(control{verdict, id, answer})
	if verdict != configAck {
		if a.phase == ackSent {
			a.phase = reqSent
		}
		return
	}
	a.failures = 0
	a.rules.agreed(list)
	switch a.phase {
	case reqSent:
		a.phase = ackSent
	case ackRcvd:
		a.up()
	}
}

func (a *automaton) up() {
	a.phase, a.deadline, a.rounds = opened, Never, 0
	a.tell(layerUp)
}

// verdict sums up: one option to reject outweighs all that only need another
// value.
func (a *automaton) verdict(list []option) (code, []byte) {
	var nak, reject []byte
	for _, o := range list {
		verdict, suggestion := a.rules.judge(o)
		switch {
		case verdict == configReject, verdict == configNak && a.failures >= maxFailure:
			reject = appendOption(reject, o.kind, o.value...)
		case verdict == configNak:
			nak = appendOption(nak, o.kind, suggestion...)
		}
	}
	if reject != nil {
		return configReject, reject
	}
	if a.failures < maxFailure {
		nak = appendOptions(nak, a.rules.missing(list))
	}
	if nak != nil {
		a.failures++
		return configNak, nak
	}
	return configAck, appendOptions(nil, list)
}

// answered takes the first answer to our last request; others are late,
// repeated or forged.
func (a *automaton) answered(now time.Duration, c control) {
	if a.phase == closed || a.phase == stopped {
		a.send(control{terminateAck, c.id, nil})
		return
	}
	if a.phase != reqSent && a.phase != ackSent || a.heard || c.id != a.id ||
		c.code == configAck && !bytes.Equal(c.data, a.asked) {
		return
	}
	if c.code == configAck {
		a.acked(now)
		return
	}
	a.denied(now, c)
}

func (a *automaton) acked(now time.Duration) {
	a.heard = true
	a.restart(maxConfigure)
	if a.phase == ackSent {
		a.up()
		return
	}
	a.phase = ackRcvd
	a.timer(now)
}

// denied asks anew in the light of a Nak or Reject.
func (a *automaton) denied(now time.Duration, c control) {
	list, err := parseOptions(c.data)
	if err != nil {
		return
	}
	a.heard = true
	if a.round() {
		return
	}
	for _, o := range list {
		if c.code == configNak {
			a.rules.naked(o)
		} else {
			a.rules.rejected(o)
		}
	}
	a.restart(maxConfigure)
	a.ask(now)
}

func (a *automaton) terminated(now time.Duration, c control) {
	a.send(control{terminateAck, c.id, nil})
	switch a.phase {
	case ackRcvd, ackSent:
		a.phase = reqSent
	case opened:
		a.phase, a.reason = stopping, text(c.data)
		a.tell(layerDown)
		a.restart(0) // give the peer a moment to hear the answer
		a.timer(now)
	}
}

func (a *automaton) termAcked(now time.Duration) {
	switch a.phase {
	case closing, stopping:
		a.rest()
	case ackRcvd:
		a.phase = reqSent
	case opened:
		a.tell(layerDown)
		if a.phase == opened {
			a.phase = reqSent
			a.restart(maxConfigure)
			a.ask(now)
		}
	}
}

// codeRejected: a peer that does not know the basic codes cannot be talked to.
func (a *automaton) codeRejected(c control) {
	if len(c.data) == 0 || code(c.data[0]) > codeReject || code(c.data[0]) < configRequest {
		return
	}
	a.refused("peer rejects a basic code")
}

// refused: the peer cannot speak this protocol.
func (a *automaton) refused(reason string) {
	switch a.phase {
	case initial, starting, closed, stopped:
		return
	case opened:
		a.tell(layerDown)
	}
	a.finish(reason)
}
