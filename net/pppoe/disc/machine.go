package disc

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"
)

// Never is an instant that does not come.
const Never = time.Duration(math.MaxInt64)

// Payload is what an Ethernet frame of 1500 bytes holds behind the headers of
// PPPoE and PPP.
const Payload = 1492

// State is where the machine is.
type State uint8

// States of a Machine.
const (
	Idle       State = iota
	Soliciting       // PADI is out
	Requesting       // PADR is out
	Open             // has a session
	Refused          // the access concentrator said why not
)

var stateNames = [...]string{"IDLE", "PADI-SENT", "PADR-SENT", "OPEN", "REFUSED"}

// String names the state.
func (s State) String() string { return stateNames[s] }

// Config is what a machine looks for.
type Config struct {
	MAC         MAC
	ServiceName string // empty: any
	ACName      string // empty: any
	MaxPayload  uint16 // to ask for, when larger than Payload
	HostUniq    []byte // tells our exchanges from those of others on this host
	// Random returns an evenly spread duration in [0, n).
	Random func(n time.Duration) time.Duration
}

// Session is what discovery found.
type Session struct {
	ID         uint16
	AC         MAC
	ACName     string // printable
	Service    string // printable
	MaxPayload uint16 // bytes of PPP payload that both sides take: Payload or more
}

const (
	padiFirst = time.Second
	padiMost  = time.Minute
	padrFirst = time.Second
	padrTries = 4 // 15 s, then another access concentrator may do
	// unanswered is how many PADIs go before the silence is worth telling.
	unanswered = 3
)

// Output is what a machine wants done.
type Output struct {
	Frames [][]byte // Ethernet frames to send
	Silent bool     // nobody answered several PADIs
}

// Machine is the state of one discovery. Instants are monotonic durations since
// any moment. One goroutine.
type Machine struct {
	cfg      Config
	state    State
	deadline time.Duration
	tries    int
	request  Packet // the PADR that is out
	session  Session
	reason   string
	out      Output
}

// New makes a machine that is idle.
func New(cfg Config) *Machine { return &Machine{cfg: cfg, deadline: Never} }

// State returns the present state.
func (m *Machine) State() State { return m.state }

// Deadline is when Tick has to be called, Never if it need not.
func (m *Machine) Deadline() time.Duration { return m.deadline }

// Session returns what was found; ok only in state Open.
func (m *Machine) Session() (s Session, ok bool) { return m.session, m.state == Open }

// Reason tells why the access concentrator refused.
func (m *Machine) Reason() string { return m.reason }

// Take returns what has to be done since the last Take.
func (m *Machine) Take() Output {
	o := m.out
	m.out = Output{}
	return o
}

// Start begins to look for an access concentrator. maxPayload replaces the
// configured one.
func (m *Machine) Start(now time.Duration, maxPayload uint16) {
	m.cfg.MaxPayload = maxPayload
	m.solicit(now)
}

// Stop ends whatever goes on.
func (m *Machine) Stop() { m.state, m.deadline = Idle, Never }

func (m *Machine) solicit(now time.Duration) {
	m.state, m.tries = Soliciting, 0
	m.padi(now)
}

// Tick does what is due.
func (m *Machine) Tick(now time.Duration) {
	if now < m.deadline {
		return
	}
	switch m.state {
	case Soliciting:
		m.padi(now)
	case Requesting:
		if m.tries == padrTries {
			m.solicit(now)
			return
		}
		m.padr(now)
	}
}

// pause doubles with every try and is blurred by a fifth either way.
func (m *Machine) pause(first, most time.Duration) time.Duration {
	d := most
	if m.tries < 6 {
		d = min(most, first<<m.tries)
	}
	m.tries++
	return d - d/5 + m.cfg.Random(2*d/5)
}

func (m *Machine) padi(now time.Duration) {
	p := Packet{Dst: Broadcast, Src: m.cfg.MAC, Code: PADI, Tags: m.tags([]byte(m.cfg.ServiceName))}
	m.out.Frames = append(m.out.Frames, p.Frame())
	m.deadline = now + m.pause(padiFirst, padiMost)
	m.out.Silent = m.out.Silent || m.tries == unanswered
}

// tags are those of every packet that asks for something.
func (m *Machine) tags(service []byte) []Tag {
	list := []Tag{{ServiceName, service}, {HostUniq, m.cfg.HostUniq}}
	if m.cfg.MaxPayload > Payload {
		list = append(list, Tag{MaxPayload, binary.BigEndian.AppendUint16(nil, m.cfg.MaxPayload)})
	}
	return list
}

// Frame takes a frame of the line. A PADT is not its business: see Terminates.
func (m *Machine) Frame(now time.Duration, frame []byte) {
	p, err := Parse(frame)
	if err != nil || p.Dst != m.cfg.MAC || p.Src[0]&1 != 0 || p.Src == m.cfg.MAC {
		return
	}
	if id, ok := p.Find(HostUniq); !ok || !bytes.Equal(id, m.cfg.HostUniq) {
		return
	}
	switch {
	case m.state == Soliciting && p.Code == PADO:
		m.offered(now, &p)
	case m.state == Requesting && p.Code == PADS && p.Src == m.request.Dst:
		m.confirmed(&p)
	}
}

// offered takes the first offer that will do.
func (m *Machine) offered(now time.Duration, p *Packet) {
	name, named := p.Find(ACName)
	if !named || p.Session != 0 || m.cfg.ACName != "" && string(name) != m.cfg.ACName || !p.offers(m.cfg.ServiceName) {
		return
	}
	m.session = Session{AC: p.Src, ACName: printable(name), Service: m.cfg.ServiceName}
	m.request = Packet{Dst: p.Src, Src: m.cfg.MAC, Code: PADR, Tags: m.tags([]byte(m.cfg.ServiceName))}
	for _, t := range p.Tags { // to be given back as they are
		if t.Kind == ACCookie || t.Kind == RelaySessionID {
			m.request.Tags = append(m.request.Tags, Tag{t.Kind, bytes.Clone(t.Value)})
		}
	}
	m.state, m.tries = Requesting, 0
	m.padr(now)
}

func (m *Machine) padr(now time.Duration) {
	m.out.Frames = append(m.out.Frames, m.request.Frame())
	m.deadline = now + m.pause(padrFirst, padiMost)
}

// confirmed takes the session, or the reason why there is none.
func (m *Machine) confirmed(p *Packet) {
	why, bad := p.refusal()
	if !bad && (p.Session == 0 || p.Session == 0xffff) {
		why, bad = "access concentrator gave no session", true
	}
	m.deadline = Never
	if bad {
		m.state, m.reason = Refused, why
		return
	}
	m.state = Open
	m.session.ID, m.session.MaxPayload = p.Session, Payload
	if v, ok := p.Find(MaxPayload); ok && len(v) == 2 && m.cfg.MaxPayload > Payload {
		if n := binary.BigEndian.Uint16(v); n > Payload {
			m.session.MaxPayload = min(n, m.cfg.MaxPayload)
		}
	}
}

// Terminates tells whether a frame is the PADT of session s from its access
// concentrator to mac, and what it says.
func Terminates(frame []byte, mac MAC, s Session) (text string, yes bool) {
	p, err := Parse(frame)
	if err != nil || p.Code != PADT || p.Session != s.ID || p.Src != s.AC || p.Dst != mac {
		return "", false
	}
	text, _ = p.refusal()
	return text, true
}

// Termination is the PADT that ends a session.
func Termination(mac, ac MAC, session uint16, text string) []byte {
	p := Packet{Dst: ac, Src: mac, Code: PADT, Session: session}
	if text != "" {
		p.Tags = []Tag{{GenericError, []byte(text)}}
	}
	return p.Frame()
}
