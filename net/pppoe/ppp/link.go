package ppp

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// Config is what a link is told.
type Config struct {
	MRU            uint16 // bytes of a packet we can receive, and at most send
	Probe          bool   // make sure that packets of the full size get through
	Auth           Auth   // the way we agree to
	User, Password string
	IPv6           bool               // negotiate IPv6CP
	Magic          func() uint32      // a number nobody can guess
	InterfaceID    func() InterfaceID // likewise
}

// EndKind says why a link ended.
type EndKind uint8

// Ends of a link.
const (
	Disagreed EndKind = iota // LCP came to no agreement
	Looped                   // we hear ourselves
	Unknown                  // authentication failed
	NoNetwork                // neither IPv4 nor IPv6
	Hungup                   // the peer ended it
	Silent                   // the peer does not answer echoes
	Narrow                   // packets of the full size get lost
	Closed                   // we ended it
)

// End is the end of a link.
type End struct {
	Kind   EndKind
	Reason string
}

// Network is what a link that is up gives.
type Network struct {
	Address netip.Addr   // our IPv4 address; invalid: none
	Peer    netip.Addr   // the other end's; invalid: it does not tell
	DNS     []netip.Addr // servers
	IPv6    bool
	OwnID   InterfaceID // ours, with IPv6
	PeerID  InterfaceID // likewise
	MTU     int         // bytes of an IP packet that both sides take
}

// Up tells whether there is a network protocol.
func (n *Network) Up() bool { return n.Address.IsValid() || n.IPv6 }

// Output is what a link wants done, in this order.
type Output struct {
	Frames  [][]byte // protocol and control packet
	Changed bool     // phase or network are other than before
	End     *End     // it is over: nothing else will come
}

// Phase is where a link is (RFC 1661 section 3.2).
type Phase uint8

// Phases of a Link.
const (
	Dead Phase = iota
	Establish
	Authenticate
	Networking
	Terminate
)

var linkPhases = [...]string{"DEAD", "ESTABLISH", "AUTHENTICATE", "NETWORK", "TERMINATE"}

// String returns the phase as RFC 1661 names it.
func (p Phase) String() string { return linkPhases[p] }

// Link is the state of one link. Instants are monotonic durations since any
// moment; every call carries the present one. One goroutine.
type Link struct {
	cfg   Config
	phase Phase
	now   time.Duration
	out   Output
	over  bool

	lcp    *lcp
	ipcp   *ipcp
	ipv6cp *ipv6cp
	lcpA   automaton
	ipA    automaton
	ip6A   automaton
	auth   authenticator
	echo   echo
	reject uint8 // identifier of the last rejection of ours
}

// NewLink makes a link that Start begins.
func NewLink(cfg Config) *Link {
	l := &Link{cfg: cfg, lcp: newLCP(cfg.MRU, cfg.Auth, cfg.Magic), ipcp: newIPCP(), ipv6cp: newIPv6CP(cfg.InterfaceID)}
	to := func(p Protocol) func(control) {
		return func(c control) {
			if !l.over { // what an automaton still says then is of no use
				l.out.Frames = append(l.out.Frames, frame(p, c))
			}
		}
	}
	l.lcpA = newAutomaton(l.lcp, to(ProtoLCP), l.lcpEdge)
	l.ipA = newAutomaton(l.ipcp, to(ProtoIPCP), l.ipEdge)
	l.ip6A = newAutomaton(l.ipv6cp, to(ProtoIPv6CP), l.ip6Edge)
	proto := ProtoCHAP
	if cfg.Auth == PAP {
		proto = ProtoPAP
	}
	l.auth = authenticator{way: cfg.Auth, user: cfg.User, password: cfg.Password, send: to(proto), deadline: Never, retry: Never}
	l.echo = echo{send: l.sendEcho, deadline: Never}
	return l
}

// Take returns what has to be done since the last Take.
func (l *Link) Take() Output {
	o := l.out
	l.out = Output{}
	return o
}

// Phase returns the present phase.
func (l *Link) Phase() Phase { return l.phase }

// Deadline is when Tick has to be called, Never if it need not.
func (l *Link) Deadline() time.Duration {
	if l.over {
		return Never
	}
	return min(l.lcpA.deadline, l.ipA.deadline, l.ip6A.deadline, l.auth.deadline, l.auth.retry, l.echo.deadline)
}

// Network returns what the link gives now.
func (l *Link) Network() Network {
	n := Network{MTU: int(min(l.cfg.MRU, l.lcp.peerMRU, l.lcp.mru))}
	if l.ipA.phase == opened {
		n.Address, n.Peer, n.DNS = l.ipcp.own, l.ipcp.peer, l.ipcp.servers()
	}
	if l.ip6A.phase == opened {
		n.IPv6, n.OwnID, n.PeerID = true, l.ipv6cp.own, l.ipv6cp.peer
	}
	return n
}

// Start begins: the layer below carries frames.
func (l *Link) Start(now time.Duration) {
	l.now = now
	l.set(Establish)
	l.lcpA.open(now)
	l.lcpA.lowerUp(now)
}

// Close ends the link; End follows when the peer knows, or does not answer.
func (l *Link) Close(now time.Duration, reason string) {
	l.now = now
	if l.lcpA.phase < reqSent {
		l.finish(Closed, reason)
		return
	}
	l.set(Terminate)
	l.lcpA.close(now, reason)
}

// Check asks at once whether the other end is still there.
func (l *Link) Check(now time.Duration) { l.echo.hurry(now) }

// Tick does what is due.
func (l *Link) Tick(now time.Duration) {
	if l.over {
		return
	}
	l.now = now
	l.lcpA.tick(now)
	l.ipA.tick(now)
	l.ip6A.tick(now)
	l.auth.tick(now)
	switch l.echo.tick(now) {
	case gone:
		l.finish(Silent, "the other end does not answer echoes")
	case narrow:
		l.finish(Narrow, "packets of the full size get lost")
	}
	l.look()
}

func (l *Link) set(p Phase) {
	if l.phase != p {
		l.phase, l.out.Changed = p, true
	}
}

// finish ends the link once.
func (l *Link) finish(k EndKind, reason string) {
	if l.over {
		return
	}
	l.over = true
	l.set(Dead)
	l.auth.stop()
	l.echo.stop()
	l.out.End, l.out.Changed = &End{k, reason}, true
}

// look draws the conclusions of authentication and of option negotiation that
// no edge tells.
func (l *Link) look() {
	switch {
	case l.over:
	case l.lcp.loops >= maxLoops:
		l.finish(Looped, "the line is looped: our own packets come back")
	case l.auth.failed:
		l.finish(Unknown, l.auth.reason)
	case l.phase == Authenticate && l.auth.done:
		l.network()
	}
}

// Frame takes a frame of the peer: protocol and control packet.
func (l *Link) Frame(now time.Duration, b []byte) {
	if l.over || len(b) < protoLen {
		return
	}
	l.now = now
	p, body := Protocol(binary.BigEndian.Uint16(b)), b[protoLen:]
	if p == ProtoIPv4 || p == ProtoIPv6 || p != ProtoLCP && l.lcpA.phase != opened {
		return
	}
	handle, known := handlers[p]
	if !known {
		l.refuse(protocolReject, b)
		return
	}
	if c, err := parseControl(body); err == nil {
		handle(l, p, c)
	}
	l.look()
}

var handlers map[Protocol]func(*Link, Protocol, control)

func init() {
	handlers = map[Protocol]func(*Link, Protocol, control){
		ProtoLCP:  func(l *Link, _ Protocol, c control) { l.lcpInput(c) },
		ProtoPAP:  func(l *Link, p Protocol, c control) { l.auth.input(p, c) },
		ProtoCHAP: func(l *Link, p Protocol, c control) { l.auth.input(p, c) },
		ProtoIPCP: func(l *Link, p Protocol, c control) { l.networkInput(&l.ipA, p, c) },
		ProtoIPv6CP: func(l *Link, p Protocol, c control) {
			if !l.cfg.IPv6 {
				l.refuse(protocolReject, frame(p, c))
				return
			}
			l.networkInput(&l.ip6A, p, c)
		},
	}
}

// networkInput takes a packet of a network protocol, which counts only when we
// are known.
func (l *Link) networkInput(a *automaton, p Protocol, c control) {
	if l.phase != Networking {
		return
	}
	if !a.input(l.now, c) {
		l.reject++
		l.out.Frames = append(l.out.Frames, frame(p, control{codeReject, l.reject, l.quote(controlBytes(c))}))
	}
}

// refuse sends a rejection of LCP that quotes the packet.
func (l *Link) refuse(k code, packet []byte) {
	l.reject++
	l.out.Frames = append(l.out.Frames, frame(ProtoLCP, control{k, l.reject, l.quote(packet)}))
}

// quote cuts a packet so that its rejection fits.
func (l *Link) quote(b []byte) []byte {
	return b[:min(len(b), int(max(l.lcp.peerMRU, leastMRU))-controlLen, maxControlBytes-controlLen)]
}

// controlBytes is a control packet as it came.
func controlBytes(c control) []byte { return frame(0, c)[protoLen:] }

func (l *Link) sendEcho(id uint8, padding int) {
	l.out.Frames = append(l.out.Frames, frame(ProtoLCP, control{echoRequest, id, echoData(l.lcp.magic, padding)}))
}
