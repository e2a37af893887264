package session_test

import (
	"bytes"
	"testing"

	"waymark/svr/packet"
)

// A link may join datagrams of one flow on their way, the first packets of a
// session too: the pieces of a datagram that is too long with its metadata, or
// two whole ones that each carry metadata.
func TestFirstPacketsJoinedOnTheWay(t *testing.T) {
	out := tuple(packet.ProtoUDP, "192.168.1.77:40000", "10.20.0.5:443")
	for _, row := range []struct {
		name string
		size int // of each datagram
		sent int
	}{
		{"two pieces of one", 1472, 1},
		{"two with metadata", 400, 2},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, branch, hub := acme(t)
			server := s.host("10.20.0.5")
			var held *packet.Packet
			s.tamper = func(f *flight) []flight {
				if f.from != branch {
					return []flight{*f}
				}
				if held == nil {
					first := clone(&f.p)
					held = &first
					return nil
				}
				joined := *f
				joined.p, held = joinDatagrams(t, held, &f.p), nil
				return []flight{joined}
			}
			var want [][]byte
			for range row.sent {
				want = append(want, noise(row.size))
				branch.from("lan", udp(out, want[len(want)-1]))
			}
			if len(server.got) != row.sent {
				t.Fatalf("%d of %d datagrams arrived\n%s", len(server.got), row.sent, hub.explain())
			}
			for i := range want {
				if !bytes.Equal(server.got[i].Payload(), want[i]) {
					t.Errorf("datagram %d differs", i)
				}
			}
		})
	}
}

// joinDatagrams makes the super-packet that GRO makes of two datagrams.
func joinDatagrams(t *testing.T, a, b *packet.Packet) packet.Packet {
	t.Helper()
	n := a.End - a.Data
	p := udp(a.T, append(bytes.Clone(a.Payload()), b.Payload()...))
	p.Finish()
	p.Csum, p.GSO, p.GSOSize = packet.CsumPartial, packet.GSOUDP, uint16(n)
	return p
}
