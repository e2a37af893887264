package packet_test

import (
	"testing"

	. "waymark/svr/packet"
)

// The hot path allocates nothing.
func TestNoAllocations(t *testing.T) {
	r := rng()
	for _, family := range []uint8{4, 6} {
		for _, proto := range []uint8{ProtoTCP, ProtoUDP, echoProto(family)} {
			src := randomPacket(r, randomTuple(r, family, proto), 1000)
			src.CompleteCsum()
			a, b, other := randomTuple(r, family, proto), randomTuple(r, family, proto), randomTuple(r, 10-family, proto)
			p, dst, meta := clone(src), newBuf(2000), make([]byte, 100)
			got := testing.AllocsPerRun(100, func() {
				p.Off = room
				src.CopyTo(p)
				if p.Parse() != nil || !p.Rewrite(a) || !p.Rewrite(b) || !p.DecTTL() {
					t.Fatal("refused")
				}
				if !p.VerifyL4() {
					t.Fatal("checksum")
				}
				p.Readdress(other)
				p.Readdress(b)
				copy(p.InsertData(len(meta)), meta)
				p.Extend(20)
				p.Finish()
				p.Trim(20)
				p.RemoveData(len(meta))
				p.FinishFull()
				p.SetEchoID(9)
				p.ClampMSS(1300)
				if p.ToUDP(1, 2) && !p.FromUDP(proto, 9, 9) {
					t.Fatal("transform")
				}
				if !BuildICMPError(dst, p, ErrTTL, 0, router(family)) {
					t.Fatal("error")
				}
				Build(dst, a, 64, 0, 100)
				BuildReset(dst, p)
			})
			if got != 0 {
				t.Errorf("family %d protocol %d: %v allocations", family, proto, got)
			}
		}
	}
}

func TestNoAllocationsICMP(t *testing.T) {
	r := rng()
	e := errorAbout(t, randomPacket(r, randomTuple(r, 4, ProtoUDP), 100), ErrTTL, 60)
	dst, to := newBuf(1500), randomTuple(r, 6, ProtoTCP)
	if got := testing.AllocsPerRun(100, func() {
		q, ok := e.Quote()
		if !ok || !BuildICMPFromQuote(dst, e, &q, router(6), to.Src, to, 0) {
			t.Fatal("refused")
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestNoAllocationsSegments(t *testing.T) {
	r := rng()
	super := superPacket(r, 4, ProtoTCP, 30000, 1400)
	super.Buf[super.L4+13] = FlagACK
	if err := super.Parse(); err != nil {
		t.Fatal(err)
	}
	dst, segments := newBuf(1500), 0
	var s Segmenter
	if got := testing.AllocsPerRun(20, func() {
		s.Init(super, 1400)
		for s.Next(dst) {
			segments++
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
	if segments != 21*22 {
		t.Errorf("%d segments", segments)
	}
}

func TestNoAllocationsFragments(t *testing.T) {
	p := randomPacket(rng(), randomTuple(rng(), 4, ProtoUDP), 9000)
	p.SetDF(false)
	ip, fabric := NewIPReassembler(ReassemblerConfig{}), NewReassembler[Tuple](ReassemblerConfig{})
	dst, whole := newBuf(1500), newBuf(MaxLen)
	var f Fragmenter
	if got := testing.AllocsPerRun(20, func() {
		done, joined := false, false
		f.Init(p, 1500)
		for at := 0; f.Next(dst); at += 1480 {
			done, _, _ = ip.Add(1, dst, whole)
			b := dst.Buf[dst.L4:dst.End]
			_, joined, _ = fabric.Add(1, p.T, at, len(b) == 1480, b)
		}
		if !done || !joined {
			t.Fatal("not joined")
		}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
