package peer_test

import (
	"fmt"
	"net/netip"
	"testing"

	"waymark/svr/path/ambient"
	"waymark/svr/path/natlife"
	"waymark/svr/path/peer"
	"waymark/svr/wire"
)

// gate is a NAT before the branch that forgets silent bindings: by scratch port,
// 0 is that of BFD.
type gate struct {
	lifetime int64
	bindings map[uint8]*binding
	next     uint16
	forgot   int // bindings of BFD that were lost
}

type binding struct {
	port uint16
	used int64
}

var natted = netip.MustParseAddr("192.0.2.77")

func newGate(lifetime int64) *gate {
	return &gate{lifetime: lifetime, bindings: map[uint8]*binding{}, next: 30000}
}

// closes notes that a scratch port is closed.
func (g *gate) closes(s *side, o *peer.Sending) bool {
	if o.Scratch != 0 && len(o.Data) == 0 {
		delete(g.bindings, o.Scratch)
		return true
	}
	return false
}

// pass translates a packet, false: it is dropped.
func (g *gate) pass(s *side, o *peer.Sending, p *packet) bool {
	now := s.net.now
	if s == s.net.branch {
		b := g.bindings[o.Scratch]
		if b == nil || now-b.used >= g.lifetime {
			if b != nil && o.Scratch == 0 {
				g.forgot++
			}
			g.next++
			b = &binding{port: g.next}
			g.bindings[o.Scratch] = b
		}
		b.used = now
		p.from = netip.AddrPortFrom(natted, b.port)
		return true
	}
	for scratch, b := range g.bindings {
		if o.To == netip.AddrPortFrom(natted, b.port) && now-b.used < g.lifetime {
			b.used = now
			p.scratch = scratch
			return true
		}
	}
	return false
}

// newLTE is a branch on a metered link behind a NAT, and a hub on a wire.
func newLTE(t testing.TB, lifetime int64, change ...func(*network)) *network {
	n := newNetwork(t, append(change, func(n *network) {
		n.learned, n.delay, n.gate = true, 40*ms, newGate(lifetime)
		n.tune = func(c *peer.PathConfig) {
			c.Test = peer.TestConfig{Length: 10, Interval: 10 * sec}
			if c.Peer == "hub1" {
				c.Metered, c.NAT = true, natlife.New(natlife.Known{}, n.now/sec, n.now)
				c.Test = peer.TestConfig{Length: 10, Interval: 3600 * sec, OnDemand: true, Wanted: n.wanted}
			}
		}
	})...)
	return n
}

// account starts the ledger of both ends.
func (n *network) account() *network {
	n.branch.ledger, n.hub.ledger = ambient.NewLedger(), ambient.NewLedger()
	n.start(n.branch)
	n.start(n.hub)
	return n
}

// An idle path on a metered link costs at most 5 MB in 30 days, 7 MB behind a NAT
// that remembers for 20 s; both directions, bytes of IP.
func TestIdleMonth(t *testing.T) {
	for _, row := range []struct {
		lifetime int64
		budget   uint64
	}{{20, 7e6}, {40, 5e6}, {65, 5e6}, {130, 5e6}, {600, 5e6}} {
		t.Run(fmt.Sprint(row.lifetime), func(t *testing.T) {
			t.Parallel()
			n := newLTE(t, row.lifetime*sec).account()
			n.run(30 * 86400 * sec)
			n.branch.is(peer.Up)
			n.hub.is(peer.Up)
			total := uint64(0)
			for _, r := range n.branch.ledger.Rows(ambient.Month) {
				t.Logf("%-14s %7d events of %5.1f bytes: %.2f MB", r.Channel, r.Events, r.PerEvent(), float64(r.Bytes)/1e6)
				total += r.Bytes
			}
			if total > row.budget || total < row.budget/10 {
				t.Errorf("%.2f MB, want %.0f at most", float64(total)/1e6, float64(row.budget)/1e6)
			}
			plan, _ := n.branch.path.Plan()
			if predicted := ambient.Total(plan.Costs()); predicted < 0.99*float64(total) || predicted > 1.01*float64(total) {
				t.Errorf("predicted %.2f MB, measured %.2f", predicted/1e6, float64(total)/1e6)
			}
			if len(n.branch.verdicts) != 2 || n.gate.forgot > 2 {
				t.Errorf("verdicts %v; binding lost %d times", n.branch.verdicts, n.gate.forgot)
			}
			t.Logf("%.2f MB in 30 days, refreshed every %.1f s", float64(total)/1e6, plan.KeepAlive)
		})
	}
}

// Lifetimes are learned within 10 % through the wire of profile 1.
func TestLifetimeLearned(t *testing.T) {
	for _, lifetime := range []int64{20, 40, 65, 130} {
		n := newLTE(t, lifetime*sec)
		var nat *natlife.Learner
		tune := n.tune
		n.tune = func(c *peer.PathConfig) {
			tune(c)
			if c.NAT != nil {
				nat = c.NAT
			}
		}
		n.start(n.branch)
		n.run(900 * sec)
		if best := nat.Known().Best; best < lifetime*sec*9/10 || best > lifetime*sec {
			t.Errorf("%d s learned as %.1f s", lifetime, float64(best)/1e9)
		}
		n.branch.is(peer.Up)
		if len(n.branch.verdicts) != 2 {
			t.Errorf("verdicts %v", n.branch.verdicts)
		}
	}
}

// Steady packets have 96 bytes of IP, refreshes 29, nothing else is sent but the
// daily full form; the wired end sends nothing by itself.
func TestIdleForms(t *testing.T) {
	n := newLTE(t, 130*sec)
	n.run(1200 * sec)
	n.branch.sent, n.hub.sent = nil, nil
	n.run(6000 * sec)
	polls, refreshes := 0, 0
	for _, p := range n.branch.sent {
		switch len(p.data) + 28 {
		case 96:
			polls++
		case 29:
			refreshes++
		default:
			t.Errorf("%d bytes", len(p.data)+28)
		}
	}
	if polls != 20 || refreshes < 50 || len(n.hub.sent) != 20 {
		t.Errorf("%d polls, %d refreshes, %d answers", polls, refreshes, len(n.hub.sent))
	}
	// Other packets of the branch are bursts of its own.
	n.hub.sent = nil
	n.run(86400 * sec)
	for _, p := range n.hub.sent {
		var f wire.Frame
		if err := wire.ParseFrame(p.data, &f); err != nil || !f.BFD.Final && f.Form == wire.FormSteady && f.Header.Steady.Flags == 0 {
			t.Fatalf("the wired end spoke unasked: %+v, %v", f.BFD, err)
		}
	}
}

// A path that died while nobody looked is found within 2.5 s of the first packet
// that needs it; when it answers again within five seconds it is up at once.
func TestNeeded(t *testing.T) {
	n := newLTE(t, 130*sec, func(n *network) {})
	n.delay = 75 * ms
	n.run(1000 * sec)
	n.cut = [2]bool{true, true}
	n.run(20 * sec)
	n.branch.is(peer.Up)
	at := n.now
	n.branch.forgetVerdicts()
	n.branch.set.Traffic(0, at, 0, n.now)
	for n.now < at+2500*ms && len(n.branch.verdicts) == 0 {
		n.run(10 * ms)
		n.branch.set.Traffic(0, at, 0, n.now)
	}
	n.branch.is(peer.Down)
	t.Logf("found after %d ms", (n.now-at)/ms)
	n.cut = [2]bool{}
	n.run(1200 * ms)
	n.branch.is(peer.Up)
	n.cut = [2]bool{true, true}
	n.branch.set.Traffic(0, n.now, 0, n.now)
	n.run(10 * sec)
	n.branch.is(peer.Down)
	n.cut = [2]bool{}
	n.branch.forgetVerdicts()
	n.run(5 * sec)
	n.branch.is(peer.HeldDown) // too late for that
	n.run(5 * sec)
	n.branch.is(peer.Up)
}

// While session packets flow nothing is sent but a question a minute.
func TestBusy(t *testing.T) {
	n := newLTE(t, 130*sec)
	n.run(1000 * sec)
	n.branch.sent, n.hub.sent = nil, nil
	for range 3000 {
		for _, s := range []*side{n.branch, n.hub} {
			s.set.Traffic(0, n.now, n.now-50*ms, n.now)
		}
		n.run(100 * ms)
	}
	if polls := len(n.hub.sent); polls < 4 || polls > 12 {
		t.Errorf("%d packets of the hub in five minutes of traffic", polls)
	}
	if len(n.branch.verdicts) != 2 {
		t.Errorf("verdicts %v", n.branch.verdicts)
	}
}

// A NAT that forgets everything is followed: the hub finds the branch where it
// is now, by a challenge, and the branch learns that it was moved.
func TestRebind(t *testing.T) {
	n := newLTE(t, 130*sec)
	n.run(1000 * sec)
	for i := range 5 {
		clear(n.gate.bindings)
		n.run(700 * sec)
		best, _ := n.hub.path.Remote()
		if want := netip.AddrPortFrom(natted, n.gate.bindings[0].port); best != want {
			t.Errorf("rebind %d: hub speaks to %v, want %v", i, best, want)
		}
	}
	if st := n.branch.path.Status(); st.NATChanges != 5 {
		t.Errorf("the branch knows of %d changes", st.NATChanges)
	}
	if len(n.branch.verdicts) != 2 || len(n.hub.verdicts) != 1 {
		t.Errorf("verdicts %v, %v", n.branch.verdicts, n.hub.verdicts)
	}
}

// What the peer says of a session shows that a NAT forgot: BFD asks at once, and the
// hub knows the new place within seconds instead of at the next refresh.
func TestForgotten(t *testing.T) {
	n := newLTE(t, 60*sec).up()
	n.run(60 * sec)
	before, _ := n.hub.path.Remote()
	clear(n.gate.bindings)
	n.run(sec)
	if now, _ := n.hub.path.Remote(); now != before {
		t.Fatal("known without a packet")
	}
	sent := len(n.branch.sent)
	for range 20 { // every session says so
		n.branch.set.Forgotten(0, n.now)
		n.hub.set.Forgotten(0, n.now)
		n.run(10 * ms)
	}
	n.run(3 * sec)
	if now, _ := n.hub.path.Remote(); now == before {
		t.Errorf("the hub still looks for the branch at %v", now)
	}
	if more := len(n.branch.sent) - sent; more > 8 {
		t.Errorf("%d packets", more)
	}
	n.branch.is(peer.Up)
	n.hub.is(peer.Up)
}

// A hub that starts again and remembers where the branch was tells it at once; a
// hub that does not is found by the next question.
func TestHubForgets(t *testing.T) {
	for _, remembers := range []bool{true, false} {
		n := newLTE(t, 130*sec)
		n.run(1000 * sec)
		last, _ := n.hub.path.Remote()
		tune := n.tune
		n.tune = func(c *peer.PathConfig) {
			tune(c)
			if remembers && c.Peer == "branch1" {
				c.Last = last
			}
		}
		n.start(n.hub)
		n.run(sec)
		if v, _ := n.hub.path.Verdict(); (v == peer.Up) != remembers {
			t.Errorf("remembers %v: %v after a second", remembers, v)
		}
		n.run(310 * sec)
		n.hub.is(peer.Up)
		n.branch.is(peer.Up)
		for _, v := range n.branch.verdicts {
			if v == peer.Down {
				t.Errorf("remembers %v: %v", remembers, n.branch.verdicts)
			}
		}
	}
}

// A dead path is tried less and less often.
func TestDeadIsCheap(t *testing.T) {
	n := newLTE(t, 130*sec)
	n.run(1000 * sec)
	n.cut = [2]bool{true, true}
	n.run(3600 * sec)
	n.branch.is(peer.Down)
	n.branch.sent = nil
	n.run(3600 * sec)
	if len(n.branch.sent) > 85 || len(n.branch.sent) < 50 {
		t.Errorf("%d packets in an hour", len(n.branch.sent))
	}
	n.cut = [2]bool{}
	n.run(70 * sec)
	n.branch.is(peer.Up)
}

// Questions of strangers, answers that nobody asked for, and more questions than
// there is room for change nothing but counters.
func TestLifetimeBounds(t *testing.T) {
	n := newLTE(t, 130*sec)
	n.run(60 * sec)
	var question []byte
	for _, p := range n.branch.sent {
		var f wire.Frame
		if wire.ParseFrame(p.data, &f) == nil && f.Header.Steady.Flags&wire.FlagLifetime != 0 {
			question = p.data
		}
	}
	if question == nil {
		t.Fatal("no question was sent")
	}
	before := len(n.hub.sent)
	from := netip.AddrPortFrom(natted, 999)
	for range 50 {
		if d := n.hub.receive(packet{from: from, data: question}); d != peer.DropReplay {
			t.Fatalf("a question again: %v", d)
		}
	}
	question[len(question)-1] ^= 1
	if d := n.hub.receive(packet{from: from, data: question}); d != peer.DropDigest {
		t.Errorf("a forged question: %v", d)
	}
	if len(n.hub.sent) != before {
		t.Errorf("%d packets sent for them", len(n.hub.sent)-before)
	}
	if st := n.hub.path.Status(); st.Endpoints > 2 {
		t.Errorf("questions became %d endpoints", st.Endpoints)
	}
}

// Work that is due and cannot be done now is no reason to wake for it again and
// again: the path is held down while its NAT should be looked at, then it has no
// address.
func TestNoSpin(t *testing.T) {
	n := newLTE(t, 130*sec)
	n.run(8 * sec)
	n.cut = [2]bool{true, true}
	n.branch.set.Traffic(0, n.now, 0, n.now)
	n.run(8 * sec)
	n.branch.is(peer.Down)
	n.cut = [2]bool{}
	n.run(3 * sec)
	n.branch.is(peer.HeldDown)
	calm := func(what string) {
		t.Helper()
		wakes := 0
		for end := n.now + sec; ; wakes++ {
			at := n.branch.set.Next()
			if at > end || wakes > 1000 {
				break
			}
			n.now = max(n.now, at)
			n.branch.set.Advance(n.now)
		}
		if wakes > 100 {
			t.Errorf("%s: woke %d times in a second", what, wakes)
		}
	}
	calm("held down")
	n.run(5 * sec)
	n.branch.is(peer.Up)
	n.run(60 * sec)
	n.branch.set.SetLocal(0, netip.Addr{}, n.branch.wall(), n.now)
	n.run(30 * sec)
	calm("without an address")
}
