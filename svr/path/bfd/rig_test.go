package bfd_test

import (
	"testing"

	"waymark/svr/path/bfd"
	"waymark/svr/wire"
)

const (
	ms    = int64(1e6)
	sec   = int64(1e9)
	ours  = 0x0a0b0c0d
	their = 0x1a1b1c1d
)

// rig is a machine on a fake clock with a peer that the test plays.
type rig struct {
	t    *testing.T
	m    *bfd.Machine
	now  int64
	sent []stamped // all that left, oldest first
	peer wire.BFD  // what the peer says when nothing else is asked for
}

type stamped struct {
	at int64
	wire.BFD
}

// standard is 300 ms each way, multiplier 3, as the captured sessions.
func standard() bfd.Config {
	return bfd.Config{Local: ours, DesiredTx: 300_000, RequiredRx: 300_000, Multiplier: 3, Seed: 1}
}

func newRig(t *testing.T, change ...func(*bfd.Config)) *rig {
	t.Helper()
	cfg := standard()
	for _, c := range change {
		c(&cfg)
	}
	r := &rig{t: t, now: 100 * sec}
	r.m = bfd.New(cfg, r.now)
	r.peer = wire.BFD{State: wire.BFDDown, Multiplier: 3, MyDisc: their, YourDisc: ours, MinTx: 300_000, MinRx: 300_000}
	r.drain()
	return r
}

// drain takes what the machine has to send now.
func (r *rig) drain() {
	r.t.Helper()
	for i := 0; ; i++ {
		p, ok := r.m.Due(r.now)
		if !ok {
			return
		}
		if i > 10 {
			r.t.Fatal("the machine does not stop sending")
		}
		r.sent = append(r.sent, stamped{r.now, p})
	}
}

// run lets time pass, as an honest shell does: it wakes when Next says.
func (r *rig) run(d int64) {
	r.t.Helper()
	end := r.now + d
	for {
		next := r.m.Next()
		if next > end {
			break
		}
		r.now = max(r.now, next)
		before := len(r.sent)
		r.drain()
		if r.m.Next() <= r.now && before == len(r.sent) {
			r.t.Fatalf("Next is %d, not later than now, and nothing is due", r.m.Next())
		}
	}
	r.now = end
	r.drain()
}

// alive lets time pass while the peer sends every 250 ms.
func (r *rig) alive(d int64) {
	r.t.Helper()
	for end := r.now + d; r.now < end; {
		r.run(min(250*ms, end-r.now))
		r.say()
	}
}

// say delivers a packet of the peer, with changes.
func (r *rig) say(change ...func(*wire.BFD)) {
	r.t.Helper()
	p := r.peer
	for _, c := range change {
		c(&p)
	}
	if d := r.m.Receive(wire.AppendBFD(nil, &p), r.now); d != bfd.DropNone {
		r.t.Fatalf("packet %+v dropped: %v", p, d)
	}
	r.drain()
}

// up brings the session up and ends the poll that follows.
func (r *rig) up() *rig {
	r.t.Helper()
	r.peer.YourDisc = 0
	r.say()
	r.is(wire.BFDInit)
	r.peer.YourDisc, r.peer.State = ours, wire.BFDUp
	r.say()
	r.is(wire.BFDUp)
	r.say(final)
	r.sent = nil
	return r
}

func (r *rig) is(want wire.BFDState) {
	r.t.Helper()
	if got := r.m.State(); got != want {
		r.t.Fatalf("at %v: state %v, want %v", r.now, got, want)
	}
}

// last is the newest packet that left.
func (r *rig) last() stamped {
	r.t.Helper()
	if len(r.sent) == 0 {
		r.t.Fatal("nothing was sent")
	}
	return r.sent[len(r.sent)-1]
}

// silent says that nothing leaves within d.
func (r *rig) silent(d int64) {
	r.t.Helper()
	n := len(r.sent)
	r.run(d)
	if len(r.sent) != n {
		r.t.Errorf("%d packets in %v ms, want none: %+v", len(r.sent)-n, d/ms, r.sent[n:])
	}
}

// gaps are the times between the packets that left.
func (r *rig) gaps() (list []int64) {
	for i := 1; i < len(r.sent); i++ {
		list = append(list, r.sent[i].at-r.sent[i-1].at)
	}
	return list
}

// within checks that every gap lies between bounds in milliseconds.
func (r *rig) within(low, high int64) {
	r.t.Helper()
	if len(r.sent) < 3 {
		r.t.Fatalf("only %d packets", len(r.sent))
	}
	for _, g := range r.gaps() {
		if g < low*ms || g > high*ms {
			r.t.Errorf("gap of %.1f ms, want %d to %d", float64(g)/1e6, low, high)
		}
	}
}

func final(p *wire.BFD)  { p.Final = true }
func polls(p *wire.BFD)  { p.Poll = true }
func demand(p *wire.BFD) { p.Demand = true }

func state(s wire.BFDState) func(*wire.BFD) { return func(p *wire.BFD) { p.State = s } }
func minRx(us uint32) func(*wire.BFD)       { return func(p *wire.BFD) { p.MinRx = us } }
