package session_test

import (
	"bytes"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/session"
)

// acme is branch1 and hub1 of the example configuration.
func acme(t testing.TB) (s *sim, branch, hub *node) {
	t.Helper()
	s = newSim(t)
	a := parseConfig(t, "testdata/acme.json")
	return s, s.boot(a, "branch1", false), s.boot(a, "hub1", false)
}

func TestUDPOverSVR(t *testing.T) {
	s, branch, hub := acme(t)
	server, client := s.host("10.20.0.5"), s.host("192.168.1.77")
	ask := tuple(packet.ProtoUDP, "192.168.1.77:5353", "10.20.0.5:53")
	server.answer = func(p *packet.Packet) {
		hub.receive(udp(p.T.Reverse(), append([]byte("answer to "), p.Payload()...)), hub.ifc("dc"))
	}
	var meta []bool
	s.seen = func(f *flight) { meta = append(meta, signalled(&f.p)) }
	for i := range 5 {
		s.now += 5e6
		branch.from("lan", udp(ask, []byte{'q', byte('0' + i)}))
	}
	if len(server.got) != 5 || len(client.got) != 5 {
		t.Fatalf("server got %d, client got %d, want 5\n%s\n%s", len(server.got), len(client.got), branch.explain(), hub.explain())
	}
	for i := range 5 {
		if got, want := server.got[i].T, ask; got != want {
			t.Errorf("server sees %v, want %v", got, want)
		}
		if got, want := client.got[i].Payload(), []byte{'a', 'n', 's', 'w', 'e', 'r', ' ', 't', 'o', ' ', 'q', byte('0' + i)}; !bytes.Equal(got, want) {
			t.Errorf("answer %d = %q, want %q", i, got, want)
		}
	}
	want := []bool{true, true, false, false, false, false, false, false, false, false}
	if len(meta) != len(want) {
		t.Fatalf("%d packets between routers, want %d", len(meta), len(want))
	}
	for i := range want {
		if meta[i] != want[i] {
			t.Errorf("packet %d with metadata %v, want %v", i, meta[i], want[i])
		}
	}
	if branch.e.Live() != 1 || hub.e.Live() != 1 {
		t.Errorf("sessions %d and %d, want 1 and 1", branch.e.Live(), hub.e.Live())
	}
}

func TestTCPOverSVR(t *testing.T) {
	for _, row := range []struct {
		name, client, server string
	}{
		{"clear", "192.168.1.77:40000", "10.20.0.5:80"},
		{"encrypted", "192.168.1.77:40000", "10.20.0.80:8443"},
		{"IPv6 over IPv4", "[fd00:1::77]:40000", "[fd00:20::5]:80"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, branch, hub := acme(t)
			out := tuple(packet.ProtoTCP, row.client, row.server)
			server, client := s.host(out.DstAddr().String()), s.host(out.SrcAddr().String())
			lan := func(p packet.Packet) { s.now += 5e6; branch.from("lan", p) }
			dc := func(p packet.Packet) { s.now += 5e6; hub.from("dc", p) }
			request, response := bytes.Repeat([]byte("GET "), 300), bytes.Repeat([]byte("200 "), 320)
			lan(tcp(out, packet.FlagSYN, 100, 0, nil))
			dc(tcp(out.Reverse(), packet.FlagSYN|packet.FlagACK, 900, 101, nil))
			lan(tcp(out, packet.FlagACK, 101, 901, nil))
			lan(tcp(out, packet.FlagACK|packet.FlagPSH, 101, 901, request))
			dc(tcp(out.Reverse(), packet.FlagACK|packet.FlagPSH, 901, 1301, response))
			if len(server.got) != 3 || len(client.got) != 2 {
				t.Fatalf("server got %d, client got %d, want 3 and 2\n%s\n%s", len(server.got), len(client.got), branch.explain(), hub.explain())
			}
			if got := server.got[2].Payload(); !bytes.Equal(got, request) {
				t.Errorf("request differs: %d bytes, want %d", len(got), len(request))
			}
			if got := client.got[1].Payload(); !bytes.Equal(got, response) {
				t.Errorf("response differs: %d bytes, want %d", len(got), len(response))
			}
			for _, p := range append(server.got, client.got...) {
				if !p.VerifyL4() {
					t.Errorf("checksum of %v is wrong", p.T)
				}
			}
			lan(tcp(out, packet.FlagACK|packet.FlagFIN, 1301, 2181, nil))
			dc(tcp(out.Reverse(), packet.FlagACK|packet.FlagFIN, 2181, 1302, nil))
			s.advance(11e9)
			if branch.e.Live() != 0 || hub.e.Live() != 0 {
				t.Errorf("sessions %d and %d after close, want 0", branch.e.Live(), hub.e.Live())
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		name, from, src, dst string
		proto                uint8
		want                 session.Counter
		answered             bool
	}{
		{"no service: prohibited", "lan", "192.168.1.77:999", "172.20.0.1:7", packet.ProtoUDP, session.SessionsOpened, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, branch, _ := acme(t)
			branch.from(row.from, udp(tuple(row.proto, row.src, row.dst), []byte("x")))
			if got := branch.count(row.want); got != 1 {
				t.Errorf("%s = %d, want 1\n%s", row.want, got, branch.explain())
			}
		})
	}
}
