package session_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/router"
	"waymark/svr/session"
	"waymark/svr/wire"
)

// watcher hears what an engine saw of its paths.
type watcher struct {
	big, dead, carried int
	forgotten          int
	fits               []int
	asked              int64
	seen               func(ifc uint16) int64 // nil: all
}

func (w *watcher) TooBig(_ policy.PathID, fits int)       { w.fits = append(w.fits, fits) }
func (w *watcher) Vanishing(policy.PathID)                { w.big++ }
func (w *watcher) NoData(_ policy.PathID, asked, _ int64) { w.dead, w.asked = w.dead+1, asked }
func (w *watcher) Carried(policy.PathID)                  { w.carried++ }
func (w *watcher) Forgotten(policy.PathID)                { w.forgotten++ }

// watchedPair is an established UDP session whose branch is watched.
type watchedPair struct {
	*pairOf
	w           *watcher
	branch, hub *node
}

func newWatched(t *testing.T, proto uint8, replace ...string) *watchedPair {
	c := makeWatched(t, proto, replace...)
	c.talk(3)
	c.settled()
	c.s.advance(2e9)
	return c
}

// makeWatched is newWatched before anything was said.
func makeWatched(t *testing.T, proto uint8, replace ...string) *watchedPair {
	s, a := newSim(t), acmeAuthority(t, replace...)
	w := &watcher{}
	prof := router.Profile{Name: "sim", Sessions: 4096, Slots: 16384, Wayports: 16384, Mappings: 1024, Hops: 256}
	branch := s.bootWith(a, "branch1", prof, router.Options{Watcher: w, Seen: func(ifc uint16) int64 {
		if w.seen == nil {
			return s.now
		}
		return w.seen(ifc)
	}})
	hub := s.boot(a, "hub1", false)
	near, far := ends(proto, 4, "192.168.1.77", "10.20.0.5")
	c := &watchedPair{newPair(t, s, "branch1", "hub1", proto, near, far), w, branch, hub}
	c.farIf = "dc"
	return c
}

// pour sends packets of so many bytes that lose themselves on the path or at the
// far host, over so much time.
func (c *watchedPair) pour(n, size int, during int64) {
	for range n {
		p := c.make(false, noise(size))
		c.branch.from("lan", p)
		c.s.advance(during / int64(n))
	}
}

// lossy loses what the branch sends and is longer than a number of bytes, control
// messages included.
func (c *watchedPair) lossy(longer int) {
	c.s.tamper = func(f *flight) []flight {
		if f.from == c.branch && f.p.Len() > longer {
			return nil
		}
		return []flight{*f}
	}
}

// Big packets that nothing comes back for raise a doubt within half a second;
// small ones, and those that are answered, do not.
func TestVanishingPacketsAreDoubted(t *testing.T) {
	for _, proto := range []uint8{packet.ProtoUDP, packet.ProtoTCP} {
		c := newWatched(t, proto)
		c.pour(10, 100, 5e8)
		if c.w.big > 0 {
			t.Errorf("%s: small packets are doubted", protoName(proto))
		}
		c.data(true, noise(10))
		for range 20 { // answered ones
			c.data(false, noise(1300))
			c.data(true, noise(10))
			c.s.advance(5e7)
		}
		if c.w.big > 0 {
			t.Errorf("%s: answered packets are doubted", protoName(proto))
		}
		c.lossy(1200)
		c.pour(6, 1300, 6e8)
		if c.w.big == 0 {
			t.Errorf("%s: no doubt\n%s", protoName(proto), c.branch.explain())
		}
		if c.w.carried == 0 {
			t.Errorf("%s: nobody heard that the path carries anything", protoName(proto))
		}
	}
}

// A host that does not answer is no path that does not: the peer says that it
// has the session.
func TestHealthCheck(t *testing.T) {
	c := newWatched(t, packet.ProtoUDP)
	c.pour(20, 100, 3e9)
	if c.w.dead > 0 {
		t.Error("the far host is silent, and the path counts as dead")
	}
	if sent, got := c.branch.count(session.SentHealth), c.branch.count(session.ReceivedHealthAnswer); sent == 0 || got != sent {
		t.Errorf("%d health checks, %d answers", sent, got)
	}
	if n := c.branch.count(session.HealthTimeout); n > 0 {
		t.Errorf("%d checks were repeated", n)
	}
}

// Nothing arrives: three health checks have no answer, and the path is told.
func TestNoAnswerToHealthChecks(t *testing.T) {
	c := newWatched(t, packet.ProtoUDP)
	c.lossy(0)
	c.pour(20, 100, 2e9)
	if c.w.dead == 0 {
		t.Fatalf("not told\n%s", c.branch.explain())
	}
	if n := c.branch.count(session.SentHealth); n < 3 || n > 20 {
		t.Errorf("%d health checks in 2 s, want 3 or more, one a look at most", n)
	}
	if c.w.asked == 0 || c.w.asked >= c.s.now {
		t.Errorf("the last left at %d, now is %d", c.w.asked, c.s.now)
	}
}

// A router that loses what arrives or is late with it, and one whose peer does, asks
// nobody and doubts no path; as soon as that is over it does.
func TestOverloadIsNoDeadPath(t *testing.T) {
	for _, c := range []struct {
		name string
		is   func(c *watchedPair, over bool)
	}{
		{"what arrives is lost", func(c *watchedPair, over bool) {
			c.w.seen = func(uint16) int64 { return map[bool]int64{true: 0, false: c.s.now}[over] }
		}},
		{"what arrives waits", func(c *watchedPair, over bool) {
			c.w.seen = func(uint16) int64 { return c.s.now - map[bool]int64{true: 2e8, false: 5e7}[over] }
		}},
		{"the peer sheds load", func(c *watchedPair, over bool) {
			if over {
				c.branch.parts.Carrier.SetShedding(0, c.s.now)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newWatched(t, packet.ProtoUDP)
			p.lossy(0)
			for range 60 {
				c.is(p, true)
				p.pour(1, 100, 1e8)
			}
			if n := p.branch.count(session.SentHealth); n > 0 || p.w.dead > 0 {
				t.Errorf("%d health checks, told %d times", n, p.w.dead)
			}
			c.is(p, false)
			p.pour(30, 100, 3e9)
			if p.w.dead == 0 {
				t.Errorf("a dead path is not found afterwards\n%s", p.branch.explain())
			}
		})
	}
}

// A flow that nobody ever answers finds it out, too, however long it has been so.
func TestOneWayFlowFindsDeadPath(t *testing.T) {
	c := newWatched(t, packet.ProtoUDP)
	c.pour(120, 100, 12e9)
	if n := c.branch.count(session.SentHealth); c.w.dead > 0 || n < 2 || n > 4 {
		t.Errorf("%d health checks in 12 s, told %d times", n, c.w.dead)
	}
	c.lossy(0)
	c.pour(70, 100, 7e9)
	if c.w.dead == 0 {
		t.Errorf("not told\n%s", c.branch.explain())
	}
}

// Where half is lost of what the path carries, one answer of several comes.
func TestLossIsNoDeadPath(t *testing.T) {
	c := newWatched(t, packet.ProtoUDP)
	dice := rand.New(rand.NewPCG(1, 8))
	c.s.tamper = func(f *flight) []flight {
		if f.from == c.branch && dice.IntN(2) == 0 {
			return nil
		}
		return []flight{*f}
	}
	c.pour(600, 100, 60e9)
	if c.w.dead > 2 { // twice it takes longer than an answer; BFD decides
		t.Errorf("told %d times\n%s", c.w.dead, c.branch.explain())
	}
}

// inactive is session-recovery-detection by inactivity, at both routers.
var inactive = []string{`"name": "acme",`, `"name": "acme", "session-recovery-detection": {"mode": "inactivity-based", "inactivity-timeout": 3},`}

// A peer that forgot a session: in one mode any packet of it shows that, in the
// other a health check after the inactivity-timeout, and strangers hear nothing
// before.
func TestRecoveryDetection(t *testing.T) {
	for _, mode := range []struct {
		name    string
		replace []string
		waits   bool
	}{{"packet-based", nil, false}, {"inactivity-based", inactive, true}} {
		t.Run(mode.name, func(t *testing.T) {
			c := newWatched(t, packet.ProtoUDP, mode.replace...)
			hub := c.s.boot(acmeAuthority(t, mode.replace...), "hub1", true)
			hub.parts.Engine.Begin(c.s.now, c.s.unix)
			c.data2(t, hub)
			if asked := hub.count(session.SentEnable); (asked == 0) != mode.waits {
				t.Errorf("after one packet %d answers", asked)
			}
			for range 12 {
				c.pour(1, 50, 5e8)
			}
			if c.w.forgotten == 0 {
				t.Error("the path does not hear that the peer forgot the session")
			}
			c.data(false, noise(30))
			c.data(true, noise(30))
		})
	}
}

// data2 lets a hub that proved nothing yet see its peer, and one packet of the
// session that it forgot.
func (c *watchedPair) data2(t *testing.T, hub *node) {
	t.Helper()
	other := newPair(t, c.s, "branch1", "hub1", packet.ProtoUDP, "192.168.1.78:4000", "10.20.0.5:443")
	other.farIf = "dc"
	other.talk(1)
	c.branch.from("lan", c.make(false, noise(50)))
	c.s.run()
}

// keeps is a session-type that wants its NAT bindings kept.
var keeps = []string{`"session-type": [`, `"session-type": [{"name": "web", "service-class": "standard", "timeout": 100000, "nat-keep-alive": true,
	"transport": [{"protocol": "udp", "port-range": [{"start-port": 443}]}, {"protocol": "tcp", "port-range": [{"start-port": 443}]}]},`}

// A session that rests is kept open where its session-type asks for it, at the
// spacing of the path's leaves, and ends as it would have without.
func TestNATKeepAlive(t *testing.T) {
	spacing := []string{`"topology": "spoke",`, `"topology": "spoke", "nat-keep-alive": {"tcp-inactivity-timeout": 40, "udp-inactivity-timeout": 20},`}
	off := []string{`"topology": "spoke",`, `"topology": "spoke", "nat-keep-alive": {"mode": "disabled"},`}
	for _, c := range []struct {
		name    string
		proto   uint8
		replace []string
		want    uint64 // in 99 s
	}{
		{"not asked for", packet.ProtoUDP, nil, 0},
		{"udp", packet.ProtoUDP, append(spacing, keeps...), 4},
		{"tcp", packet.ProtoTCP, append(spacing, keeps...), 2},
		{"udp, the default of 30 s", packet.ProtoUDP, keeps, 3},
		{"disabled", packet.ProtoUDP, append(off, keeps...), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newWatched(t, c.proto, c.replace...)
			before, arrived := p.branch.count(session.SentKeepAlive), len(p.called.got)
			p.s.advance(97e9)
			if got := p.branch.count(session.SentKeepAlive) - before; got != c.want {
				t.Errorf("%d keep-alives, want %d", got, c.want)
			}
			if n := len(p.called.got) - arrived; n > 0 {
				t.Errorf("%d of them came out at the far host", n)
			}
			if len(c.replace) > 0 {
				p.s.advance(5e9)
				if p.branch.e.Live() != 0 {
					t.Error("keep-alives made the session live longer")
				}
			}
		})
	}
}

// The hop limit is raised by a number, by what BFD found, or not at all; the
// largest is 255.
func TestTTLPadding(t *testing.T) {
	for _, c := range []struct {
		leaf  string
		hops  int
		start uint8
		want  uint8 // between the routers
	}{
		{`"disabled"`, 9, 64, 63}, {`5`, 9, 64, 68}, {`"auto"`, 9, 64, 72}, {`"auto"`, 0, 64, 63}, {`255`, 0, 64, 254}, {`0`, 9, 64, 63},
	} {
		t.Run(c.leaf, func(t *testing.T) {
			p := makeWatched(t, packet.ProtoUDP, `"topology": "spoke",`, `"topology": "spoke", "ttl-padding": `+c.leaf+`,`)
			for i := range p.branch.tables.Paths {
				p.branch.parts.Carrier.SetHops(uint16(i), c.hops)
			}
			w := tap(p.s)
			q := p.make(false, noise(40))
			q.SetTTL(c.start)
			p.branch.from("lan", q)
			p.s.run()
			if got := w.take(); len(got) != 1 || got[0].p.TTL() != c.want {
				t.Errorf("%d packets, TTL %d, want %d", len(got), got[0].p.TTL(), c.want)
			}
		})
	}
}

// An ICMP too-big on a path that is probed is a hint, and nothing more: the path
// stays as it is, and no sender is told of less than 1,280 bytes.
func TestTooBigIsAHint(t *testing.T) {
	c := newWatched(t, packet.ProtoUDP)
	w := tap(c.s)
	c.data(false, noise(900))
	sent := w.take()[0].p
	before := c.branch.e.PathMTU(0)
	c.branch.from("fiber", icmp("203.0.113.1", sent, packet.ErrTooBig, 700))
	c.s.run()
	if len(c.w.fits) != 1 || c.w.fits[0] != 700 {
		t.Errorf("hints: %v", c.w.fits)
	}
	if got := c.branch.e.PathMTU(0); got != before {
		t.Errorf("path MTU %d, was %d", got, before)
	}
	told := c.caller.got[len(c.caller.got)-1]
	if q, ok := told.Quote(); !ok || q.MTU < 1280 {
		t.Errorf("the sender was told %d", q.MTU)
	}
}

// A probe that a router in between refuses is a hint, too; anything else about
// port 1280 is not.
func TestTooBigAboutAProbe(t *testing.T) {
	c := newWatched(t, packet.ProtoUDP)
	probe := udp(tuple(packet.ProtoUDP, "203.0.113.2:1280", "198.51.100.2:1280"), noise(1472))
	other := udp(tuple(packet.ProtoUDP, "203.0.113.2:1280", "192.0.2.9:1280"), noise(1472))
	c.branch.from("fiber", icmp("203.0.113.1", other, packet.ErrTooBig, 1400))
	c.branch.from("fiber", icmp("203.0.113.1", probe, packet.ErrTTL, 0))
	c.branch.from("fiber", icmp("203.0.113.1", probe, packet.ErrTooBig, 1400))
	if len(c.w.fits) != 1 || c.w.fits[0] != 1400 {
		t.Errorf("hints: %v, want one", c.w.fits)
	}
}

// The request is a packet of the session with TLV 46, and no metadata that could
// open one.
func TestHealthRequestOnTheWire(t *testing.T) {
	c := newWatched(t, packet.ProtoUDP)
	w := tap(c.s)
	c.pour(10, 100, 1e9)
	found := 0
	for _, f := range w.take() {
		b := f.p.Payload()
		var h wire.Header
		if f.from != c.branch || !bytes.HasPrefix(b, []byte{0x4c, 0x48, 0xdb, 0xc6}) || wire.ParseHeader(b, &h) != nil {
			continue
		}
		found++
		if !h.Has.Has(wire.TypeHealthCheck) || h.HealthCheck != wire.HealthRequest || h.PayloadLen != 0 {
			t.Errorf("header %+v", h)
		}
	}
	if found != 1 {
		t.Errorf("%d requests, want 1", found)
	}
}
