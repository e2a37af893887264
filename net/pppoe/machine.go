package pppoe

import (
	"math"
	"net/netip"
	"time"

	"waymark/net/pppoe/disc"
	"waymark/net/pppoe/ppp"
)

// Never is an instant that does not come.
const Never = time.Duration(math.MaxInt64)

// State is where a machine is.
type State uint8

// States of a Machine.
const (
	Down        State = iota // no link, or never started
	Waiting                  // until it may dial again
	Discovering              // looks for an access concentrator
	Opening                  // the kernel opens the session
	Negotiating              // PPP is not ready yet
	Connected
	Closing // tells the other end
	Stopped // on demand; LinkUp begins anew
)

var stateNames = [...]string{"down", "waiting", "discovering", "opening", "negotiating", "connected", "closing", "stopped"}

// String names the state.
func (s State) String() string { return stateNames[s] }

// Config is who dials and how.
type Config struct {
	MAC            disc.MAC
	ServiceName    string // empty: any
	ACName         string // access concentrator; empty: any
	User, Password string
	Auth           ppp.Auth
	MRU            uint16 // bytes of an IP packet wanted; above disc.Payload the line must take it
	IPv6           bool
	HostUniq       []byte
	// Random returns an evenly spread duration in [0, n).
	Random      func(n time.Duration) time.Duration
	Magic       func() uint32
	InterfaceID func() ppp.InterfaceID
}

// Channel is a session as the kernel is to open it.
type Channel struct {
	Session uint16
	AC      disc.MAC
	MRU     uint16
}

// Act says what kind of action is wanted.
type Act uint8

// Kinds of actions.
const (
	SendDiscovery Act = iota // Frame is an Ethernet frame
	SendPPP                  // Frame is protocol and control packet
	OpenChannel              // answered by Opened or OpenFailed
	CloseChannel
	Carry // let packets pass, or not
)

// Action is something a machine wants done.
type Action struct {
	Act     Act
	Frame   []byte
	Channel Channel
	// Of Carry: which packets pass. Neither: the interface goes down.
	IPv4, IPv6 bool
	MTU        int
}

// Output is what a machine wants done: the actions in their order, then the rest.
type Output struct {
	Actions []Action
	Events  []Event
	Changed bool // state, session or failure are other than before
}

// Session is a session that carries packets.
type Session struct {
	disc.Session
	ppp.Network
}

// EventKind says what happened.
type EventKind uint8

// Kinds of events.
const (
	Established EventKind = iota
	Readdressed           // another address within or after a redial
	Lost                  // a session that carried packets ended
	Failed                // a session did not come to be
	NoServer              // nobody answers
)

var eventNames = [...]string{"established", "readdressed", "lost", "failed", "no access concentrator answers"}

// String names the kind.
func (k EventKind) String() string { return eventNames[k] }

// Event is something that happened.
type Event struct {
	Kind    EventKind
	Address netip.Addr // with Established and Readdressed
	Reason  string     // with Lost and Failed
}

// Failure is the newest end of a session or attempt.
type Failure struct {
	Attempt int // in a row
	Code    int // as pppd would exit
	Reason  string
	At      time.Duration
	Retry   time.Duration // when the next attempt begins; Never
}

// Machine is a client's state. Instants are monotonic durations since any
// moment; every call carries the present one. One goroutine.
type Machine struct {
	cfg   Config
	state State
	out   Output

	disc *disc.Machine
	link *ppp.Link // nil: no session in the kernel

	session  disc.Session
	up       ppp.Network // as carried; zero: nothing passes
	upSince  time.Duration
	address  netip.Addr // the last one told
	told     bool       // in this session
	deadline time.Duration
	hold     time.Duration // when a session whose link is away is given up; Never
	gone     time.Duration // when a session that the kernel ended is given up; Never
	failure  Failure       // Attempt 0: none since the last session
	refused  int           // authentications in a row
	narrow   bool          // this line does not carry large frames
	stale    *Channel      // what an earlier process left open
}

// New makes a machine without link.
func New(cfg Config) *Machine {
	m := &Machine{cfg: cfg, deadline: Never, hold: Never, gone: Never}
	m.failure.Retry = Never
	m.disc = disc.New(disc.Config{MAC: cfg.MAC, ServiceName: cfg.ServiceName, ACName: cfg.ACName,
		HostUniq: cfg.HostUniq, Random: cfg.Random})
	return m
}

// Remember gives a machine that was not started a session that an earlier process
// could not end: the access concentrator may refuse another until it is.
func (m *Machine) Remember(c Channel) { m.stale = &c }

// Take returns what has to be done since the last Take.
func (m *Machine) Take() Output {
	o := m.out
	m.out = Output{}
	return o
}

// State returns the present state.
func (m *Machine) State() State { return m.state }

// Failure returns the newest failure; Attempt 0: there is none to tell.
func (m *Machine) Failure() Failure { return m.failure }

// Channel returns the kernel's session; ok false: there is none.
func (m *Machine) Channel() (c Channel, ok bool) {
	return Channel{Session: m.session.ID, AC: m.session.AC, MRU: m.mru()}, m.link != nil
}

// Session returns the session that carries packets; nil: none does.
func (m *Machine) Session() *Session {
	if !m.up.Up() {
		return nil
	}
	return &Session{m.session, m.up}
}

// Deadline is when Tick has to be called, Never if it need not.
func (m *Machine) Deadline() time.Duration {
	d := min(m.deadline, m.hold, m.gone, m.disc.Deadline())
	if m.link != nil {
		d = min(d, m.link.Deadline())
	}
	return d
}

func (m *Machine) set(s State) {
	if m.state != s {
		m.state, m.out.Changed = s, true
	}
}

func (m *Machine) act(a Action) { m.out.Actions = append(m.out.Actions, a) }

func (m *Machine) tell(e Event) { m.out.Events = append(m.out.Events, e) }

// Tick does what is due.
func (m *Machine) Tick(now time.Duration) {
	if now >= m.hold {
		m.hold = Never
		m.end(now, carrierLost, "the link is away")
		m.set(Down)
		m.deadline = Never
		return
	}
	if now >= m.gone {
		m.end(now, hungUp, "the session is gone from the kernel")
	}
	if m.state == Waiting && now >= m.deadline {
		m.dial(now)
	}
	m.disc.Tick(now)
	m.discovered(now)
	if m.link != nil {
		m.link.Tick(now)
		m.pump(now)
	}
}

// Discovery takes an Ethernet frame of the discovery stage.
func (m *Machine) Discovery(now time.Duration, frame []byte) {
	if m.link != nil || m.state == Opening {
		if text, yes := disc.Terminates(frame, m.cfg.MAC, m.session); yes {
			m.terminated(now, text)
		}
		return
	}
	m.disc.Frame(now, frame)
	m.discovered(now)
}

// Frame takes a frame that the kernel passes up: protocol and control packet.
func (m *Machine) Frame(now time.Duration, b []byte) {
	if m.link != nil {
		m.link.Frame(now, b)
		m.pump(now)
	}
}

// Gone: the kernel ended the session by itself, as it does when the device is
// set down or when it sees a PADT, which we then see too and which says more.
func (m *Machine) Gone(now time.Duration) {
	if m.link != nil {
		m.gone = now + goneWait
	}
}
