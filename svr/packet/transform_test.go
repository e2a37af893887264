package packet_test

import (
	"bytes"
	"encoding/hex"
	"math/rand/v2"
	"testing"

	. "waymark/svr/packet"
)

// Bytes behind the metadata of golden vectors of wire profile 1.
const (
	goldenSYN  = "c2ccd20e00000000a002faf000000000020405a00402080a000000010000000001030307"
	goldenData = "c2ccd20f11223344801001f5000000000101080a0000000200000003474554202f20485454502f312e310d0a"
	goldenEcho = "0800000012340001000102030405060708090a0b0c0d0e0f"
)

// Metadata of golden vectors: the bytes before the ones above.
const (
	goldenSYNMeta  = "4c48dbc6ddf6670c10140057001000040000000700030025fd000001000000000000000000000077fd000020000000000000000000000080c3cc20fb0600060010101112131415161718191a1b1c1d1e1f00070004636f7270000a000a6461746163656e746572000c0000"
	goldenEchoMeta = "4c48dbc6ddf6670c1014003b00100004000000070002000dc0a8014d0a140050123412340100060010101112131415161718191a1b1c1d1e1f00070004636f7270000a000a6461746163656e746572"
)

// goldenPacket is the packet before the transform.
func goldenPacket(t *testing.T, proto uint8, l4 string) *Packet {
	t.Helper()
	b := ip6(proto, l4)
	if proto == ProtoICMP {
		b = ip4(proto, "", l4)
	}
	p := view(b)
	if err := p.Parse(); err != nil {
		t.Fatal(err)
	}
	p.FinishFull()
	return p
}

func TestTransformGolden(t *testing.T) {
	for _, c := range []struct {
		name, l4, meta, want string
		proto                uint8
	}{
		{"forward-v6-tcp-syn-over-udp", "c3cc20fb" + goldenSYN, goldenSYNMeta, goldenSYN, ProtoTCP},
		{"established-tcp-over-udp", "c3cc20fb" + goldenData, "", goldenData, ProtoTCP},
		{"forward-icmp-echo", goldenEcho, goldenEchoMeta, goldenEcho, ProtoICMP},
	} {
		p := goldenPacket(t, c.proto, c.l4)
		before, tuple := bytes.Clone(p.IP()), p.T
		if !p.ToUDP(16386, 20001) {
			t.Fatalf("%s: refused", c.name)
		}
		sound(t, p)
		meta := unhex(c.meta)
		copy(p.InsertData(len(meta)), meta)
		p.Finish()
		sound(t, p)
		if got := hex.EncodeToString(p.Payload()); got != c.meta+c.want {
			t.Errorf("%s: got\n%s, want\n%s", c.name, got, c.meta+c.want)
		}
		p.RemoveData(len(meta))
		if !p.FromUDP(c.proto, tuple.SrcPort, tuple.DstPort) {
			t.Fatalf("%s: not back", c.name)
		}
		sound(t, p)
		p.CompleteCsum()
		if !bytes.Equal(p.IP(), before) {
			t.Errorf("%s: back: got\n%x, want\n%x", c.name, p.IP(), before)
		}
	}
}

func TestTransformRoundTrip(t *testing.T) {
	everyPacket(t, func(t *testing.T, r *rand.Rand, p *Packet) {
		before, tuple, flags := full(p), p.T, p.TCPFlags
		if ok := p.ToUDP(4000, 5001); ok != (tuple.Proto != ProtoUDP) {
			t.Fatalf("protocol %d: %v", tuple.Proto, ok)
		} else if !ok {
			return
		}
		sound(t, p)
		if p.Kind != KindUDP || p.T.SrcPort != 4000 || p.T.DstPort != 5001 || p.T.Src != tuple.Src {
			t.Fatalf("got %v", p.T)
		}
		if tuple.Proto == ProtoTCP {
			p.Readdress(randomTuple(r, 10-tuple.Family, ProtoUDP))
			back := tuple
			back.Proto = ProtoUDP
			p.Readdress(back)
		}
		if !p.FromUDP(tuple.Proto, tuple.SrcPort, tuple.DstPort) {
			t.Fatal("not back")
		}
		sound(t, p)
		if p.T != tuple || p.TCPFlags != flags {
			t.Fatalf("got %v, want %v", p.T, tuple)
		}
		if got := full(p); !bytes.Equal(got, before) {
			t.Fatalf("got\n%x, want\n%x", got, before)
		}
	})
}

func TestTransformWithExtensionHeaders(t *testing.T) {
	p := view(ip6(60, "0600 0104 00000000"+tcp20+"aabb"))
	if err := p.Parse(); err != nil {
		t.Fatal(err)
	}
	p.Finish()
	if !p.ToUDP(1, 2) {
		t.Fatal("refused")
	}
	sound(t, p)
	if !p.FromUDP(ProtoTCP, 3, 4) {
		t.Fatal("not back")
	}
	sound(t, p)
}

func TestToUDPRefuses(t *testing.T) {
	r := rng()
	tcp := func() *Packet { return randomPacket(r, randomTuple(r, 4, ProtoTCP), 40) }
	super, bad, tight := tcp(), tcp(), tcp()
	super.GSO, super.GSOSize = GSOTCP4, 10
	bad.Csum = CsumUnknown
	bad.Buf[bad.L4+16] ^= 1
	tight.Off, tight.Buf = 3, append(make([]byte, 3), tight.IP()...)
	tight.End = len(tight.Buf)
	if err := tight.Parse(); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*Packet{"super": super, "bad checksum": bad, "headroom": tight} {
		before := bytes.Clone(p.Buf)
		if p.ToUDP(1, 2) || !bytes.Equal(before, p.Buf) {
			t.Errorf("%s: transformed", name)
		}
	}
}

func TestFromUDPRefuses(t *testing.T) {
	for _, c := range []struct {
		name, data string
		proto      uint8
	}{
		{"short segment", goldenData[:30], ProtoTCP},
		{"offset 4", goldenData[:16] + "4" + goldenData[17:], ProtoTCP},
		{"offset beyond data", goldenData[:16] + "f" + goldenData[17:], ProtoTCP},
		{"short message", goldenEcho[:14], ProtoICMP},
		{"no echo", "03" + goldenEcho[2:], ProtoICMP},
		{"other family", "80" + goldenEcho[2:], ProtoICMPv6},
		{"no such protocol", goldenData, ProtoUDP},
	} {
		p := newBuf(len(c.data) / 2)
		copy(Build(p, randomTuple(rng(), 4, ProtoUDP), 64, 0, len(c.data)/2), unhex(c.data))
		p.Finish()
		before := bytes.Clone(p.Buf)
		if p.FromUDP(c.proto, 1, 2) || !bytes.Equal(before, p.Buf) {
			t.Errorf("%s: taken", c.name)
		}
	}
	p := goldenPacket(t, ProtoTCP, "c3cc20fb"+goldenData)
	if p.FromUDP(ProtoTCP, 1, 2) {
		t.Error("TCP taken for UDP")
	}
}
