package dhcp4

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"waymark/net/frame"
)

const (
	discover = dhcpv4.MessageTypeDiscover
	offer    = dhcpv4.MessageTypeOffer
	req      = dhcpv4.MessageTypeRequest
	ack      = dhcpv4.MessageTypeAck
	nak      = dhcpv4.MessageTypeNak
	sec      = time.Second
)

// The first lease, message by message (RFC 2131 table 5).
func TestFirstLease(t *testing.T) {
	s := newSim(t)
	s.m.LinkUp(0)
	if w := s.tick(); w > firstPause {
		t.Errorf("waited %v before the first message", w)
	}
	d := s.one(discover)
	if d.addr(optRequestedIP) != "" || d.addr(optServerID) != "" || !d.ClientIPAddr.IsUnspecified() || d.src.String() != "0.0.0.0" ||
		d.Flags != 0 || d.dst.String() != "255.255.255.255" {
		t.Errorf("DISCOVER: %v from %v to %v", d, d.src, d.dst)
	}
	for code, want := range map[uint8]string{optHostname: "branch1", optVendorClass: "waymark", optUserClass: "test",
		optClientID: string(ourID), optMaxSize: "\x05\xdc"} {
		if got := string(d.Options[code]); got != want {
			t.Errorf("option %d: got %q, want %q", code, got, want)
		}
	}
	list := d.Options[optParameters]
	if i := slices.Index(list, optClasslessRoutes); i < 0 || i > slices.Index(list, optRouter) || i > slices.Index(list, optStaticRoutes) {
		t.Errorf("asked for %v: 121 must come before 3 and 33", list)
	}
	if slices.Contains(list, 108) || slices.Contains(list, 82) || d.Options[82] != nil {
		t.Errorf("asked for or sent what a client of IPv4 must not: %v", list)
	}
	s.now += 3 * sec
	s.hear(s.reply(offer, server1))
	s.state(Requesting)
	r := s.one(req)
	if r.addr(optRequestedIP) != address.String() || r.addr(optServerID) != server1.String() || !r.ClientIPAddr.IsUnspecified() ||
		r.TransactionID != d.TransactionID || r.NumSeconds != 3 {
		t.Errorf("REQUEST: %v", r)
	}
	asked := s.now
	s.hear(s.reply(ack, server1))
	s.state(Checking)
	if l, _ := s.m.Lease(); l != nil {
		t.Error("address in use before it was probed")
	}
	probes := 0
	for s.m.State() == Checking {
		s.tick()
		_, arps := s.take()
		for _, a := range arps {
			if a.Sender.IsUnspecified() && a.Target == address && a.MAC == ourMAC {
				probes++
			} else if a.Sender != address || s.m.State() != Bound {
				t.Errorf("ARP %+v while checking", a)
			}
		}
	}
	if probes != probeCount || s.now-asked > 2*sec {
		t.Errorf("%d probes in %v", probes, s.now-asked)
	}
	s.state(Bound)
	if l, start := s.m.Lease(); l.Address.String() != "192.0.2.100/24" || start != asked || l.T1 != 1800 || l.T2 != 3150 {
		t.Errorf("lease %+v from %v", l, start)
	}
	if !slices.Equal(s.events, []EventKind{Obtained}) {
		t.Errorf("events %v", s.events)
	}
}

// Pauses between DISCOVERs: 4, 8, 16, 32, 64, 64 s, each blurred by a second;
// one exchange has one xid and counts its seconds.
func TestBackOff(t *testing.T) {
	for _, tt := range []struct {
		name string
		part time.Duration // of 4: how far random numbers go
		blur time.Duration
	}{{"least", 0, -sec}, {"middle", 2, 0}, {"most", 4, sec}} {
		s := newSim(t)
		s.m.cfg.Random = func(n time.Duration) time.Duration { return n * tt.part / 4 }
		s.m.LinkUp(0)
		s.tick()
		first := s.one(discover)
		begin := s.now
		for i, want := range []time.Duration{4, 8, 16, 32, 64, 64, 64} {
			if got := s.tick(); got != want*sec+tt.blur {
				t.Errorf("%s: pause %d: %v", tt.name, i, got)
			}
			d := s.one(discover)
			if d.TransactionID != first.TransactionID || d.NumSeconds != uint16((s.now-begin)/sec) {
				t.Errorf("%s: DISCOVER %d: %v", tt.name, i, d)
			}
		}
		if !slices.Contains(s.events, NoServer) {
			t.Errorf("%s: nobody heard that no server answers", tt.name)
		}
	}
}

// A server that offers and dies is given 60 s, then all begins anew with
// another xid.
func TestServerDiesBehindOffer(t *testing.T) {
	s := newSim(t)
	s.m.LinkUp(0)
	s.tick()
	d := s.one(discover)
	s.hear(s.reply(offer, server1))
	begin := s.now
	s.one(req)
	for range requestTries - 1 {
		s.tick()
		s.one(req)
	}
	s.tick()
	s.state(Init)
	if s.now-begin != 60*sec {
		t.Errorf("gave up after %v", s.now-begin)
	}
	s.tick()
	if s.one(discover).TransactionID == d.TransactionID {
		t.Error("xid used again")
	}
}

// Renewing is unicast to the server that gave the lease, rebinding broadcast;
// both with ciaddr and without options 50 and 54.
func TestRenewRebindExpire(t *testing.T) {
	s := newSim(t)
	s.bound()
	_, start := s.m.Lease()
	s.tick()
	s.state(Renewing)
	if s.now-start != 1800*sec {
		t.Errorf("T1 after %v", s.now-start)
	}
	r := s.one(req)
	if !r.unicast || r.src != address || r.dst != server1 {
		t.Errorf("renewing: unicast %t, %v to %v", r.unicast, r.src, r.dst)
	}
	extension(t, r)
	left := 1350 * sec // to T2
	for s.m.State() == Renewing {
		want := max(left/2, time.Minute)
		if want > left {
			want = left
		}
		if got := s.tick(); got != want {
			t.Errorf("pause of %v with %v left, want %v", got, left, want)
		}
		left -= want
		if s.m.State() == Renewing {
			again := s.one(req)
			if again.TransactionID != r.TransactionID {
				t.Error("renewal repeated with another xid")
			}
			extension(t, again)
		}
	}
	s.state(Rebinding)
	if s.now-start != 3150*sec {
		t.Errorf("T2 after %v", s.now-start)
	}
	b := s.one(req)
	if b.unicast || b.src != address || b.dst.String() != "255.255.255.255" || b.TransactionID == r.TransactionID {
		t.Errorf("rebinding: %v from %v to %v", b, b.src, b.dst)
	}
	extension(t, b)
	for s.m.State() == Rebinding {
		s.tick()
		if l, _ := s.m.Lease(); (l == nil) != (s.now-start >= 3600*sec) {
			t.Errorf("lease %v after %v", l, s.now-start)
		}
	}
	s.state(Init)
	s.take()
	s.tick()
	if d := s.one(discover); d.addr(optRequestedIP) != address.String() {
		t.Error("the address it had is not asked for again")
	}
	if !slices.Equal(s.events, []EventKind{Obtained, Expired}) {
		t.Errorf("events %v", s.events)
	}
}

func extension(t *testing.T, r sent) {
	t.Helper()
	if r.ClientIPAddr.String() != address.String() || r.addr(optRequestedIP) != "" || r.addr(optServerID) != "" {
		t.Errorf("renewal must have ciaddr and neither 50 nor 54: %v", r)
	}
}

// What an answer does in RENEWING and REBINDING.
func TestExtensions(t *testing.T) {
	for _, tt := range []struct {
		name   string
		in     State
		from   int
		change []func(*dhcpv4.DHCPv4)
		kind   dhcpv4.MessageType
		state  State
		event  EventKind
	}{
		{"renewed", Renewing, 1, nil, ack, Bound, Renewed},
		{"another gateway", Renewing, 1, []func(*dhcpv4.DHCPv4){option(optRouter, server2.AsSlice())}, ack, Bound, Altered},
		{"rebound by another server", Rebinding, 2, nil, ack, Bound, Altered},
		{"refused", Renewing, 1, nil, nak, Init, Refused},
		{"refused by a stranger", Renewing, 2, nil, nak, Renewing, Obtained},
		{"refused while rebinding", Rebinding, 2, nil, nak, Init, Refused},
		{"moved", Renewing, 1, []func(*dhcpv4.DHCPv4){func(p *dhcpv4.DHCPv4) { p.YourIPAddr = ip("192.0.2.101").AsSlice() }}, ack, Bound, Moved},
		{"ACK without time", Renewing, 1, []func(*dhcpv4.DHCPv4){option(optLeaseTime, nil)}, ack, Renewing, Obtained},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSim(t)
			s.T = t
			s.bound()
			for s.m.State() != tt.in {
				s.tick()
			}
			s.take()
			from, at := server1, s.now
			if tt.from == 2 {
				from = server2
			}
			s.hear(s.reply(tt.kind, from, tt.change...))
			for s.m.State() == Checking {
				s.tick()
			}
			s.take()
			s.state(tt.state)
			if got := s.events[len(s.events)-1]; got != tt.event {
				t.Errorf("event %v, want %v", got, tt.event)
			}
			l, start := s.m.Lease()
			if (l != nil) != (tt.state != Init) {
				t.Errorf("lease %v", l)
			}
			if tt.state == Bound && (l.Server != from || start > at || s.m.deadline != start+1800*sec) {
				t.Errorf("server %v, start %v, asked %v, T1 at %v", l.Server, start, at, s.m.deadline)
			}
		})
	}
}

// A lease of 8 seconds: one renewal, one rebinding, gone.
func TestShortLease(t *testing.T) {
	s := newSim(t)
	s.bound(option(optLeaseTime, u32(8)), option(optT1, u32(2)), option(optT2, u32(5)))
	_, start := s.m.Lease()
	var seen []State
	for s.m.State() != Init {
		s.tick()
		seen = append(seen, s.m.State())
	}
	if !slices.Equal(seen, []State{Renewing, Rebinding, Init}) || s.now-start != 8*sec {
		t.Errorf("%v after %v", seen, s.now-start)
	}
}

func TestInfiniteLease(t *testing.T) {
	s := newSim(t)
	s.bound(option(optLeaseTime, u32(Infinite)), option(optT1, u32(5)))
	if d := s.m.Deadline(); d != Never {
		t.Errorf("an infinite lease waits for %v", d)
	}
	s.m.LinkDown(s.now)
	if d := s.m.Deadline(); d != Never {
		t.Errorf("without link it waits for %v", d)
	}
	s.m.LinkUp(s.now + 1e6*sec)
	s.state(InitReboot)
}

func TestTimes(t *testing.T) {
	for _, tt := range []struct {
		name                        string
		lease, t1, t2, want1, want2 uint32
	}{
		{"defaults", 3600, 0, 0, 1800, 3150},
		{"as sent", 3600, 600, 1200, 600, 1200},
		{"T1 alone", 3600, 600, 0, 600, 3150},
		{"T1 above T2", 3600, 2000, 1900, 1800, 1900},
		{"T1 is T2", 3600, 1900, 1900, 1800, 1900},
		{"T2 is the lease", 3600, 600, 3600, 600, 3150},
		{"T2 beyond", 3600, 600, 7200, 600, 3150},
		{"both beyond", 3600, 5000, 7200, 1800, 3150},
		{"T2 before the middle, T1 behind it", 3600, 1500, 1000, 1800, 3150},
		{"infinite T1", 3600, Infinite, Infinite, 1800, 3150},
		{"infinite lease", Infinite, 5, 7, Infinite, Infinite},
		{"no overflow", Infinite - 1, 0, 0, 2147483647, 3758096382},
		{"shortest", MinSeconds, 0, 0, 2, 3},
	} {
		if t1, t2 := times(tt.lease, tt.t1, tt.t2); t1 != tt.want1 || t2 != tt.want2 {
			t.Errorf("%s: got %d %d, want %d %d", tt.name, t1, t2, tt.want1, tt.want2)
		}
	}
}

// NAKs over and over are answered slower and slower.
func TestNakLoop(t *testing.T) {
	s := newSim(t)
	s.m.LinkUp(0)
	var pauses []time.Duration
	for range 8 {
		pauses = append(pauses, s.tick())
		s.one(discover)
		s.hear(s.reply(offer, server1))
		s.one(req)
		s.hear(s.reply(nak, server1))
		s.state(Init)
		s.take()
	}
	if want := []time.Duration{firstPause / 2, firstPause / 2, 2 * sec, 4 * sec, 8 * sec, 16 * sec, 32 * sec, 60 * sec}; !slices.Equal(pauses, want) {
		t.Errorf("pauses %v, want %v", pauses, want)
	}
}

// A process gives back what an earlier one got, if the lease is not over.
func TestReleaseOfAnEarlierLease(t *testing.T) {
	for _, tt := range []struct {
		name     string
		obtained time.Duration
		known    bool
		want     int
	}{
		{"half way", -30 * time.Minute, true, 1},
		{"over", -2 * time.Hour, true, 0},
		{"nobody knows how old", 0, false, 0},
	} {
		s := newSim(t)
		l := &Lease{Address: netip.MustParsePrefix("192.0.2.100/24"), Server: server1, Seconds: 3600, T1: 1800, T2: 3150, Via: frame.MAC(hisMAC)}
		s.m.Remember(l, tt.obtained, tt.known)
		s.m.Release(s.now)
		o := s.m.Take()
		if len(o.Datagrams) != tt.want || tt.want == 1 && (o.Datagrams[0].Via != l.Via || o.Datagrams[0].From != address) {
			t.Errorf("%s: sent %+v, want %d", tt.name, o.Datagrams, tt.want)
		}
		s.state(Released)
	}
}

// Answers in frames say which station leads to the server; those of a socket
// leave what was known, and a router that takes another's place is no change.
func TestVia(t *testing.T) {
	s := newSim(t)
	s.m.LinkUp(s.now)
	s.tick()
	s.one(discover)
	framed := func(from [6]byte, payload []byte) []byte {
		f := udpFrame(from, server1, payload)
		copy(f[frame.EtherLen+frame.IPLen:], []byte{0, 67, 0, 68, f[38], f[39], 0, 0})
		return f
	}
	s.m.Frame(s.now, framed(hisMAC, s.reply(offer, server1)))
	s.one(req)
	s.m.Frame(s.now, framed(hisMAC, s.reply(ack, server1)))
	s.checked()
	for i, step := range []struct {
		from [6]byte // zero: by the socket
		want [6]byte
	}{{[6]byte{}, hisMAC}, {[6]byte{2, 9}, [6]byte{2, 9}}, {[6]byte{}, [6]byte{2, 9}}} {
		s.tick()
		if o := s.m.out.Datagrams; len(o) != 1 || i == 0 && o[0].Via != frame.MAC(hisMAC) {
			t.Errorf("step %d: renewal %+v", i, o)
		}
		s.take()
		if step.from == ([6]byte{}) {
			s.hear(s.reply(ack, server1))
		} else {
			s.m.Frame(s.now, framed(step.from, s.reply(ack, server1)))
		}
		s.take()
		if l, _ := s.m.Lease(); l.Via != frame.MAC(step.want) || s.events[len(s.events)-1] != Renewed {
			t.Errorf("step %d: via %x, %v", i, l.Via, s.events[len(s.events)-1])
		}
	}
}

// Frames of ours on a tag, and to a station.
func TestFramesOnTheWire(t *testing.T) {
	d := Datagram{From: address, To: server1, Via: frame.MAC(hisMAC), Payload: []byte("hello")}
	f := viaFrame(ourMAC, d)
	if [6]byte(f[:6]) != hisMAC || [6]byte(f[6:]) != ourMAC || string(f[len(f)-5:]) != "hello" || netip.AddrFrom4([4]byte(f[30:])) != server1 ||
		frame.Sum(0, f[frame.EtherLen:frame.EtherLen+frame.IPLen]) != 0xffff || frame.Sum(uint32(frame.PseudoSum(f[frame.EtherLen:])), f[frame.EtherLen+frame.IPLen:]) != 0xffff {
		t.Errorf("frame %x", f)
	}
	if b := frame.Tagged(f, 0xabc); string(b[:12]) != string(f[:12]) || string(b[12:16]) != "\x81\x00\x0a\xbc" || string(b[16:]) != string(f[12:]) {
		t.Errorf("tagged %x", b)
	}
	if d.Via = (frame.MAC{}); [6]byte(viaFrame(ourMAC, d)) != frame.Broadcast {
		t.Error("a station nobody knows is not all stations")
	}
}

func TestRelease(t *testing.T) {
	s := newSim(t)
	s.bound()
	s.m.Release(s.now)
	r := s.one(dhcpv4.MessageTypeRelease)
	if !r.unicast || r.dst != server1 || r.ClientIPAddr.String() != address.String() || r.addr(optServerID) != server1.String() ||
		r.addr(optRequestedIP) != "" || r.Options[optParameters] != nil || string(r.Options[optClientID]) != string(ourID) {
		t.Errorf("RELEASE: %v to %v", r, r.dst)
	}
	s.state(Released)
	if l, _ := s.m.Lease(); l != nil || s.m.Deadline() != Never {
		t.Errorf("after release: %v, %v", l, s.m.Deadline())
	}
	s.m.LinkDown(s.now)
	s.m.LinkUp(s.now)
	s.tick()
	if d := s.one(discover); d.addr(optRequestedIP) != "" {
		t.Error("a released address is asked for again")
	}
}
