package packet_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	. "waymark/svr/packet"
)

func TestHeaderFields(t *testing.T) {
	everyPacket(t, func(t *testing.T, r *rand.Rand, p *Packet) {
		ttl, tos, id := uint8(r.Uint32()), uint8(r.Uint32()), uint16(r.Uint32())
		p.SetTTL(ttl)
		p.SetTOS(tos)
		p.SetIPID(id)
		p.SetDF(tos&1 == 0)
		sound(t, p)
		if p.TTL() != ttl || p.TOS() != tos {
			t.Fatalf("ttl %d tos %d, want %d %d", p.TTL(), p.TOS(), ttl, tos)
		}
		if p.V6() {
			if !p.DF() || p.IPID() != 0 {
				t.Fatal("IPv6 without DF, or with an identification")
			}
			return
		}
		if p.IPID() != id || p.DF() != (tos&1 == 0) {
			t.Fatalf("id %d df %v", p.IPID(), p.DF())
		}
	})
}

func TestDecTTL(t *testing.T) {
	r := rng()
	for _, family := range []uint8{4, 6} {
		p := randomPacket(r, randomTuple(r, family, ProtoTCP), 9)
		p.SetTTL(3)
		for _, want := range []uint8{2, 1} {
			if !p.DecTTL() || p.TTL() != want {
				t.Fatalf("TTL %d, want %d", p.TTL(), want)
			}
			sound(t, p)
		}
		before := bytes.Clone(p.IP())
		if p.DecTTL() || !bytes.Equal(before, p.IP()) {
			t.Error("forwarded with TTL 1")
		}
	}
}

func TestFlowLabelStays(t *testing.T) {
	p := view(ip6(6, tcp20))
	if err := p.Parse(); err != nil {
		t.Fatal(err)
	}
	if p.TOS() != 0xab {
		t.Errorf("traffic class %x", p.TOS())
	}
	p.SetTOS(0x12)
	if got := be.Uint32(p.IP()); got != 0x61212345 {
		t.Errorf("got %08x", got)
	}
}
