package ppp

import (
	"crypto/md5" // CHAP's algorithm (RFC 1994)
	"time"
)

const (
	// authLimit is how long authentication may take: access concentrators ask
	// other servers.
	authLimit = 30 * time.Second
	papEvery  = 3 * time.Second
)

// authenticator proves who we are, by PAP or CHAP.
type authenticator struct {
	way            Auth
	user, password string
	send           func(control)

	running  bool
	done     bool // the peer believes us
	failed   bool
	reason   string
	id       uint8
	deadline time.Duration // of the whole; Never
	retry    time.Duration // of the next PAP request; Never
}

// start begins when LCP is open.
func (a *authenticator) start(now time.Duration) {
	a.running, a.done, a.failed = true, false, false
	a.deadline, a.retry = now+authLimit, Never
	if a.way == PAP {
		a.id++
		a.pap(now)
	}
}

func (a *authenticator) stop() { a.running, a.deadline, a.retry = false, Never, Never }

func (a *authenticator) pap(now time.Duration) {
	a.retry = now + papEvery
	b := append([]byte{byte(len(a.user))}, a.user...)
	b = append(append(b, byte(len(a.password))), a.password...)
	a.send(control{papRequest, a.id, b})
}

func (a *authenticator) tick(now time.Duration) {
	switch {
	case !a.running:
	case now >= a.deadline:
		a.end("nobody says whether we are known")
	case now >= a.retry:
		a.pap(now)
	}
}

// end fails authentication.
func (a *authenticator) end(reason string) {
	a.failed, a.reason = true, reason
	a.stop()
}

// input takes a packet of the protocol p. The peer may challenge us again at
// any time.
func (a *authenticator) input(p Protocol, c control) {
	switch {
	case !a.running:
	case p == ProtoPAP && a.way == PAP && c.id == a.id:
		a.papAnswer(c)
	case p == ProtoCHAP && a.way == CHAP:
		a.chapInput(c)
	}
}

func (a *authenticator) papAnswer(c control) {
	said := ""
	if len(c.data) > 0 && int(c.data[0]) <= len(c.data)-1 {
		said = text(c.data[1 : 1+c.data[0]])
	}
	a.judged(c.code == papAck, c.code == papNak, said)
}

// judged takes the peer's verdict.
func (a *authenticator) judged(yes, no bool, said string) {
	switch {
	case yes:
		a.done, a.deadline, a.retry = true, Never, Never
	case no && said == "":
		a.end("user name or password refused")
	case no:
		a.end("user name or password refused: " + said)
	}
}

func (a *authenticator) chapInput(c control) {
	switch c.code {
	case chapChallenge:
		a.respond(c)
	case chapSuccess, chapFailure:
		if c.id == a.id {
			a.judged(c.code == chapSuccess, c.code == chapFailure, text(c.data))
		}
	}
}

// respond answers a challenge (RFC 1994 section 4.1).
func (a *authenticator) respond(c control) {
	if len(c.data) == 0 || c.data[0] == 0 || int(c.data[0]) > len(c.data)-1 {
		return
	}
	a.id = c.id
	h := md5.New()
	h.Write([]byte{c.id})
	h.Write([]byte(a.password))
	h.Write(c.data[1 : 1+c.data[0]])
	b := h.Sum([]byte{md5.Size})
	a.send(control{chapResponse, c.id, append(b, a.user...)})
}
