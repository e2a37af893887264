package session_test

import (
	"testing"

	"waymark/svr/packet"
	"waymark/svr/router"
	"waymark/svr/session"
)

// BenchmarkForward is one packet of 1,228 bytes through one router, with the
// copy that gives the engine a fresh one: out is from a host to the peer, in is
// the other way.
func BenchmarkForward(b *testing.B) {
	for _, w := range worlds[:3] {
		for _, f := range stillFlows()[:2] {
			b.Run(w.name+"/"+f.name+"/out", func(b *testing.B) {
				p := newStillPair(b, stillPools, w.replace...)
				p.shake(&f.forth, &f.back)
				b.ReportAllocs()
				for b.Loop() {
					p.branch.take(&f.forth, p.lan, p.now)
				}
				p.count(b, p.branch)
			})
			if w.name == "GCM" {
				continue // a packet with GCM arrives only once
			}
			b.Run(w.name+"/"+f.name+"/in", func(b *testing.B) {
				p := newStillPair(b, stillPools, w.replace...)
				p.shake(&f.forth, &f.back)
				p.forth(&f.forth)
				wire := small(&p.branch.sent[0])
				b.ReportAllocs()
				for b.Loop() {
					p.hub.take(&wire, p.wan, p.now)
				}
				p.count(b, p.hub)
			})
		}
	}
}

// count fails a benchmark whose packets did not go through.
func (p *stillPair) count(b *testing.B, s *still) {
	if got := s.e.Stats()[session.Forwarded]; got < uint64(b.N) {
		b.Fatalf("%d of %d packets forwarded\n%s", got, b.N, explain(s.e))
	}
}

// BenchmarkSession is a session opened at one router and accepted at the other,
// with its first packet and metadata there.
func BenchmarkSession(b *testing.B) {
	for _, w := range worlds[:3] {
		b.Run(w.name, func(b *testing.B) {
			p := newStillPair(b, stillPools, w.replace...)
			forth := shrink(udp(tuple(packet.ProtoUDP, "192.168.1.77:40000", "10.20.0.5:443"), make([]byte, 100)))
			b.ReportAllocs()
			for k := 0; b.Loop(); k++ {
				t := forth.T
				t.SrcPort++
				t.Src[3] = byte(10 + k>>16)
				forth.Rewrite(t)
				p.now += 10e6
				if k%16 == 0 {
					p.tick(1e6) // the old ones end
				}
				p.forth(&forth)
				p.must(1)
			}
		})
	}
}

// BenchmarkHandshake is a session of one packet each way: opened at one router,
// accepted at the other, answered, and lent to the lanes in the kernel; 20,000 in a
// second, until 90 % of the pools are in use.
func BenchmarkHandshake(b *testing.B) {
	for _, name := range []string{"cpe", "hub"} {
		b.Run(name, func(b *testing.B) {
			prof, err := router.FindProfile(name)
			if err != nil {
				b.Fatal(err)
			}
			most := prof.Sessions / 10 * 9
			forth := shrink(udp(tuple(packet.ProtoUDP, "192.168.1.2:1024", "10.20.0.5:443"), make([]byte, 18)))
			back := shrink(udp(forth.T.Reverse(), make([]byte, 18)))
			var p *stillPair
			b.ReportAllocs()
			for k := 0; b.Loop(); k++ {
				if k%most == 0 {
					b.StopTimer()
					p = newLentPair(b, prof)
					b.StartTimer()
				}
				if k%2000 == 0 {
					p.tick(0)
				}
				p.exchange(&forth, &back, k%most)
			}
		})
	}
}

// exchange opens session k, one packet each way.
func (p *stillPair) exchange(forth, back *packet.Packet, k int) {
	t := forth.T
	t.SrcPort, t.Src[3] = uint16(1024+k%50000), byte(2+k/50000)
	forth.Rewrite(t)
	back.Rewrite(t.Reverse())
	p.now += 50e3
	p.forth(forth)
	p.must(1)
	p.back(back)
	p.must(1)
	p.branch.e.Lend()
	p.hub.e.Lend()
}

// BenchmarkForged is what a bystander's packet costs: metadata with a wrong
// digest on a pair that nobody has.
func BenchmarkForged(b *testing.B) {
	p := newStillPair(b, stillPools)
	f := stillFlows()[0]
	first := p.firstPacket(&f.forth)
	data := first.Payload()
	data[len(data)-1] ^= 1
	bad := withData(first, data)
	b.ReportAllocs()
	for b.Loop() {
		p.hub.take(&bad, p.wan, p.now)
	}
}
