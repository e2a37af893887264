package packet_test

import (
	"fmt"
	"testing"

	. "waymark/svr/packet"
)

// benchPacket is a full-checksum packet of n bytes of data.
func benchPacket(family, proto uint8, n int) *Packet {
	p := randomPacket(rng(), randomTuple(rng(), family, proto), n)
	p.CompleteCsum()
	p.Csum = CsumUnknown
	return p
}

func BenchmarkParse(b *testing.B) {
	for _, family := range []uint8{4, 6} {
		for _, proto := range []uint8{ProtoTCP, ProtoUDP} {
			p := benchPacket(family, proto, 64)
			b.Run(fmt.Sprintf("v%d-%d", family, proto), func(b *testing.B) {
				for b.Loop() {
					if p.Parse() != nil {
						b.Fatal("refused")
					}
				}
			})
		}
	}
}

func BenchmarkRewrite(b *testing.B) {
	for _, family := range []uint8{4, 6} {
		p := benchPacket(family, ProtoTCP, 64)
		t := [2]Tuple{randomTuple(rng(), family, ProtoTCP), p.T}
		b.Run(fmt.Sprintf("v%d", family), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				p.Rewrite(t[i&1])
			}
		})
	}
}

func BenchmarkReaddress(b *testing.B) {
	p := benchPacket(4, ProtoTCP, 64)
	t := [2]Tuple{randomTuple(rng(), 6, ProtoTCP), p.T}
	for i := 0; b.Loop(); i++ {
		p.Readdress(t[i&1])
	}
}

func BenchmarkInsertFinish(b *testing.B) {
	p := benchPacket(4, ProtoTCP, 1200)
	for b.Loop() {
		p.InsertData(100)
		p.Finish()
		p.RemoveData(100)
		p.Finish()
	}
}

func BenchmarkChecksum(b *testing.B) {
	for _, n := range []int{20, 64, 1500, 65535} {
		buf := make([]byte, n)
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.SetBytes(int64(n))
			for b.Loop() {
				Checksum(buf)
			}
		})
	}
}

func BenchmarkSegmenter(b *testing.B) {
	p, dst := superPacket(rng(), 4, ProtoTCP, 60000, 1400), newBuf(1500)
	var s Segmenter
	b.SetBytes(60000)
	for b.Loop() {
		s.Init(p, 1400)
		for s.Next(dst) {
		}
	}
}

func BenchmarkReassembler(b *testing.B) {
	re, buf := NewReassembler[Tuple](ReassemblerConfig{}), make([]byte, 1480)
	t := randomTuple(rng(), 4, ProtoUDP)
	b.SetBytes(2 * 1480)
	for b.Loop() {
		re.Add(1, t, 0, true, buf)
		re.Add(1, t, 1480, false, buf)
	}
}
