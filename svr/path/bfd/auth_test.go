package bfd_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"testing"

	"waymark/svr/path/bfd"
	"waymark/svr/wire"
)

// captured are packets of BIRD 2.0.12 on port 1280, password "svrtest", key id
// 7, meticulous keyed SHA1.
var captured = []string{
	"20c40334c6171d9a3aaf1f25000493e0000493e000000000 051c0700 13351e9f 77030088aff8ff620d00db59c4122f4815092893",
	"20c403343aaf1f25c6171d9a000493e0000493e000000000 051c0700 fed9223e 1b7d10977900bf5b3d0835b19633835a390810ad",
	"20c40334c6171d9a3aaf1f25000493e0000493e000000000 051c0700 13351ea0 040b5a7a60611835e4cbf89135af27cbefa0fbc5",
}

func capture(t testing.TB, i int) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(captured[i], " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func svrtest() bfd.Auth { return bfd.NewAuth(wire.BFDAuthMeticulousSHA1, 7, []byte("svrtest")) }

// What BIRD sent is authentic, once; a replay and a changed bit are not.
func TestGoldenBIRD(t *testing.T) {
	cfg := standard()
	cfg.Local, cfg.Auth = 0x3aaf1f25, svrtest()
	m := bfd.New(cfg, sec)
	for _, row := range []struct {
		name string
		pkt  []byte
		want bfd.Drop
	}{
		{"other direction", capture(t, 1), bfd.DropDiscriminator},
		{"first", capture(t, 0), bfd.DropNone},
		{"replayed", capture(t, 0), bfd.DropAuthSequence},
		{"next", capture(t, 2), bfd.DropNone},
		{"older", capture(t, 0), bfd.DropAuthSequence},
		{"bit in the body", flip(capture(t, 2), 13), bfd.DropAuthDigest},
		{"bit in the digest", flip(capture(t, 2), 40), bfd.DropAuthDigest},
		{"bytes behind it", append(capture(t, 0), 1, 2, 3), bfd.DropAuthSequence},
	} {
		if row.want == bfd.DropAuthDigest { // or the sequence number speaks first
			row.pkt[31]++
		}
		if got := m.Receive(row.pkt, 2*sec); got != row.want {
			t.Errorf("%s: got %v, want %v", row.name, got, row.want)
		}
	}
}

// Ours are signed as BIRD's: the same packet gives the same bytes.
func TestGoldenAppend(t *testing.T) {
	want := capture(t, 2)
	var p wire.BFD
	if _, err := wire.ParseBFD(want, &p); err != nil {
		t.Fatal(err)
	}
	cfg := standard()
	cfg.Auth = svrtest()
	m := bfd.WithSequence(cfg, p.AuthSeq-1)
	got := p
	got.AuthType, got.AuthKeyID, got.AuthSeq, got.AuthDigest = 0, 0, 0, [20]byte{}
	if b := m.Append(nil, &got); !bytes.Equal(b, want) {
		t.Errorf("got\n%x, want\n%x", b, want)
	}
}

func flip(b []byte, at int) []byte { b[at] ^= 4; return b }

// couple are two machines with a wire between them that a test may cut.
type couple struct {
	t    *testing.T
	m    [2]*bfd.Machine
	now  int64
	cut  bool
	last [2][]byte // newest packet of each
	drop [2]bfd.Drop
}

func newCouple(t *testing.T, a bfd.Auth) *couple {
	c := &couple{t: t, now: sec}
	for i := range c.m {
		cfg := standard()
		cfg.Local, cfg.Auth, cfg.Seed = uint32(i+1), a, uint64(i+77)
		c.m[i] = bfd.New(cfg, c.now)
	}
	c.run(2 * sec)
	c.up("at the start")
	return c
}

func (c *couple) run(d int64) {
	for end := c.now + d; c.now < end; c.now += ms {
		for i, m := range c.m {
			for p, ok := m.Due(c.now); ok; p, ok = m.Due(c.now) {
				c.last[i] = m.Append(nil, &p)
				if c.cut {
					continue
				}
				if d := c.m[1-i].Receive(c.last[i], c.now); d != bfd.DropNone {
					c.drop[1-i] = d
				}
			}
		}
	}
}

func (c *couple) up(when string) {
	c.t.Helper()
	if c.m[0].State() != wire.BFDUp || c.m[1].State() != wire.BFDUp {
		c.t.Fatalf("%s: %v, %v, want both up", when, c.m[0].State(), c.m[1].State())
	}
}

func both(t *testing.T, test func(t *testing.T, kind uint8)) {
	for name, kind := range map[string]uint8{"keyed": wire.BFDAuthKeyedSHA1, "meticulous": wire.BFDAuthMeticulousSHA1} {
		t.Run(name, func(t *testing.T) { test(t, kind) })
	}
}

func TestAuthSessionHolds(t *testing.T) {
	both(t, func(t *testing.T, kind uint8) {
		c := newCouple(t, bfd.NewAuth(kind, 1, []byte("secret")))
		c.run(30 * sec)
		c.up("after 30 s")
		if c.drop != [2]bfd.Drop{} {
			t.Errorf("dropped: %v", c.drop)
		}
	})
}

// None of these packets changes a byte of an authenticated session.
func TestAuthRefuses(t *testing.T) {
	both(t, func(t *testing.T, kind uint8) {
		right := bfd.NewAuth(kind, 1, []byte("secret"))
		c := newCouple(t, right)
		down := wire.BFD{State: wire.BFDDown, Multiplier: 3, MyDisc: 2, YourDisc: 1, MinTx: 1e6, MinRx: 1e6}
		var last wire.BFD
		if _, err := wire.ParseBFD(c.last[1], &last); err != nil {
			t.Fatal(err)
		}
		for _, row := range []struct {
			name string
			auth bfd.Auth
			seq  uint32
			want bfd.Drop
		}{
			{"mismatch_auth: none", bfd.Auth{}, 0, bfd.DropAuthType},
			{"wrong type", bfd.NewAuth(9-kind, 1, []byte("secret")), last.AuthSeq + 1, bfd.DropAuthType},
			{"unknown key id", bfd.NewAuth(kind, 2, []byte("secret")), last.AuthSeq + 1, bfd.DropAuthKey},
			{"wrong password", bfd.NewAuth(kind, 1, []byte("Secret")), last.AuthSeq + 1, bfd.DropAuthDigest},
			{"bad_seq_number: behind", right, last.AuthSeq - 1, bfd.DropAuthSequence},
			{"bad_seq_number: too far", right, last.AuthSeq + 10, bfd.DropAuthSequence},
		} {
			before := *c.m[0]
			if got := c.m[0].Receive(bfd.Sign(down, row.auth, row.seq), c.now); got != row.want {
				t.Errorf("%s: got %v, want %v", row.name, got, row.want)
			}
			if *c.m[0] != before {
				t.Errorf("%s: the session changed", row.name)
			}
		}
		if got := c.m[0].Receive(bfd.Sign(down, right, last.AuthSeq+9), c.now); got != bfd.DropNone {
			t.Errorf("3 × multiplier ahead: got %v", got)
		}
	})
}

// A restarted peer begins with any number once twice the detection time passed.
func TestAuthResyncs(t *testing.T) {
	both(t, func(t *testing.T, kind uint8) {
		c := newCouple(t, bfd.NewAuth(kind, 1, []byte("secret")))
		cfg := standard()
		cfg.Local, cfg.Auth, cfg.Seed = 5, bfd.NewAuth(kind, 1, []byte("secret")), 4711
		c.m[1] = bfd.New(cfg, c.now)
		c.run(1500 * ms)
		if c.drop[0] != bfd.DropAuthSequence {
			t.Errorf("within twice the detection time: dropped %v, want auth-sequence", c.drop[0])
		}
		c.run(4 * sec)
		c.up("after the resync")
	})
}

func TestAuthChanges(t *testing.T) {
	one, two := bfd.NewAuth(wire.BFDAuthMeticulousSHA1, 1, []byte("one")), bfd.NewAuth(wire.BFDAuthKeyedSHA1, 2, []byte("two"))
	for _, row := range []struct {
		name    string
		from    bfd.Auth
		to      bfd.Auth
		delayed bool
	}{
		{"key change immediate", one, two, false}, {"key change delayed", one, two, true},
		{"auth on", bfd.Auth{}, one, true}, {"auth on immediate", bfd.Auth{}, one, false},
		{"auth off", two, bfd.Auth{}, true}, {"auth off immediate", two, bfd.Auth{}, false},
	} {
		c := newCouple(t, row.from)
		c.m[0].SetAuth(row.to, row.delayed, c.now)
		if row.delayed { // nothing changes until the peer does
			c.run(500 * ms)
			c.up(row.name + ": before the peer")
		}
		c.m[1].SetAuth(row.to, false, c.now)
		c.run(3 * sec)
		c.up(row.name)
		var p wire.BFD
		if _, err := wire.ParseBFD(c.last[0], &p); err != nil || p.AuthType != row.to.Type || p.AuthKeyID != row.to.KeyID {
			t.Errorf("%s: still sent with type %d key %d", row.name, p.AuthType, p.AuthKeyID)
		}
	}
}

// 10⁶ forged, replayed, reflected and broken packets leave an authenticated
// session as it is, to the byte.
func TestForgedPacketsChangeNothing(t *testing.T) {
	c := newCouple(t, svrtest())
	rnd := rand.New(rand.NewPCG(1, 2))
	var next wire.BFD
	if _, err := wire.ParseBFD(c.last[1], &next); err != nil {
		t.Fatal(err)
	}
	next.Poll, next.Final, next.State = false, false, wire.BFDDown
	fresh := bfd.Sign(next, svrtest(), next.AuthSeq+1) // good until a bit of it changes
	before, theirs, own := *c.m[0], c.last[1], c.last[0]
	buf := make([]byte, 0, 128)
	for i := range 1_000_000 {
		buf = append(buf[:0], theirs...)
		switch i % 4 {
		case 0: // a byte
			buf = append(buf[:0], fresh...)
			buf[rnd.IntN(len(buf))] ^= byte(1 + rnd.IntN(255))
		case 1:
			buf = append(buf[:0], own...)
		case 2: // noise behind a right head
			for k := 4 + rnd.IntN(8); k < len(buf); k++ {
				buf[k] = byte(rnd.Uint32())
			}
		case 3:
			buf = buf[:rnd.IntN(len(buf)+1)]
		}
		if got := c.m[0].Receive(buf, c.now); got == bfd.DropNone {
			t.Fatalf("packet %d was taken: %x", i, buf)
		}
	}
	if *c.m[0] != before {
		t.Error("the session changed")
	}
}

func TestReceiveAllocatesNothing(t *testing.T) {
	c := newCouple(t, svrtest())
	var seq uint32
	var last wire.BFD
	if _, err := wire.ParseBFD(c.last[1], &last); err != nil {
		t.Fatal(err)
	}
	pkts := make([][]byte, 300)
	for i := range pkts {
		seq = last.AuthSeq + 1 + uint32(i)
		p := last
		p.Poll, p.Final = false, false
		pkts[i] = bfd.Sign(p, svrtest(), seq)
	}
	i, out := 0, make([]byte, 0, 128)
	if n := testing.AllocsPerRun(200, func() {
		if d := c.m[0].Receive(pkts[i], c.now); d != bfd.DropNone {
			t.Fatal(d)
		}
		i++
		c.now += 200 * ms
		for p, ok := c.m[0].Due(c.now); ok; p, ok = c.m[0].Due(c.now) {
			out = c.m[0].Append(out[:0], &p)
		}
	}); n != 0 {
		t.Errorf("%v allocations per packet, want 0", n)
	}
}
