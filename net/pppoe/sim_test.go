package pppoe

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"waymark/net/pppoe/disc"
	"waymark/net/pppoe/ppp"
)

var us, ac = disc.MAC{2, 0, 0, 0, 0, 2}, disc.MAC{2, 0, 0, 0, 0, 1}

// sim is a machine on a fake clock with a fake access concentrator, which speaks
// in bytes of its own.
type sim struct {
	testing.TB
	*Machine
	now     time.Duration
	acts    []Act
	events  []Event
	frames  [][]byte // discovery frames since the last look
	pending [][]byte // PPP frames for the access concentrator
	open    bool     // the kernel has the session

	// What the access concentrator is like.
	session  uint16
	refuse   string // PADS without a session, with this reason
	deaf     bool   // hears nothing
	payload  uint16 // PPP-Max-Payload it knows; 0: none
	narrow   bool   // its line loses large frames
	password bool   // refused
	address  [4]byte
	mru      uint16
	kernel   string // why the kernel refuses sessions
}

func newSim(t testing.TB, change func(*Config)) *sim {
	c := Config{MAC: us, User: "cpe@isp", Password: "secret", MRU: 1492, HostUniq: []byte("uniq"),
		Random: func(n time.Duration) time.Duration { return n / 2 },
		Magic:  func() uint32 { return 0xaabbcc01 }, InterfaceID: func() ppp.InterfaceID { return ppp.InterfaceID{7: 1} }}
	if change != nil {
		change(&c)
	}
	return &sim{TB: t, Machine: New(c), session: 0x10, address: [4]byte{10, 64, 0, 10}, mru: 1492}
}

// look does what the machine wants and lets the access concentrator answer.
func (s *sim) look() {
	for range 100 {
		o := s.Take()
		s.events = append(s.events, o.Events...)
		if len(o.Actions) == 0 && len(s.pending) == 0 {
			return
		}
		for _, a := range o.Actions {
			s.acts = append(s.acts, a.Act)
			s.do(a)
		}
		list := s.pending
		s.pending = nil
		for _, f := range list {
			s.answer(f)
		}
	}
	s.Fatal("machine and access concentrator talk without end")
}

func (s *sim) do(a Action) {
	switch a.Act {
	case SendDiscovery:
		s.frames = append(s.frames, a.Frame)
		s.discover(a.Frame)
	case OpenChannel:
		if s.open {
			s.Error("opened twice")
		}
		if s.kernel != "" {
			s.OpenFailed(s.now, s.kernel)
			return
		}
		s.open = true
		s.Opened(s.now)
		if !s.deaf {
			s.say(0xc021, 1, 1, 1, 4, byte(s.mru>>8), byte(s.mru), 3, 5, 0xc2, 0x23, 5)
		}
	case CloseChannel:
		if !s.open {
			s.Error("closed what is not open")
		}
		s.open = false
	case SendPPP:
		if !s.open {
			s.Errorf("sent without a session: %x", a.Frame)
		}
		s.pending = append(s.pending, a.Frame)
	}
}

// discover plays the access concentrator in the discovery stage.
func (s *sim) discover(frame []byte) {
	p, err := disc.Parse(frame)
	if err != nil {
		s.Fatalf("sent %x: %v", frame, err)
	}
	if s.deaf {
		return
	}
	uniq, _ := p.Find(disc.HostUniq)
	r := disc.Packet{Dst: p.Src, Src: ac, Tags: []disc.Tag{{Kind: disc.HostUniq, Value: uniq}, {Kind: disc.ServiceName}, {Kind: disc.ACName, Value: []byte("ac1")}}}
	switch p.Code {
	case disc.PADI:
		r.Code = disc.PADO
	case disc.PADR:
		r.Code = disc.PADS
		switch {
		case s.refuse != "":
			r.Tags = append(r.Tags, disc.Tag{Kind: disc.ACSystemError, Value: []byte(s.refuse)})
		default:
			s.session++
			r.Session = s.session
		}
		if v, ok := p.Find(disc.MaxPayload); ok && s.payload != 0 {
			r.Tags = append(r.Tags, disc.Tag{Kind: disc.MaxPayload, Value: binary.BigEndian.AppendUint16(nil, min(s.payload, binary.BigEndian.Uint16(v)))})
		}
	default:
		return
	}
	s.Discovery(s.now, r.Frame())
}

// say lets the access concentrator send a control packet.
func (s *sim) say(proto uint16, code, id byte, data ...byte) {
	b := binary.BigEndian.AppendUint16(nil, proto)
	b = append(b, code, id)
	b = binary.BigEndian.AppendUint16(b, uint16(4+len(data)))
	s.Frame(s.now, append(b, data...))
}

// answer plays the access concentrator in PPP.
func (s *sim) answer(f []byte) {
	proto, code, id, data := binary.BigEndian.Uint16(f), f[2], f[3], f[6:]
	if s.deaf || s.narrow && len(f) > 1494 {
		return
	}
	switch {
	case proto == 0xc021 && code == 1:
		s.say(proto, 2, id, data...)
	case proto == 0xc021 && code == 2:
		s.say(0xc223, 1, 9, 1, 0x77)
	case proto == 0xc021 && code == 5:
		s.say(proto, 6, id)
	case proto == 0xc021 && code == 9:
		s.say(proto, 10, id, append([]byte{1, 2, 3, 4}, data[4:]...)...)
	case proto == 0xc223 && code == 2 && s.password:
		s.say(proto, 4, id, []byte("denied")...)
	case proto == 0xc223 && code == 2:
		s.say(proto, 3, id)
		s.say(0x8021, 1, 1, 3, 6, 10, 64, 0, 1)
	case proto == 0x8021 && code == 1 && data[2] == 0:
		s.say(proto, 3, id, append([]byte{3, 6}, s.address[:]...)...)
	case proto == 0x8021 && code == 1:
		s.say(proto, 2, id, data...)
	}
}

// wait lets time pass, doing what is due.
func (s *sim) wait(d time.Duration) {
	s.look()
	for until, turns := s.now+d, 0; ; turns++ {
		next := s.Deadline()
		if next > until {
			s.now = until
			return
		}
		if turns > 100000 {
			s.Fatal("turns around")
		}
		s.now = max(s.now, next)
		s.Tick(s.now)
		s.look()
	}
}

// connect brings a session up.
func (s *sim) connect() {
	s.Helper()
	s.LinkUp(s.now)
	s.wait(2 * time.Second)
	s.in(Connected)
}

func (s *sim) in(want State) {
	s.Helper()
	if s.State() != want {
		s.Errorf("state %v, want %v", s.State(), want)
	}
	if (s.Session() != nil) != (want == Connected) {
		s.Errorf("state %v with session %v", s.State(), s.Session())
	}
}

// last checks the newest event and forgets all.
func (s *sim) last(k EventKind, reason string) {
	s.Helper()
	if n := len(s.events); n == 0 || s.events[n-1].Kind != k || s.events[n-1].Reason != reason {
		s.Errorf("events %+v, want %v %q", s.events, k, reason)
	}
	s.events = nil
}

// padts counts the PADTs that were sent.
func (s *sim) padts() (n int) {
	for _, f := range s.frames {
		if disc.Code(f[15]) == disc.PADT {
			n++
		}
	}
	s.frames = nil
	return n
}

func (s *sim) acted(want ...Act) {
	s.Helper()
	var got []Act
	for _, a := range s.acts {
		if a != SendPPP && a != SendDiscovery {
			got = append(got, a)
		}
	}
	if !slices.Equal(got, want) {
		s.Errorf("acts %v, want %v", got, want)
	}
	s.acts = nil
}
