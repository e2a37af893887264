package dhcp4

import (
	"encoding/binary"
	"math"
	"net/netip"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"waymark/net/frame"
)

// Never is an instant that does not come.
const Never = time.Duration(math.MaxInt64)

// State is where the machine is: the states of RFC 2131 figure 5, and what
// surrounds them.
type State uint8

// States of a Machine.
const (
	Down       State = iota // no link, or never started
	Init                    // waits before it asks
	Selecting               // DISCOVER is out
	Requesting              // REQUEST for an offer is out
	InitReboot              // waits before it asks for the address it had
	Rebooting               // REQUEST for the address it had is out
	Checking                // probes whether somebody has the address
	Bound
	Renewing  // asks the server that gave the lease
	Rebinding // asks any server
	Released  // gave the lease back; waits for Start
)

var stateNames = [...]string{"DOWN", "INIT", "SELECTING", "REQUESTING", "INIT-REBOOT", "REBOOTING", "CHECKING",
	"BOUND", "RENEWING", "REBINDING", "RELEASED"}

// String returns the state as RFC 2131 writes it.
func (s State) String() string { return stateNames[s] }

// Config is who the client is.
type Config struct {
	MAC         [6]byte
	ClientID    []byte           // option 61: DUIDClientID, MACClientID or another
	Hostname    string           // option 12; empty: not sent
	VendorClass string           // option 60; empty: not sent
	Extra       map[uint8][]byte // more options to send, such as 77 and 124
	// Random returns an evenly spread duration in [0, n).
	Random func(n time.Duration) time.Duration
	// XID returns a transaction number nobody can guess.
	XID func() uint32
}

// DUIDClientID returns the client identifier of RFC 4361: IAID and a DUID made
// of the link-layer address (type 3), which needs no memory.
func DUIDClientID(iaid uint32, mac [6]byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{255}, iaid)
	return append(append(b, 0, 3, 0, 1), mac[:]...)
}

// MACClientID returns the identifier of older clients, hardware type and MAC
// address: some providers know their customers by it.
func MACClientID(mac [6]byte) []byte { return append([]byte{1}, mac[:]...) }

// Datagram is to be sent from the lease's address, port 68, to port 67 of a server.
type Datagram struct {
	From, To netip.Addr
	Via      frame.MAC // station that the server's answers came from; zero: unknown
	Payload  []byte
}

// Output is what a machine wants done, in this order.
type Output struct {
	Frames    [][]byte // Ethernet frames
	Datagrams []Datagram
	Events    []Event
	Changed   bool // the lease in use, its times or the state are other than before
}

// Machine is a client's state. Instants are monotonic durations since any
// moment; every call carries the present one. One goroutine.
type Machine struct {
	cfg   Config
	state State
	out   Output

	lease *Lease // in use: its address is on the interface
	start time.Duration
	want  *Lease // offered, remembered or being checked
	since time.Duration
	hint  netip.Addr // address to ask for in a DISCOVER; zero: none

	from     frame.MAC // sender of the frame being read; zero: not of a frame
	xid      uint32
	began    time.Duration // of the exchange
	sent     time.Duration // last REQUEST
	tries    int           // messages of this exchange and state
	deadline time.Duration // what the state waits for; Never

	probes     int           // sent while checking
	announce   time.Duration // of the second announcement; Never
	conflicts  int           // addresses declined since the last one that was free
	lastClaim  time.Duration // of somebody else on our address; Never
	naks       int           // since the last lease
	remembered bool          // want was kept over a restart or a flap
}

// New makes a machine without link and lease.
func New(cfg Config) *Machine {
	return &Machine{cfg: cfg, deadline: Never, announce: Never, lastClaim: Never}
}

// Remember gives a machine that was not started the lease of an earlier
// process, obtained at an instant that may lie before 0. known false: nobody
// can tell how old it is, so it is only asked for, never used unasked.
func (m *Machine) Remember(l *Lease, obtained time.Duration, known bool) {
	m.hint = l.Address.Addr()
	m.want, m.since, m.remembered = l, obtained, true
	if !known {
		m.since = Never
	}
}

// Resume gives a machine that was not started the lease of an earlier process
// whose address is still in use, as if the link had flapped.
func (m *Machine) Resume(l *Lease, obtained time.Duration) {
	m.lease, m.start, m.hint = l, obtained, l.Address.Addr()
	m.deadline = m.over(obtained, l.Seconds)
}

// Take returns what has to be done since the last Take.
func (m *Machine) Take() Output {
	o := m.out
	m.out = Output{}
	return o
}

// Deadline is when Tick has to be called, Never if it need not.
func (m *Machine) Deadline() time.Duration { return min(m.deadline, m.announce) }

// State returns the present state.
func (m *Machine) State() State { return m.state }

// Lease returns the lease in use and when it was asked for; nil: none.
func (m *Machine) Lease() (*Lease, time.Duration) { return m.lease, m.start }

func (m *Machine) set(s State) {
	if m.state != s {
		m.state, m.tries, m.out.Changed = s, 0, true
	}
}

// LinkUp starts the machine, or starts it again after LinkDown.
func (m *Machine) LinkUp(now time.Duration) {
	if m.state != Down && m.state != Released {
		return
	}
	if m.lease != nil && m.over(m.start, m.lease.Seconds) <= now {
		m.lose(Expired)
	}
	if m.lease != nil {
		m.want, m.since, m.remembered = m.lease, m.start, true
	}
	if m.want == nil || m.since != Never && m.over(m.since, m.want.Seconds) <= now {
		m.initialize(now, m.cfg.Random(firstPause))
		return
	}
	m.set(InitReboot)
	m.deadline = now + m.cfg.Random(firstPause)
}

// LinkDown pauses the machine. A lease in use stays in use until it is over:
// the link may come back to the same network.
func (m *Machine) LinkDown(now time.Duration) {
	if m.state == Down || m.state == Released {
		return
	}
	if !m.remembered {
		m.want = nil
	}
	m.set(Down)
	m.deadline, m.announce = Never, Never
	if m.lease != nil {
		m.deadline = m.over(m.start, m.lease.Seconds)
	}
}

// Release gives the lease back and rests until LinkUp: what an operator wants
// who takes the interface out of service. A lease of an earlier process that
// was never used by this one is given back too.
func (m *Machine) Release(now time.Duration) {
	switch {
	case m.lease != nil && m.state != Down:
		m.giveBack(now, m.lease)
		m.lose(GivenBack)
	case m.lease == nil && m.remembered && m.since != Never && m.over(m.since, m.want.Seconds) > now:
		m.giveBack(now, m.want)
		m.tell(GivenBack, m.want.Address.Addr(), m.want.Server)
	}
	m.want, m.remembered, m.hint = nil, false, netip.Addr{}
	m.set(Released)
	m.deadline, m.announce = Never, Never
}

func (m *Machine) giveBack(now time.Duration, l *Lease) {
	m.exchange(now)
	r := m.request(now, dhcpv4.MessageTypeRelease)
	r.secs, r.ciaddr, r.server = 0, l.Address.Addr(), l.Server
	m.unicast(r, l)
}

// Tick does what is due.
func (m *Machine) Tick(now time.Duration) {
	if now >= m.announce {
		m.announce = Never
		m.out.Frames = append(m.out.Frames, frame.Announce(m.cfg.MAC, m.lease.Address.Addr()))
	}
	if now >= m.deadline {
		m.deadline = Never
		ticks[m.state](m, now)
	}
}

// ticks say what each state waited for.
var ticks = [...]func(*Machine, time.Duration){
	Down: func(m *Machine, now time.Duration) { m.lose(Expired) },
	Init: (*Machine).discover, Selecting: (*Machine).rediscover, Requesting: (*Machine).rerequest,
	InitReboot: (*Machine).reboot, Rebooting: (*Machine).again, Checking: (*Machine).check,
	Bound: (*Machine).resume, Renewing: (*Machine).resume, Rebinding: (*Machine).resume,
	Released: func(*Machine, time.Duration) {},
}

// Frame takes a frame of the link: DHCP and ARP, anything else is no matter.
func (m *Machine) Frame(now time.Duration, b []byte) {
	if len(b) < frame.EtherLen {
		return
	}
	switch binary.BigEndian.Uint16(b[12:]) {
	case frame.TypeARP:
		if a, ok := frame.ReadARP(b); ok {
			m.hearARP(now, a)
		}
	case frame.TypeIPv4:
		if d, err := frame.ReadUDP(b, clientPort); err == nil {
			m.from = d.From
			m.Datagram(now, d.Payload)
			m.from = frame.MAC{}
		}
	}
}

// Datagram takes what came to UDP port 68.
func (m *Machine) Datagram(now time.Duration, payload []byte) {
	handle := answers[m.state]
	if handle == nil {
		return
	}
	msg, err := parse(payload, m.cfg.MAC, m.cfg.ClientID)
	if err != nil || msg.xid != m.xid {
		return
	}
	handle(m, now, msg)
}
