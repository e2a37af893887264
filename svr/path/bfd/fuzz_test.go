package bfd_test

import (
	"encoding/binary"
	"testing"

	"waymark/svr/path/bfd"
	"waymark/svr/wire"
)

// FuzzMachine drives a machine with any packets at any times: what is dropped
// changes nothing, what leaves obeys RFC 5880, and time never stands still.
func FuzzMachine(f *testing.F) {
	up := wire.AppendBFD(nil, &wire.BFD{State: wire.BFDUp, Multiplier: 3, MyDisc: their, YourDisc: ours, MinTx: 300_000, MinRx: 300_000})
	for _, first := range []wire.BFDState{wire.BFDDown, wire.BFDInit, wire.BFDAdminDown} {
		p := wire.BFD{State: first, Multiplier: 3, MyDisc: their, MinTx: 1e6, MinRx: 1e6}
		if first == wire.BFDInit {
			p.YourDisc = ours
		}
		f.Add(step(0, wire.AppendBFD(nil, &p), 200, up, 255, up), false)
	}
	f.Add(step(0, capture(f, 0), 3, capture(f, 2)), true)
	f.Fuzz(func(t *testing.T, script []byte, auth bool) {
		cfg := standard()
		if auth {
			cfg.Local, cfg.Auth = 0x3aaf1f25, svrtest()
		}
		m, now := bfd.New(cfg, sec), sec
		for len(script) >= 2 {
			wait, n := int64(script[0])*ms, int(script[1])
			script = script[2:]
			n = min(n, len(script))
			now += wait
			drain(t, m, now)
			before := *m
			if d := m.Receive(script[:n], now); d != bfd.DropNone && *m != before {
				t.Fatalf("packet %x dropped as %v changed the session", script[:n], d)
			}
			drain(t, m, now)
			script = script[n:]
		}
	})
}

func step(parts ...any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			b = append(b, byte(p))
		case []byte:
			b = append(append(b, byte(len(p))), p...)
		}
	}
	return b
}

func drain(t *testing.T, m *bfd.Machine, now int64) {
	t.Helper()
	var out []byte
	for i := 0; ; i++ {
		p, ok := m.Due(now)
		if !ok {
			break
		}
		if i > 8 {
			t.Fatal("the machine does not stop sending")
		}
		if p.Poll && p.Final || p.State != wire.BFDUp && p.MinTx < bfd.SlowTx || p.MyDisc == 0 {
			t.Fatalf("sent %+v", p)
		}
		out = m.Append(out[:0], &p)
		var back wire.BFD
		if n, err := wire.ParseBFD(out, &back); (err != nil || n != len(out)) && p.YourDisc != 0 {
			t.Fatalf("sent what nobody reads: %x, %v", out, err)
		}
		if back.AuthSeq != binary.BigEndian.Uint32(append(out, make([]byte, 32)...)[28:]) && back.AuthType != 0 {
			t.Fatalf("sequence %d in %x", back.AuthSeq, out)
		}
	}
	if m.Next() <= now {
		t.Fatalf("at %d nothing is due, Next says %d", now, m.Next())
	}
}
