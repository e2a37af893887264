package bfd_test

import (
	"testing"

	"waymark/svr/path/bfd"
	"waymark/svr/wire"
)

// The variables of a new session (RFC 5880 6.8.1).
func TestInitialValues(t *testing.T) {
	r := newRig(t)
	first := r.sent[0]
	want := wire.BFD{State: wire.BFDDown, Multiplier: 3, MyDisc: ours, MinTx: bfd.SlowTx, MinRx: 300_000}
	if first.BFD != want {
		t.Errorf("first packet: got %+v\nwant %+v", first.BFD, want)
	}
	if r.m.RemoteState() != wire.BFDDown {
		t.Errorf("remote state %v", r.m.RemoteState())
	}
	if tx, detection := r.m.Intervals(); tx != sec || detection != 0 {
		t.Errorf("intervals %d, %d: the remote's min rx is 1 µs and nothing expires yet", tx, detection)
	}
	seqs := map[uint32]bool{}
	for seed := range uint64(50) {
		cfg := standard()
		cfg.Auth, cfg.Seed = svrtest(), seed
		m := bfd.New(cfg, sec)
		p, _ := m.Due(sec)
		m.Append(nil, &p)
		seqs[p.AuthSeq] = true
	}
	if len(seqs) < 50 {
		t.Errorf("%d first sequence numbers of 50 sessions", len(seqs))
	}
}

// What the session itself must refuse (RFC 5880 6.8.6), without a trace.
func TestSessionRefuses(t *testing.T) {
	for _, row := range []struct {
		name   string
		change func(*wire.BFD)
		want   bfd.Drop
	}{
		{"another discriminator", func(p *wire.BFD) { p.YourDisc++ }, bfd.DropDiscriminator},
		{"no discriminator in Init", func(p *wire.BFD) { p.YourDisc, p.State = 0, wire.BFDInit }, bfd.DropMalformed},
		{"no discriminator in Up", func(p *wire.BFD) { p.YourDisc = 0 }, bfd.DropMalformed},
		{"poll and final", func(p *wire.BFD) { p.Poll, p.Final = true, true }, bfd.DropPollFinal},
		{"authentication not in use", func(p *wire.BFD) { p.AuthType, p.AuthKeyID = wire.BFDAuthKeyedSHA1, 1 }, bfd.DropAuthType},
		{"no multiplier", func(p *wire.BFD) { p.Multiplier = 0 }, bfd.DropMalformed},
		{"no discriminator of its own", func(p *wire.BFD) { p.MyDisc = 0 }, bfd.DropMalformed},
	} {
		r := newRig(t).up()
		before := *r.m
		p := r.peer
		row.change(&p)
		if got := r.m.Receive(wire.AppendBFD(nil, &p), r.now); got != row.want {
			t.Errorf("%s: got %v, want %v", row.name, got, row.want)
		}
		if *r.m != before {
			t.Errorf("%s: the session changed", row.name)
		}
	}
}

// Contents of what is sent (RFC 5880 6.8.7), in every state.
func TestContents(t *testing.T) {
	r := newRig(t)
	r.say()
	r.say(state(wire.BFDUp))
	r.say(final)
	r.alive(3 * sec)
	r.say(state(wire.BFDDown))
	r.m.SetAdminDown(true, r.now)
	r.run(3 * sec)
	for _, p := range r.sent {
		if p.MinEcho != 0 || p.MyDisc != ours || p.Multiplier != 3 || p.MinRx != 300_000 || p.Poll && p.Final {
			t.Errorf("sent %+v", p)
		}
		if p.State == wire.BFDUp && p.MinTx != 300_000 || p.State != wire.BFDUp && p.MinTx < bfd.SlowTx {
			t.Errorf("desired min tx %d in %v", p.MinTx, p.State)
		}
	}
}
