package bfd_test

import (
	"testing"

	"waymark/svr/path/bfd"
	"waymark/svr/wire"
)

// The cases of VPP's test_bfd.py by their names, on a fake clock.
var cases = []struct {
	name string
	run  func(*testing.T)
}{
	{"session_up", func(t *testing.T) { newRig(t).up() }},
	{"session_up_by_ip", func(t *testing.T) { // your discriminator 0 until Init
		r := newRig(t)
		r.say(func(p *wire.BFD) { p.YourDisc = 0 })
		r.is(wire.BFDInit)
		if got := r.last(); got.YourDisc != their || got.State != wire.BFDInit {
			t.Errorf("got %+v", got)
		}
	}},
	{"session_up_from_init", func(t *testing.T) { // Down, and the peer is in Init
		r := newRig(t)
		r.say(state(wire.BFDInit))
		r.is(wire.BFDUp)
	}},
	{"session_down", func(t *testing.T) {
		r := newRig(t).up()
		r.say(state(wire.BFDDown))
		r.is(wire.BFDDown)
		if got := r.last(); got.Diag != bfd.DiagNeighbour || got.State != wire.BFDDown || got.at != r.now {
			t.Errorf("got %+v, want Down with diagnostic 3 at once", got)
		}
	}},
	{"hold_up", func(t *testing.T) {
		r := newRig(t).up()
		r.alive(20 * sec)
		r.is(wire.BFDUp)
	}},
	{"slow_timer", func(t *testing.T) { // not faster than 1 s while not up
		r := newRig(t)
		r.run(30 * sec)
		r.within(750, 1000)
		for _, p := range r.sent {
			if p.MinTx < bfd.SlowTx {
				t.Fatalf("desired min tx %d while down", p.MinTx)
			}
		}
	}},
	{"zero_remote_min_rx", func(t *testing.T) {
		r := newRig(t).up()
		r.say(minRx(0))
		n := len(r.sent)
		for range 8 {
			r.run(500 * ms)
			r.say(minRx(0))
		}
		if len(r.sent) != n {
			t.Errorf("%d packets to a peer that wants none", len(r.sent)-n)
		}
		r.say(minRx(0), polls) // an answer is not periodic
		if got := r.last(); !got.Final {
			t.Errorf("got %+v, want the answer to a poll", got)
		}
	}},
	{"conn_down", func(t *testing.T) { // 3 × 300 ms of silence
		r := newRig(t).up()
		r.run(899 * ms)
		r.is(wire.BFDUp)
		r.run(1 * ms)
		r.is(wire.BFDDown)
		if got := r.last(); got.Diag != bfd.DiagTime || got.YourDisc != 0 || got.at != r.now {
			t.Errorf("got %+v, want diagnostic 1 at once, discriminator forgotten", got)
		}
	}},
	{"peer_discr_reset_sess_down", func(t *testing.T) {
		r := newRig(t).up()
		r.say(state(wire.BFDDown), func(p *wire.BFD) { p.YourDisc = 0 })
		r.is(wire.BFDDown)
		r.run(2 * sec)
		if got := r.last(); got.YourDisc != 0 {
			t.Errorf("discriminator %x after a detection time of silence, want 0", got.YourDisc)
		}
	}},
	{"large_required_min_rx", func(t *testing.T) {
		r := newRig(t).up()
		r.say(minRx(3_000_000))
		r.sent = nil
		for range 60 {
			r.run(250 * ms)
			r.say(minRx(3_000_000))
		}
		r.within(2250, 3000)
	}},
	{"immediate_remote_min_rx_reduction", func(t *testing.T) {
		r := newRig(t).up()
		r.say(minRx(10_000_000))
		r.run(100 * ms)
		r.say(minRx(10_000_000))
		r.sent = nil
		r.run(100 * ms)
		r.say(minRx(300_000)) // must not wait out the old 10 s
		r.run(300 * ms)
		if len(r.sent) == 0 {
			t.Error("the packet still waits for the old interval")
		}
	}},
	{"modify_req_min_rx_double", func(t *testing.T) {
		r := newRig(t).up()
		r.m.SetIntervals(300_000, 600_000, r.now)
		r.drain()
		if got := r.last(); !got.Poll || got.MinRx != 600_000 {
			t.Errorf("got %+v, want a poll with the new value", got)
		}
		if _, d := r.m.Intervals(); d != 1800*ms {
			t.Errorf("detection %d ms, want 1800 at once", d/ms)
		}
	}},
	{"modify_req_min_rx_halve", func(t *testing.T) {
		r := newRig(t, func(c *bfd.Config) { c.RequiredRx = 600_000 }).up()
		r.m.SetIntervals(300_000, 300_000, r.now)
		r.drain()
		if _, d := r.m.Intervals(); d != 1800*ms {
			t.Errorf("detection %d ms before the poll ended, want 1800", d/ms)
		}
		r.say(final)
		if _, d := r.m.Intervals(); d != 900*ms {
			t.Errorf("detection %d ms after the poll, want 900", d/ms)
		}
	}},
	{"modify_des_min_tx_double", func(t *testing.T) { // slower only after the poll
		r := newRig(t).up()
		r.m.SetIntervals(600_000, 300_000, r.now)
		if tx, _ := r.m.Intervals(); tx != 300*ms {
			t.Errorf("tx %d ms before the poll ended, want 300", tx/ms)
		}
		r.drain()
		r.say(final)
		if tx, _ := r.m.Intervals(); tx != 600*ms {
			t.Errorf("tx %d ms after it, want 600", tx/ms)
		}
	}},
	{"modify_des_min_tx_halve", func(t *testing.T) { // faster at once
		r := newRig(t, func(c *bfd.Config) { c.DesiredTx = 600_000 }).up()
		r.m.SetIntervals(300_000, 300_000, r.now)
		r.drain()
		if tx, _ := r.m.Intervals(); tx != 300*ms || !r.last().Poll {
			t.Errorf("tx %d ms, poll %v, want 300 ms and a poll", tx/ms, r.last().Poll)
		}
	}},
	{"modify_detect_mult", func(t *testing.T) {
		r := newRig(t).up()
		r.m.SetMultiplier(7, r.now)
		r.drain()
		if got := r.last(); got.Multiplier != 7 || got.at != r.now {
			t.Errorf("got %+v, want multiplier 7 at once", got)
		}
		r.say(func(p *wire.BFD) { p.Multiplier = 10 })
		if _, d := r.m.Intervals(); d != 3000*ms { // the remote's multiplier counts
			t.Errorf("detection %d ms, want 10 × 300", d/ms)
		}
	}},
	{"queued_poll", func(t *testing.T) { // a second one waits for the first
		r := newRig(t).up()
		r.m.SetIntervals(300_000, 400_000, r.now)
		r.drain()
		r.m.SetIntervals(300_000, 500_000, r.now)
		r.run(40 * ms)
		r.say(final) // of the first
		if got := r.last(); got.Poll && got.at == r.now {
			t.Errorf("second poll in the same instant: %+v", got)
		}
		r.say() // final clear: the peer saw the end of the first
		r.run(1 * ms)
		if got := r.last(); !got.Poll || got.MinRx != 500_000 {
			t.Errorf("got %+v, want the second poll", got)
		}
	}},
	{"queued_poll_after_round_trip", func(t *testing.T) {
		r := newRig(t).up()
		r.m.Poll(r.now)
		r.drain()
		r.run(40 * ms)
		r.say(final)
		r.m.Poll(r.now)
		r.run(39 * ms)
		if r.m.Polling() {
			t.Error("second poll within a round trip of the first")
		}
		r.run(1 * ms)
		if !r.m.Polling() {
			t.Error("no second poll behind the round trip")
		}
	}},
	{"poll_response", func(t *testing.T) { // at once, and F alone
		r := newRig(t).up()
		r.say(polls)
		if got := r.last(); !got.Final || got.Poll || got.at != r.now {
			t.Errorf("got %+v, want final at once", got)
		}
		r.m.Poll(r.now)
		r.drain()
		r.say(polls)
		for _, p := range r.sent {
			if p.Poll && p.Final {
				t.Errorf("both bits in %+v", p)
			}
		}
	}},
	{"no_periodic_if_remote_demand", func(t *testing.T) {
		r := newRig(t).up()
		r.say(demand)
		n := len(r.sent)
		for range 8 {
			r.run(500 * ms)
			r.say(demand)
		}
		if len(r.sent) != n {
			t.Errorf("%d packets to a peer in demand mode", len(r.sent)-n)
		}
		r.say() // ends demand mode
		r.sent = nil
		r.alive(3 * sec)
		if len(r.sent) < 8 {
			t.Errorf("%d packets in 3 s after demand mode ended", len(r.sent))
		}
	}},
	{"config_change_remote_demand", func(t *testing.T) { // told by a poll all the same
		r := newRig(t).up()
		r.say(demand)
		r.sent = nil
		r.m.SetIntervals(300_000, 600_000, r.now)
		r.run(1 * ms)
		if got := r.last(); !got.Poll || got.MinRx != 600_000 {
			t.Errorf("got %+v, want a poll", got)
		}
		r.say(demand, final)
		r.sent = nil
		r.run(800 * ms)
		if len(r.sent) != 0 {
			t.Errorf("periodic packets behind the poll: %+v", r.sent)
		}
	}},
	{"multiplier_change_remote_demand", func(t *testing.T) {
		r := newRig(t).up()
		r.say(demand)
		r.m.SetMultiplier(9, r.now)
		r.run(1 * ms)
		if got := r.last(); !got.Poll || got.Multiplier != 9 {
			t.Errorf("got %+v, want a poll", got)
		}
	}},
	{"admin_up_down", func(t *testing.T) {
		r := newRig(t).up()
		r.m.SetAdminDown(true, r.now)
		r.drain()
		if got := r.last(); got.State != wire.BFDAdminDown || got.Diag != bfd.DiagAdmin {
			t.Errorf("got %+v, want admin-down with diagnostic 7", got)
		}
		r.sent = nil
		for range 12 { // goes on telling, and hears nothing
			r.run(250 * ms)
			r.say(state(wire.BFDDown))
			r.is(wire.BFDAdminDown)
		}
		if len(r.sent) < 2 {
			t.Error("the peer is not told for a detection time")
		}
		r.m.SetAdminDown(false, r.now)
		r.is(wire.BFDDown)
		r.peer.State = wire.BFDDown
		r.up()
	}},
	{"admin_down_peer", func(t *testing.T) { // no path failure, but down
		r := newRig(t).up()
		r.say(state(wire.BFDAdminDown), func(p *wire.BFD) { p.Diag = bfd.DiagAdmin })
		r.is(wire.BFDDown)
		if local, remote := r.m.Diag(); local != bfd.DiagNeighbour || remote != bfd.DiagAdmin {
			t.Errorf("diagnostics %d, %d, want 3, 7", local, remote)
		}
		r.say(state(wire.BFDAdminDown))
		r.is(wire.BFDDown)
	}},
	{"passive", func(t *testing.T) {
		r := newRig(t, func(c *bfd.Config) { c.Passive = true })
		r.silent(5 * sec)
		r.up()
		r.run(1 * sec)
		r.is(wire.BFDDown)
		r.run(5 * sec)
		r.sent = nil
		r.silent(5 * sec)
	}},
	{"jitter", func(t *testing.T) {
		r := newRig(t).up()
		r.alive(60 * sec)
		r.within(225, 300)
		spread(t, r.gaps(), 225, 300)
	}},
	{"jitter_multiplier_one", func(t *testing.T) {
		r := newRig(t, func(c *bfd.Config) { c.Multiplier = 1 }).up()
		r.alive(60 * sec)
		r.within(225, 270)
		spread(t, r.gaps(), 225, 270)
	}},
	{"up_starts_poll", func(t *testing.T) { // the interval changed from the slow one
		r := newRig(t)
		r.say()
		r.say(state(wire.BFDUp))
		if got := r.last(); !got.Poll || got.MinTx != 300_000 {
			t.Errorf("got %+v, want a poll with 300 ms", got)
		}
	}},
	{"demand_local", func(t *testing.T) {
		r := newRig(t, func(c *bfd.Config) { c.Demand = true }).up()
		r.run(60 * sec) // nobody speaks, and nothing is polled
		r.is(wire.BFDUp)
		if !r.last().Demand {
			t.Error("demand bit is not set")
		}
		r.m.Poll(r.now)
		r.drain()
		r.run(899 * ms)
		r.is(wire.BFDUp)
		r.run(1 * ms) // own multiplier × own interval without an answer
		r.is(wire.BFDDown)
	}},
	{"demand_bit_only_when_both_up", func(t *testing.T) {
		r := newRig(t, func(c *bfd.Config) { c.Demand = true })
		r.say()
		r.run(3 * sec)
		for _, p := range r.sent {
			if p.Demand {
				t.Fatalf("demand bit in %+v", p)
			}
		}
	}},
	{"demand_change_polls", func(t *testing.T) {
		r := newRig(t).up()
		r.m.SetDemand(true, r.now)
		r.run(ms)
		if got := r.last(); !got.Poll || !got.Demand {
			t.Errorf("got %+v, want a poll with the demand bit", got)
		}
		r.say(final)
		r.say()
		r.m.SetDemand(false, r.now)
		r.run(ms)
		if got := r.last(); !got.Poll || got.Demand {
			t.Errorf("got %+v, want a poll without the demand bit", got)
		}
	}},
	{"repeats", func(t *testing.T) { // docs/bfd.md: at once and twice more 20 ms apart
		r := newRig(t, func(c *bfd.Config) { c.Repeats = 2 }).up()
		r.say(state(wire.BFDDown))
		r.run(100 * ms)
		if len(r.sent) != 3 {
			t.Fatalf("%d packets, want 3", len(r.sent))
		}
		r.within(20, 20)
	}},
	{"restart", func(t *testing.T) { // by a new epoch of the peer
		r := newRig(t).up()
		r.m.Restart(r.now)
		r.is(wire.BFDDown)
		r.peer.State = wire.BFDDown
		r.up()
	}},
	{"no_expiry_when_we_want_none", func(t *testing.T) { // required min rx 0
		r := newRig(t, func(c *bfd.Config) { c.RequiredRx = 0 }).up()
		r.run(60 * sec)
		r.is(wire.BFDUp)
	}},
	{"peer_tx_slower_than_our_rx", func(t *testing.T) { // detection follows the peer's tx
		r := newRig(t).up()
		r.say(func(p *wire.BFD) { p.MinTx = 2_000_000 })
		r.run(5999 * ms)
		r.is(wire.BFDUp)
		r.run(ms)
		r.is(wire.BFDDown)
	}},
	{"init_expires", func(t *testing.T) {
		r := newRig(t)
		r.say()
		r.is(wire.BFDInit)
		r.run(900 * ms)
		r.is(wire.BFDDown)
	}},
}

func TestCases(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, c.run)
	}
}

// spread says that gaps use the whole of their range.
func spread(t *testing.T, gaps []int64, low, high int64) {
	t.Helper()
	least, most := gaps[0], gaps[0]
	for _, g := range gaps {
		least, most = min(least, g), max(most, g)
	}
	if tenth := (high - low) * ms / 10; least > low*ms+tenth || most < high*ms-tenth {
		t.Errorf("gaps from %.1f to %.1f ms, want %d to %d", float64(least)/1e6, float64(most)/1e6, low, high)
	}
}

// The table of states (RFC 5880 6.2), every cell.
func TestTransitions(t *testing.T) {
	A, D, I, U := wire.BFDAdminDown, wire.BFDDown, wire.BFDInit, wire.BFDUp
	for _, row := range []struct {
		local wire.BFDState
		want  [4]wire.BFDState // by received A, D, I, U
	}{
		{A, [4]wire.BFDState{A, A, A, A}},
		{D, [4]wire.BFDState{D, I, U, D}},
		{I, [4]wire.BFDState{D, I, U, U}},
		{U, [4]wire.BFDState{D, D, U, U}},
	} {
		for received, want := range row.want {
			r := newRig(t)
			switch row.local {
			case A:
				r.m.SetAdminDown(true, r.now)
			case I:
				r.say()
			case U:
				r.up()
			}
			r.is(row.local)
			r.say(state(wire.BFDState(received)))
			if got := r.m.State(); got != want {
				t.Errorf("%v, received %v: got %v, want %v", row.local, wire.BFDState(received), got, want)
			}
		}
	}
}
