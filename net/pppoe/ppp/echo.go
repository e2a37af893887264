package ppp

import (
	"encoding/binary"
	"time"
)

const (
	echoEvery  = 10 * time.Second
	echoMisses = 3 // unanswered in a row before the peer counts as gone

	hurryWait = 3 * time.Second // for an answer when the line was away

	probeEvery = time.Second
	probeTries = 4
)

// echo asks whether the peer is still there, and at first whether frames of the
// full size get through (RFC 4638 section 6).
type echo struct {
	send func(id uint8, padding int)

	running  bool
	probe    int // bytes of padding while the size is in question, else 0
	tries    int
	misses   int
	id       uint8
	waiting  bool // an answer is due
	deadline time.Duration
	heard    time.Duration // the last answer
}

// verdict is what the echoes show.
type verdict uint8

const (
	alive  verdict = iota
	gone           // nobody answers
	narrow         // only small frames are answered
)

// start begins; padding above 0 first tries frames that large.
func (e *echo) start(now time.Duration, padding int) {
	*e = echo{send: e.send, running: true, probe: padding, id: e.id, deadline: now + echoEvery, heard: now}
	if padding > 0 {
		e.deadline = now
		e.tick(now)
	}
}

func (e *echo) stop() { e.running, e.deadline = false, Never }

// tick asks anew.
func (e *echo) tick(now time.Duration) verdict {
	if !e.running || now < e.deadline {
		return alive
	}
	if e.probe > 0 {
		return e.again(now)
	}
	if e.waiting {
		if e.misses++; e.misses >= echoMisses {
			e.stop()
			return gone
		}
	}
	e.ask(0)
	e.deadline = now + echoEvery
	return alive
}

// again tries the full size once more.
func (e *echo) again(now time.Duration) verdict {
	if e.tries == probeTries {
		e.stop()
		return narrow
	}
	e.tries++
	e.ask(e.probe)
	e.deadline = now + probeEvery
	return alive
}

func (e *echo) ask(padding int) {
	e.id++
	e.waiting = true
	e.send(e.id, padding)
}

// reply takes an answer with so many bytes of padding.
func (e *echo) reply(now time.Duration, padding int) {
	if !e.running {
		return
	}
	if e.probe > 0 && padding < e.probe {
		return
	}
	if e.probe > 0 {
		e.probe, e.deadline = 0, now+echoEvery
	}
	e.waiting, e.misses, e.heard = false, 0, now
}

// echoData is the data of an echo: our magic number and padding.
func echoData(magic uint32, padding int) []byte {
	b := make([]byte, 4+padding)
	binary.BigEndian.PutUint32(b, magic)
	for i := range b[4:] {
		b[4+i] = byte(i)
	}
	return b
}

// hurry asks at once: something happened to the line.
func (e *echo) hurry(now time.Duration) {
	if e.running && e.probe == 0 {
		e.misses, e.waiting = echoMisses-1, false
		e.ask(0)
		e.deadline = now + hurryWait
	}
}
