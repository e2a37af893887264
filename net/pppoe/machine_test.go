package pppoe

import (
	"testing"
	"time"

	"waymark/net/pppoe/disc"
)

// A session from the first PADI to its orderly end.
func TestWhole(t *testing.T) {
	s := newSim(t, nil)
	s.connect()
	n := s.Session()
	if n.Address.String() != "10.64.0.10" || n.Peer.String() != "10.64.0.1" || n.MTU != 1492 || n.ACName != "ac1" || n.Session.ID != 0x11 {
		t.Errorf("session %+v", n)
	}
	s.last(Established, "")
	s.acted(OpenChannel, Carry)
	s.Hangup(s.now)
	s.look()
	s.in(Stopped)
	s.acted(Carry, CloseChannel)
	if s.padts() != 1 || s.Deadline() != Never {
		t.Errorf("deadline %v", s.Deadline())
	}
	s.wait(time.Hour)
	s.in(Stopped)
	s.LinkUp(s.now)
	s.wait(time.Second)
	s.in(Connected)
}

// What ends a session, how it is told, and that it is dialled again.
func TestLost(t *testing.T) {
	for _, row := range []struct {
		name   string
		do     func(*sim)
		reason string
		code   int
		padts  int
	}{
		{"PADT", func(s *sim) { padt(s, nil) }, "the access concentrator ended the session (PADT): access concentrator says: bye", 16, 0},
		{"PADT that the kernel sees first", func(s *sim) { s.Gone(s.now); padt(s, nil) },
			"the access concentrator ended the session (PADT): access concentrator says: bye", 16, 0},
		{"gone from the kernel", func(s *sim) { s.Gone(s.now); s.wait(time.Second / 4) }, "the session is gone from the kernel", 16, 1},
		{"terminated", func(s *sim) { s.say(0xc021, 5, 9) }, "the other end ended the link", 16, 1},
		{"negotiates anew", func(s *sim) { s.say(0xc021, 1, 9) }, "the other end negotiates anew", 16, 1},
		{"silence", func(s *sim) { s.deaf = true; s.wait(41 * time.Second); s.deaf = false }, "the other end does not answer echoes", 15, 1},
		{"link away", func(s *sim) { s.LinkDown(s.now); s.wait(10 * time.Second); s.LinkUp(s.now) }, "the link is away", 16, 1},
		{"link away, silent when back", func(s *sim) {
			s.deaf = true
			s.LinkDown(s.now)
			s.wait(5 * time.Second)
			s.LinkUp(s.now)
			s.wait(3 * time.Second)
			s.deaf = false
		}, "the other end does not answer echoes", 15, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSim(t, nil)
			s.connect()
			s.events, s.frames, s.acts = nil, nil, nil
			row.do(s)
			s.look()
			s.last(Lost, row.reason)
			if f := s.Failure(); f.Code != row.code || f.Reason != row.reason || f.Attempt != 1 {
				t.Errorf("failure %+v", f)
			}
			if n := s.padts(); n != row.padts {
				t.Errorf("%d PADTs", n)
			}
			s.acted(Carry, CloseChannel)
			s.wait(time.Minute)
			s.in(Connected)
			s.last(Established, "")
		})
	}
}

func padt(s *sim, change func(*disc.Packet)) {
	p := disc.Packet{Dst: us, Src: ac, Code: disc.PADT, Session: s.session, Tags: []disc.Tag{{Kind: disc.GenericError, Value: []byte("bye")}}}
	if change != nil {
		change(&p)
	}
	s.Discovery(s.now, p.Frame())
}

// What does not end a session.
func TestKept(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*disc.Packet)
	}{
		{"of another session", func(p *disc.Packet) { p.Session++ }},
		{"from another station", func(p *disc.Packet) { p.Src[5]++ }},
		{"to another station", func(p *disc.Packet) { p.Dst[5]++ }},
	} {
		t.Run("PADT "+row.name, func(t *testing.T) {
			s := newSim(t, nil)
			s.connect()
			padt(s, row.change)
			s.look()
			s.in(Connected)
		})
	}
	t.Run("link that flaps", func(t *testing.T) {
		s := newSim(t, nil)
		s.connect()
		s.events = nil
		s.LinkDown(s.now)
		s.LinkDown(s.now)
		s.wait(5 * time.Second)
		s.in(Connected)
		s.LinkUp(s.now)
		s.wait(time.Hour)
		s.in(Connected)
		if len(s.events) != 0 {
			t.Errorf("events %v", s.events)
		}
	})
}

// Attempts that fail: what is told and when the next begins.
func TestFailed(t *testing.T) {
	second := time.Second
	for _, row := range []struct {
		name   string
		set    func(*sim)
		wait   time.Duration
		kind   EventKind
		reason string
		code   int
		pauses []time.Duration // middle of each
	}{
		{"PADS refuses", func(s *sim) { s.refuse = "no port" }, 0, Failed, "access concentrator failed: no port", 8,
			[]time.Duration{second / 4, second, 2 * second, 4 * second, 8 * second, 16 * second, 32 * second, 60 * second, 60 * second}},
		{"password", func(s *sim) { s.password = true }, 0, Failed, "user name or password refused: denied", 19,
			[]time.Duration{time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute, time.Hour, time.Hour}},
		{"kernel without PPP", func(s *sim) { s.kernel = "open /dev/ppp: no such device" }, 0, Failed, "open /dev/ppp: no such device", 4,
			[]time.Duration{second / 4, second, 2 * second}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSim(t, nil)
			row.set(s)
			s.LinkUp(0)
			s.wait(second / 4)
			for i, want := range row.pauses {
				f := s.Failure()
				if f.Attempt != i+1 || f.Code != row.code || f.Reason != row.reason || f.Retry-f.At != want {
					t.Fatalf("failure %+v, want a pause of %v", f, want)
				}
				s.last(row.kind, row.reason)
				s.in(Waiting)
				s.wait(want)
			}
			s.refuse, s.password, s.kernel = "", false, ""
			s.wait(2 * time.Hour)
			s.in(Connected)
			if s.Failure().Attempt == 0 {
				t.Error("failure forgotten while young") // kept until the next session proves itself
			}
		})
	}
}

// What else delays a session.
func TestDelayed(t *testing.T) {
	t.Run("nobody there", func(t *testing.T) {
		s := newSim(t, nil)
		s.deaf = true
		s.LinkUp(0)
		s.wait(time.Hour)
		s.in(Discovering)
		s.last(NoServer, "")
		if f := s.Failure(); f.Attempt != 1 || f.Reason != "no access concentrator answers" || len(s.frames) > 75 {
			t.Errorf("failure %+v, %d frames", f, len(s.frames))
		}
		s.deaf = false
		s.wait(2 * time.Minute)
		s.in(Connected)
	})
	t.Run("session that breaks at once, again and again", func(t *testing.T) {
		s := newSim(t, nil)
		s.LinkUp(0)
		for range 8 {
			s.wait(2 * time.Minute)
			s.in(Connected)
			s.upSince = s.now // young
			s.say(0xc021, 5, 9)
			s.look()
		}
		if f := s.Failure(); f.Attempt != 8 || f.Retry-f.At != time.Minute {
			t.Errorf("failure %+v", f)
		}
	})
	t.Run("link goes away while it negotiates", func(t *testing.T) {
		s := newSim(t, nil)
		s.LinkUp(0)
		s.wait(time.Second / 8)
		s.LinkDown(s.now)
		s.in(Down)
		s.wait(time.Hour)
		s.in(Down)
		s.LinkUp(s.now)
		s.wait(time.Second)
		s.in(Connected)
	})
}

// Packets of 1500 bytes: asked for, proven, and given up where they get lost.
func TestMaxPayload(t *testing.T) {
	for _, row := range []struct {
		name    string
		mru     uint16
		payload uint16
		peer    uint16
		narrow  bool
		want    int
		events  int
	}{
		{"both sides", 1500, 1500, 1500, false, 1500, 1},
		{"unknown there", 1500, 0, 1492, false, 1492, 1},
		{"not wanted", 1492, 1500, 1492, false, 1492, 1},
		{"less wanted", 1400, 1500, 1492, false, 1400, 1},
		{"lost between", 1500, 1500, 1500, true, 1492, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSim(t, func(c *Config) { c.MRU = row.mru })
			s.payload, s.narrow, s.mru = row.payload, row.narrow, row.peer
			s.LinkUp(0)
			s.wait(20 * time.Second)
			s.in(Connected)
			if n := s.Session(); n.MTU != row.want || len(s.events) != row.events {
				t.Errorf("MTU %d, events %v", n.MTU, s.events)
			}
		})
	}
}

// Another address is told as such, the same one is not.
func TestReaddressed(t *testing.T) {
	s := newSim(t, nil)
	s.connect()
	s.last(Established, "")
	s.wait(time.Minute)
	s.address[3] = 99
	s.say(0xc021, 5, 9)
	s.wait(time.Minute)
	s.in(Connected)
	if n := len(s.events); n != 2 || s.events[0].Kind != Lost || s.events[1].Kind != Readdressed || s.events[1].Address.String() != "10.64.0.99" {
		t.Errorf("events %+v", s.events)
	}
	s.events = nil
	s.say(0x8021, 1, 5, 3, 6, 10, 64, 0, 2) // IPCP anew: nothing about our address
	s.wait(time.Second)
	s.in(Connected)
	if n := s.Session(); n.Peer.String() != "10.64.0.2" || len(s.events) != 0 {
		t.Errorf("session %+v, events %+v", n, s.events)
	}
}

// A session of an earlier process is ended before another is asked for.
func TestRemember(t *testing.T) {
	s := newSim(t, nil)
	s.Remember(Channel{Session: 0x77, AC: ac})
	s.connect()
	p, err := disc.Parse(s.frames[0])
	if err != nil || p.Code != disc.PADT || p.Session != 0x77 || p.Dst != ac {
		t.Errorf("first frame %+v, %v", p, err)
	}
	if s.padts() != 1 {
		t.Error("more than one PADT")
	}
}

// Hanging up in every state rests, and tells who knows of a session.
func TestHangup(t *testing.T) {
	for _, row := range []struct {
		name  string
		set   func(*sim)
		padts int
	}{
		{"down", func(*sim) {}, 0},
		{"waiting", func(s *sim) { s.LinkUp(0) }, 0},
		{"discovering", func(s *sim) { s.deaf = true; s.LinkUp(0); s.wait(time.Second) }, 0},
		{"negotiating", func(s *sim) {
			s.LinkUp(0)
			s.wait(0)
			s.now = time.Second
			s.Tick(s.now)
			s.deaf = false
			s.look()
		}, 1},
		{"connected", func(s *sim) { s.connect() }, 1},
		{"connected, nobody answers", func(s *sim) { s.connect(); s.deaf = true }, 1},
		{"link away", func(s *sim) { s.connect(); s.LinkDown(s.now) }, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newSim(t, nil)
			row.set(s)
			s.frames = nil
			s.Hangup(s.now)
			s.wait(5 * time.Second)
			s.in(Stopped)
			if n := s.padts(); n != row.padts {
				t.Errorf("%d PADTs", n)
			}
			if s.open {
				t.Error("session left in the kernel")
			}
		})
	}
}

// No sequence of orders, frames and pauses breaks the machine: it never waits
// for nothing while the link is up, and the kernel's session and its own go
// together (checked by sim).
func FuzzMachine(f *testing.F) {
	f.Add([]byte{0, 3, 4, 1, 5, 6, 7, 8})
	f.Add([]byte{0, 3, 2, 3, 0, 9, 3, 10, 3, 11, 3, 12, 3, 13, 3})
	f.Fuzz(func(t *testing.T, in []byte) {
		s := newSim(t, func(c *Config) { c.MRU = 1500 })
		for _, b := range in[:min(len(in), 200)] {
			s.order(b)
			s.look()
			if (s.link != nil) != s.open {
				t.Fatalf("state %v, session in the kernel: %t", s.State(), s.open)
			}
			if s.Deadline() == Never && s.State() != Down && s.State() != Stopped {
				t.Fatalf("state %v waits for nothing", s.State())
			}
		}
		s.deaf, s.refuse, s.password, s.kernel, s.narrow = false, "", false, "", false
		s.Hangup(s.now)
		s.wait(10 * time.Second)
		s.LinkUp(s.now)
		s.wait(3 * time.Hour)
		s.in(Connected)
	})
}

// order does one of the things that can happen.
func (s *sim) order(b byte) {
	switch b % 16 {
	case 0:
		s.LinkUp(s.now)
	case 1:
		s.LinkDown(s.now)
	case 2:
		s.Hangup(s.now)
	case 3:
		s.wait(time.Duration(b) * time.Second)
	case 4:
		s.Gone(s.now)
	case 5:
		s.deaf = !s.deaf
	case 6:
		s.refuse = [...]string{"", "full"}[b>>4&1]
	case 7:
		s.password = !s.password
	case 8:
		s.kernel = [...]string{"", "no"}[b>>4&1]
	case 9:
		s.payload, s.narrow = 1500, !s.narrow
	case 10:
		s.say(0xc021, 1+b>>4, b)
	case 11:
		s.say(0x8021, 1+b>>4, b)
	case 12:
		s.Discovery(s.now, disc.Termination(ac, us, s.session, ""))
	case 13:
		p := disc.Packet{Dst: us, Src: ac, Code: disc.PADT, Session: s.session}
		s.Discovery(s.now, p.Frame())
	case 14:
		s.now += time.Duration(b) * 10 * time.Millisecond
		s.Tick(s.now)
	case 15:
		s.Opened(s.now)
	}
}
