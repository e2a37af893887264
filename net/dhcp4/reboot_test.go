package dhcp4

import (
	"slices"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"waymark/net/frame"
)

// flap takes the link away and back.
func (s *sim) flap(away time.Duration) {
	s.m.LinkDown(s.now)
	s.now += away
	s.m.LinkUp(s.now)
}

// A link that flaps asks for the address it had, and keeps it meanwhile.
func TestFlap(t *testing.T) {
	s := newSim(t)
	s.bound()
	s.flap(5 * sec)
	s.state(InitReboot)
	s.tick()
	s.state(Rebooting)
	r := s.one(req)
	if r.addr(optRequestedIP) != address.String() || r.addr(optServerID) != "" || !r.ClientIPAddr.IsUnspecified() || r.unicast {
		t.Errorf("INIT-REBOOT: %v", r)
	}
	if l, _ := s.m.Lease(); l == nil {
		t.Error("address dropped by a flap")
	}
	s.hear(s.reply(ack, server2))
	s.state(Bound)
	if l, start := s.m.Lease(); l.Server != server2 || start != s.now {
		t.Errorf("lease %+v from %v at %v", l, start, s.now)
	}
}

// What becomes of the address when a link comes back.
func TestFlapOutcomes(t *testing.T) {
	for _, tt := range []struct {
		name  string
		away  time.Duration
		act   func(*sim)
		state State
		lease bool
	}{
		{"NAK: another network", 5 * sec, func(s *sim) { s.tick(); s.hear(s.reply(nak, server2)) }, Init, false},
		{"no answer: the lease goes on", 5 * sec, func(s *sim) { s.tick(); s.tick(); s.tick() }, Bound, true},
		{"no answer, past T1", 1790 * sec, func(s *sim) { s.tick(); s.tick(); s.tick() }, Renewing, true},
		{"no answer, past T2", 3145 * sec, func(s *sim) { s.tick(); s.tick(); s.tick() }, Rebinding, true},
		{"over while asking", 3590 * sec, func(s *sim) { s.tick(); s.tick(); s.tick() }, Init, false},
		{"over while away", 4000 * sec, func(*sim) {}, Init, false},
		{"ACK for another address does not count", 5 * sec, func(s *sim) {
			s.tick()
			s.hear(s.reply(ack, server1, func(p *dhcpv4.DHCPv4) { p.YourIPAddr = server2.AsSlice() }))
		}, Rebooting, true},
		{"twice", 5 * sec, func(s *sim) { s.tick(); s.flap(sec) }, InitReboot, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSim(t)
			s.T = t
			s.bound()
			s.flap(tt.away)
			tt.act(s)
			s.state(tt.state)
			if l, _ := s.m.Lease(); (l != nil) != tt.lease {
				t.Errorf("lease %v", l)
			}
		})
	}
}

// A lease that is over while the link is away is dropped at that moment.
func TestExpiryWithoutLink(t *testing.T) {
	s := newSim(t)
	s.bound()
	_, start := s.m.Lease()
	s.m.LinkDown(s.now)
	s.tick()
	if l, _ := s.m.Lease(); l != nil || s.now-start != 3600*sec {
		t.Errorf("lease %v after %v", l, s.now-start)
	}
	s.m.LinkUp(s.now)
	s.state(Init)
}

// A flap in every state leaves a machine that gets its lease.
func TestFlapInEveryState(t *testing.T) {
	for to := Init; to <= Rebinding; to++ {
		t.Run(to.String(), func(t *testing.T) {
			s := newSim(t)
			s.T = t
			s.reach(to)
			s.flap(sec)
			s.take()
			for range 8 {
				if s.m.State() == Bound {
					return
				}
				s.tick()
				s.take()
				switch s.m.State() {
				case Selecting:
					s.hear(s.reply(offer, server1))
					s.hear(s.reply(ack, server1))
				case Rebooting:
					s.hear(s.reply(ack, server1))
				}
			}
			s.state(Bound)
		})
	}
}

// reach brings a fresh machine into a state.
func (s *sim) reach(to State) {
	s.Helper()
	switch to {
	case InitReboot, Rebooting:
		s.bound()
		s.flap(sec)
	case Bound, Renewing, Rebinding:
		s.bound()
	default:
		s.m.LinkUp(s.now)
	}
	for i := 0; s.m.State() != to; i++ {
		if i == 10 {
			s.Fatalf("never came to %v, is in %v", to, s.m.State())
		}
		switch s.m.State() {
		case Selecting:
			s.hear(s.reply(offer, server1))
		case Requesting:
			s.hear(s.reply(ack, server1))
		default:
			s.tick()
		}
	}
	s.take()
}

// What a machine does with the lease of an earlier process.
func TestRemembered(t *testing.T) {
	old := &Lease{Address: prefix("192.0.2.100/24"), Server: server1, Seconds: 3600, T1: 1800, T2: 3150}
	for _, tt := range []struct {
		name  string
		age   time.Duration
		known bool
		first State
		then  []State // without any answer
	}{
		{"fresh", 100 * sec, true, InitReboot, []State{Rebooting, Rebooting, Checking, Checking, Checking, Checking, Bound}},
		{"past T1", 2000 * sec, true, InitReboot, []State{Rebooting, Rebooting, Checking, Checking, Checking, Checking, Renewing}},
		{"over", 4000 * sec, true, Init, []State{Selecting}},
		{"nobody knows how old", 0, false, InitReboot, []State{Rebooting, Rebooting, Init, Selecting}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSim(t)
			s.T = t
			s.m.Remember(old, -tt.age, tt.known)
			s.m.LinkUp(0)
			s.state(tt.first)
			if l, _ := s.m.Lease(); l != nil {
				t.Error("used before anybody was asked")
			}
			var seen []State
			for range tt.then {
				s.tick()
				seen = append(seen, s.m.State())
			}
			if !slices.Equal(seen, tt.then) {
				t.Errorf("went %v, want %v", seen, tt.then)
			}
			if l, start := s.m.Lease(); l != nil && start != -tt.age {
				t.Errorf("the lease begins at %v, want %v", start, -tt.age)
			}
		})
	}
	s := newSim(t)
	s.m.Remember(old, -100*sec, true)
	s.m.LinkUp(0)
	s.tick()
	s.one(req)
	s.hear(s.reply(ack, server1))
	s.state(Checking) // nobody guarded the address meanwhile
	s.checked()
}

// Another station has the address: DECLINE, at least 10 s of silence, anew.
func TestConflictWhileChecking(t *testing.T) {
	for _, tt := range []struct {
		name     string
		a        frame.ARP
		conflict bool
	}{
		{"answer", frame.ARP{MAC: hisMAC, Sender: address, Target: ip("0.0.0.0")}, true},
		{"probe of another for the same", frame.ARP{MAC: hisMAC, Sender: ip("0.0.0.0"), Target: address}, true},
		{"question about it", frame.ARP{MAC: hisMAC, Sender: server1, Target: address}, false},
		{"our own", frame.ARP{MAC: ourMAC, Sender: ip("0.0.0.0"), Target: address}, false},
		{"another address", frame.ARP{MAC: hisMAC, Sender: server2, Target: server1}, false},
	} {
		s := newSim(t)
		s.reach(Checking)
		s.m.Frame(s.now, frame.Ask(tt.a.MAC, tt.a.Sender, tt.a.Target))
		if !tt.conflict {
			s.state(Checking)
			continue
		}
		d := s.one(dhcpv4.MessageTypeDecline)
		if d.unicast || d.addr(optRequestedIP) != address.String() || d.addr(optServerID) != server1.String() ||
			!d.ClientIPAddr.IsUnspecified() || d.Options[optParameters] != nil {
			t.Errorf("%s: DECLINE %v", tt.name, d)
		}
		s.state(Init)
		if w := s.tick(); w < 10*sec {
			t.Errorf("%s: asked again after %v", tt.name, w)
		}
		if d := s.one(discover); d.addr(optRequestedIP) != "" {
			t.Errorf("%s: the taken address is asked for again", tt.name)
		}
	}
}

// Ten taken addresses in a row make the client slow.
func TestConflictStreak(t *testing.T) {
	s := newSim(t)
	for i := range 12 {
		s.reach(Checking)
		s.m.Frame(s.now, frame.Announce(hisMAC, address))
		s.take()
		if w := s.tick(); (w >= time.Minute) != (i >= 9) {
			t.Errorf("pause %d: %v", i, w)
		}
		s.take()
	}
}

// In use, an address is defended once; who insists gets it.
func TestConflictWhileBound(t *testing.T) {
	s := newSim(t)
	s.bound()
	claim := frame.Announce(hisMAC, address)
	for range 2 { // far apart: defended each time
		s.now += time.Minute
		s.m.Frame(s.now, claim)
		if list, arps := s.take(); len(list) != 0 || len(arps) != 1 || arps[0].Sender != address {
			t.Fatalf("sent %v, %v", list, arps)
		}
		s.state(Bound)
	}
	s.now += sec
	s.m.Frame(s.now, frame.Probe(hisMAC, address)) // a probe is the kernel's to answer
	s.state(Bound)
	s.m.Frame(s.now, claim)
	s.one(dhcpv4.MessageTypeDecline)
	s.state(Init)
	if l, _ := s.m.Lease(); l != nil || s.events[len(s.events)-1] != Taken {
		t.Errorf("lease %v, events %v", l, s.events)
	}
}

// A lease whose address an earlier process left in use stays in use while the
// network is asked, and goes with its end.
func TestResumed(t *testing.T) {
	old := &Lease{Address: prefix("192.0.2.100/24"), Server: server1, Seconds: 3600, T1: 1800, T2: 3150}
	for _, tt := range []struct {
		name  string
		age   time.Duration
		act   func(*sim)
		state State
		lease bool
	}{
		{"confirmed", 100 * sec, func(s *sim) { s.tick(); s.hear(s.reply(ack, server1)) }, Bound, true},
		{"refused", 100 * sec, func(s *sim) { s.tick(); s.hear(s.reply(nak, server1)) }, Init, false},
		{"no answer", 100 * sec, func(s *sim) { s.tick(); s.tick(); s.tick() }, Bound, true},
		{"asking", 100 * sec, func(s *sim) { s.tick() }, Rebooting, true},
		{"over already", 4000 * sec, func(*sim) {}, Init, false},
	} {
		s := newSim(t)
		s.m.Resume(old, -tt.age)
		if l, _ := s.m.Lease(); l != old {
			t.Fatal("not in use")
		}
		s.m.LinkUp(0)
		tt.act(s)
		if l, _ := s.m.Lease(); s.m.State() != tt.state || (l != nil) != tt.lease {
			t.Errorf("%s: state %v, lease %v", tt.name, s.m.State(), l)
		}
	}
}
