package session_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/session"
	"waymark/svr/wire"
)

// golden is one vector of wire profile 1.
type golden struct {
	t      testing.TB
	fields map[string]any
}

func vector(t testing.TB, name string) golden {
	t.Helper()
	data, err := os.ReadFile("../wire/testdata/wire-profile-1.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Vectors []map[string]any }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	for _, v := range file.Vectors {
		if v["name"] == name {
			return golden{t, v}
		}
	}
	t.Fatalf("no vector %s", name)
	return golden{}
}

func (g golden) bytes(field string) []byte {
	g.t.Helper()
	s, _ := g.fields[field].(string)
	b, err := hex.DecodeString(s)
	if err != nil {
		g.t.Fatal(err)
	}
	return b
}

// sections returns header and payload section of the vector in the clear.
func (g golden) sections() (head, plain []byte) {
	b := g.bytes("l4_payload")
	n := int(b[8])<<8 | int(b[9])
	n &= 0xfff
	end := n + int(b[10])<<8 + int(b[11])
	if p := g.bytes("plain_payload_tlvs"); len(p) > 0 {
		return b[wire.HeaderSize:n], p
	}
	return b[wire.HeaderSize:n], b[n:end]
}

// like says that metadata has the TLVs of a vector, in its order and sections.
func (m *opened) like(t *testing.T, name string) {
	t.Helper()
	head, plain := vector(t, name).sections()
	if got, want := tlvs(m.head), tlvs(head); !slices.Equal(got, want) {
		t.Errorf("%s: header section %v, want %v", name, got, want)
	}
	if got, want := tlvs(m.plain), tlvs(plain); !slices.Equal(got, want) {
		t.Errorf("%s: payload section %v, want %v", name, got, want)
	}
}

// TestGoldenForward: forward and reverse metadata of the example, with the
// tuple of the vectors, is theirs byte for byte but for UUID, wayports and key
// index.
func TestGoldenForward(t *testing.T) {
	s, branch, hub := acme(t)
	w := tap(s)
	out := tuple(packet.ProtoUDP, "192.168.1.77:50123", "10.20.0.53:53")
	s.host("10.20.0.53")
	s.host("192.168.1.77")
	data := vector(t, "forward-clear").bytes("data")
	branch.from("lan", udp(out, data))
	m := openMeta(t, &w.take()[0])
	m.like(t, "forward-clear")
	_, want := vector(t, "forward-clear").sections()
	got := bytes.Clone(m.plain)
	at := bytes.Index(want, []byte{0, 6, 0, 16}) + 4
	copy(got[at:at+16], want[at:at+16])
	copy(got[4:4+12], want[4:4+12]) // addresses and ports of the context
	if !bytes.Equal(got, want) {
		t.Errorf("payload section\n%x, want\n%x", got, want)
	}
	if !bytes.Equal(m.data, data) {
		t.Errorf("data %x, want %x", m.data, data)
	}
	hub.from("dc", udp(out.Reverse(), data))
	m = openMeta(t, &w.take()[0])
	if got := tlvs(m.plain); !slices.Equal(got, []int{4, 19}) {
		t.Errorf("reverse payload section %v, want [4 19]", got)
	}
	m.like(t, "reverse-clear")
}

// TestGoldenStructure: the other first packets have the TLVs of their vectors.
// The short vectors leave out the names 14, 15 and 19, which we always send.
func TestGoldenStructure(t *testing.T) {
	for _, row := range []struct {
		vector string
		proto  uint8
		last   int
		names  bool // the vector has 14, 15 and 19
	}{
		{"forward-cbc-payload-too", packet.ProtoUDP, 11, true},
		{"forward-gcm-payload", packet.ProtoUDP, 14, true},
		{"forward-cbc256-hmac-time", packet.ProtoUDP, 5, true},
		{"forward-v6-tcp-syn-over-udp", packet.ProtoTCP, 5, false},
		{"forward-icmp-echo", packet.ProtoICMP, 5, false},
	} {
		t.Run(row.vector, func(t *testing.T) {
			s := pairSim(t, "four", true)
			w := tap(s)
			family := 4
			if row.proto == packet.ProtoTCP {
				family = 6
			}
			near, far := nearFar(family, row.last)
			src, dst := ends(row.proto, family, near, far)
			c := newPair(t, s, "near", "far", row.proto, src, dst)
			p := c.make(false, noise(30))
			if row.proto == packet.ProtoTCP {
				p = tcp(c.out, packet.FlagSYN, 1, 0, nil)
			}
			c.send(false, p)
			m := openMeta(t, &w.take()[0])
			head, plain := vector(t, row.vector).sections()
			want := tlvs(plain)
			if !row.names {
				at := slices.Index(want, 10) + 1
				want = slices.Insert(want, at, 14, 15, 19)
			}
			if got := tlvs(m.plain); !slices.Equal(got, want) {
				t.Errorf("payload section %v, want %v", got, want)
			}
			if got := tlvs(m.head); !slices.Equal(got, tlvs(head)) {
				t.Errorf("header section %v, want %v", got, tlvs(head))
			}
		})
	}
}

// TestGoldenControl: control messages, the challenge and fabric fragments have
// the TLVs of their vectors.
func TestGoldenControl(t *testing.T) {
	s := pairSim(t, "four", false)
	w := tap(s)
	c := newPair(t, s, "near", "far", packet.ProtoUDP, "10.1.0.7:4000", "10.2.0.5:4000")
	c.send(false, c.make(false, []byte("one way")))
	w.take()
	s.advance(300e6)
	find(t, w, s.nodes["far"]).like(t, "control-disable-metadata")

	c.send(true, c.make(true, []byte("answer")))
	c.send(false, c.make(false, []byte("bare")))
	s.boot(pairConfig(t, "four", false), "far", true)
	w.take()
	c.send(false, c.make(false, []byte("who is that")))
	find(t, w, s.nodes["far"]).like(t, "control-enable-metadata")

	c = newPair(t, s, "near", "far", packet.ProtoTCP, "10.1.0.7:4000", "10.2.0.5:4000")
	c.talk(2)
	s.boot(pairConfig(t, "four", false), "near", true)
	w.take()
	c.send(false, c.make(false, []byte("again")))
	s.advance(1100e6)
	find(t, w, s.nodes["far"]).like(t, "challenge")

	w.take()
	c = newPair(t, s, "near", "far", packet.ProtoUDP, "10.1.0.7:5000", "10.2.0.5:5000")
	c.send(false, c.make(false, noise(1472)))
	m := find(t, w, s.nodes["near"])
	m.like(t, "fragment-signed")
	if n := s.nodes["near"].count(session.FabricFragmentsSent); n < 2 {
		t.Errorf("%d fragments, want 2 at least", n)
	}
}

// find opens the first packet with metadata that n sent.
func find(t *testing.T, w *wiretap, n *node) *opened {
	t.Helper()
	for _, f := range w.take() {
		if f.from == n && signalled(&f.p) {
			m := openMeta(t, &f)
			return &m
		}
	}
	t.Fatalf("%s sent no metadata\n%s", n.name, n.explain())
	return nil
}
