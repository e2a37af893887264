package pppoe

import (
	"time"

	"waymark/net/pppoe/disc"
	"waymark/net/pppoe/ppp"
)

// Exit codes of pppd, by which operators know these failures.
const (
	kernelFailed  = 4 // no kernel support
	connectFailed = 8
	noServer      = 8
	disagreed     = 10
	echoFailed    = 15
	hungUp        = 16
	carrierLost   = 16
	looped        = 17
	unknownUser   = 19
)

const (
	// firstPause bounds the pause before the first attempt and behind a session
	// that broke: a herd of clients spreads a little.
	firstPause = 500 * time.Millisecond

	retryFirst = time.Second
	retryMost  = time.Minute
	// provenAfter is how long a session has to last for its end to be news: one
	// that breaks sooner counts as a failed attempt.
	provenAfter = 30 * time.Second
	// holdFor is how long a session outlives its link.
	holdFor = 10 * time.Second
	// goneWait is how long the PADT may come behind the kernel's end of a session.
	goneWait = 200 * time.Millisecond
)

// refusedPauses follow refused authentications.
var refusedPauses = []time.Duration{time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour}

var exitCodes = map[ppp.EndKind]int{ppp.Disagreed: disagreed, ppp.Looped: looped, ppp.Unknown: unknownUser,
	ppp.NoNetwork: disagreed, ppp.Hungup: hungUp, ppp.Silent: echoFailed, ppp.Narrow: disagreed}

// ended takes the end of a link.
func (m *Machine) ended(now time.Duration, e *ppp.End) {
	switch e.Kind {
	case ppp.Closed:
		m.drop()
		m.rest(Stopped)
		return
	case ppp.Narrow:
		m.narrow = true
	}
	m.end(now, exitCodes[e.Kind], e.Reason)
}

// terminated takes a PADT.
func (m *Machine) terminated(now time.Duration, text string) {
	reason := "the access concentrator ended the session (PADT)"
	if text != "" {
		reason += ": " + text
	}
	if m.state == Closing {
		m.forget()
		m.rest(Stopped)
		return
	}
	m.close(now, hungUp, reason)
}

// end ends a session, or an attempt at one, and tells the access concentrator.
func (m *Machine) end(now time.Duration, code int, reason string) {
	closing := m.state == Closing
	m.drop()
	if closing {
		m.rest(Stopped)
		return
	}
	m.redial(now, code, reason)
}

// close is end without a word: the other end knows.
func (m *Machine) close(now time.Duration, code int, reason string) {
	m.forget()
	m.redial(now, code, reason)
}

// drop ends the session here and there.
func (m *Machine) drop() {
	if m.link != nil || m.state == Opening {
		m.act(Action{Act: SendDiscovery, Frame: disc.Termination(m.cfg.MAC, m.session.AC, m.session.ID, "")})
	}
	m.forget()
}

// forget ends the session here.
func (m *Machine) forget() {
	m.hold, m.gone, m.told = Never, Never, false
	if m.link == nil {
		return
	}
	if m.up.Up() {
		m.up = ppp.Network{}
		m.act(Action{Act: Carry})
	}
	m.act(Action{Act: CloseChannel})
	m.link, m.out.Changed = nil, true
}

// redial notes why there is no session and waits for the next attempt.
func (m *Machine) redial(now time.Duration, code int, reason string) {
	proven := m.state == Connected && now-m.upSince >= provenAfter
	kind := Failed
	if m.state == Connected {
		kind = Lost
	}
	if proven {
		m.failure.Attempt = 0
	}
	m.fail(now, code, reason)
	m.tell(Event{Kind: kind, Reason: reason})
	m.wait(now, m.pause(code))
	m.failure.Retry = m.deadline
}

func (m *Machine) fail(now time.Duration, code int, reason string) {
	m.failure = Failure{Attempt: m.failure.Attempt + 1, Code: code, Reason: reason, At: now, Retry: Never}
	m.out.Changed = true
}

// pause is how long to wait behind a failure.
func (m *Machine) pause(code int) time.Duration {
	if code == unknownUser {
		d := refusedPauses[min(m.refused, len(refusedPauses)-1)]
		m.refused++
		return d - d/10 + m.cfg.Random(d/5)
	}
	if m.failure.Attempt <= 1 {
		return m.cfg.Random(firstPause)
	}
	d := min(retryMost, retryFirst<<min(m.failure.Attempt-2, 6))
	return d - d/5 + m.cfg.Random(2*d/5)
}
