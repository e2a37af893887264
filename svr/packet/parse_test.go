package packet_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	. "waymark/svr/packet"
)

// unhex reads hexadecimal bytes with blanks.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		panic(err)
	}
	return b
}

// view makes a packet of the bytes b with room around them.
func view(b []byte) *Packet {
	p := newBuf(len(b))
	copy(p.Buf[room:], b)
	p.Reset(p.Buf, room, room+len(b), 7)
	return p
}

// Headers for tables; 4: total length and checksum, 6: payload length and next
// header are patched by ip4 and ip6.
const (
	addr4 = "c0a8014d 0a140050"
	addr6 = "20010db8000000000000000000000001 20010db8000000000000000000000002"
	tcp20 = "c3cc20fb 00000001 00000002 50180100 00000000"
	udp8  = "c3cc0035 00080000"
)

// ip4 makes an IPv4 packet of protocol proto.
func ip4(proto byte, options, l4 string) []byte {
	o, b := unhex(options), unhex(l4)
	h := unhex("45000000 12344000 40000000" + addr4)
	h[0], h[9] = byte(0x40|(20+len(o))/4), proto
	h = append(h, o...)
	be.PutUint16(h[2:], uint16(len(h)+len(b)))
	be.PutUint16(h[10:], ^uint16(naiveSum(h, 0)))
	return append(h, b...)
}

// ip6 makes an IPv6 packet whose next header is next.
func ip6(next byte, rest string) []byte {
	b := unhex(rest)
	h := unhex("6ab12345 0000" + hex.EncodeToString([]byte{next}) + "40" + addr6)
	be.PutUint16(h[4:], uint16(len(b)))
	return append(h, b...)
}

func TestParse(t *testing.T) {
	hop, dst := "3c00 0104 00000000", "0600 0104 00000000"
	for _, c := range []struct {
		name         string
		b            []byte
		kind         Kind
		l4, data     int
		sport, dport uint16
		proto        uint8
	}{
		{"v4 tcp", ip4(6, "", tcp20+"aabb"), KindTCP, 20, 40, 0xc3cc, 0x20fb, 6},
		{"v4 tcp options", ip4(6, "", "c3cc20fb 00000001 00000002 60180100 00000000 01010101 aa"), KindTCP, 20, 44, 0xc3cc, 0x20fb, 6},
		{"v4 options", ip4(6, "94040000", tcp20), KindTCP, 24, 44, 0xc3cc, 0x20fb, 6},
		{"v4 udp", ip4(17, "", udp8), KindUDP, 20, 28, 0xc3cc, 53, 17},
		{"v4 echo", ip4(1, "", "08000000 12340001 aa"), KindEcho, 20, 28, 0x1234, 0x1234, 1},
		{"v4 echo reply", ip4(1, "", "00000000 12340001"), KindEcho, 20, 28, 0x1234, 0x1234, 1},
		{"v4 unreachable", ip4(1, "", "03010000 00000000"), KindICMPError, 20, 28, 0, 0, 1},
		{"v4 redirect", ip4(1, "", "05010000 00000000"), KindOther, 20, 28, 0, 0, 1},
		{"v4 gre", ip4(47, "", "00000800"), KindOther, 20, 20, 0, 0, 47},
		{"v4 icmpv6", ip4(58, "", "80000000 12340001"), KindOther, 20, 20, 0, 0, 58},
		{"v6 tcp", ip6(6, tcp20), KindTCP, 40, 60, 0xc3cc, 0x20fb, 6},
		{"v6 udp", ip6(17, udp8), KindUDP, 40, 48, 0xc3cc, 53, 17},
		{"v6 echo", ip6(58, "80000000 12340001"), KindEcho, 40, 48, 0x1234, 0x1234, 58},
		{"v6 too big", ip6(58, "02000000 00000500"), KindICMPError, 40, 48, 0, 0, 58},
		{"v6 neighbour", ip6(58, "87000000 00000500"), KindOther, 40, 48, 0, 0, 58},
		{"v6 icmpv4", ip6(1, "08000000 12340001"), KindOther, 40, 40, 0, 0, 1},
		{"v6 extensions", ip6(0, hop+dst+tcp20), KindTCP, 56, 76, 0xc3cc, 0x20fb, 6},
		{"v6 routing done", ip6(43, "0600 0000 00000000"+tcp20), KindTCP, 48, 68, 0xc3cc, 0x20fb, 6},
		{"v6 routing live", ip6(43, "0600 0001 00000000"+tcp20), KindOther, 48, 48, 0, 0, 6},
		{"v6 atomic fragment", ip6(44, "1100 0000 00000001"+udp8), KindUDP, 48, 56, 0xc3cc, 53, 17},
		{"v6 first fragment", ip6(44, "1100 0001 00000001"+udp8), KindFragment, 48, 48, 0, 0, 17},
		{"v6 later fragment", ip6(44, "1100 0010 00000001 aabb"), KindFragment, 48, 48, 0, 0, 17},
		{"v6 no next header", ip6(59, ""), KindOther, 40, 40, 0, 0, 59},
		{"v6 esp", ip6(50, "0000"), KindOther, 40, 40, 0, 0, 50},
	} {
		p := view(append(c.b, 0, 0, 0)) // with padding
		if err := p.Parse(); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if p.Len() != len(c.b) || p.Kind != c.kind || p.L4-p.Off != c.l4 || p.Data-p.Off != c.data {
			t.Errorf("%s: len %d kind %d L4 %d data %d, want %d %d %d %d", c.name,
				p.Len(), p.Kind, p.L4-p.Off, p.Data-p.Off, len(c.b), c.kind, c.l4, c.data)
		}
		if p.T.SrcPort != c.sport || p.T.DstPort != c.dport || p.T.Proto != c.proto {
			t.Errorf("%s: got %v", c.name, p.T)
		}
	}
}

func TestParseAddresses(t *testing.T) {
	for _, c := range []struct {
		b    []byte
		want string
	}{
		{ip4(6, "", tcp20), "6 192.168.1.77:50124>10.20.0.80:8443"},
		{ip6(6, tcp20), "6 [2001:db8::1]:50124>[2001:db8::2]:8443"},
	} {
		p := view(c.b)
		if err := p.Parse(); err != nil {
			t.Fatal(err)
		}
		if got := p.T.String(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
		if p.TCPFlags != FlagPSH|FlagACK {
			t.Errorf("flags %x", p.TCPFlags)
		}
		if p.Seq() != 1 || p.Ack() != 2 || p.Window() != 0x100 || p.SegLen() != 0 {
			t.Errorf("seq %d ack %d window %d length %d", p.Seq(), p.Ack(), p.Window(), p.SegLen())
		}
	}
}

func TestParseErrors(t *testing.T) {
	patch := func(b []byte, at int, v ...byte) []byte {
		b = bytes.Clone(b)
		copy(b[at:], v)
		return b
	}
	good := ip4(6, "", tcp20)
	nine := strings.Repeat("3c00 0104 00000000", 9)
	for _, c := range []struct {
		name string
		b    []byte
		want error
	}{
		{"empty", nil, ErrShort},
		{"19 bytes", good[:19], ErrShort},
		{"version 5", patch(good, 0, 0x55), ErrVersion},
		{"header length 4", patch(good, 0, 0x44), ErrHeader},
		{"total below header", patch(good, 2, 0, 19), ErrHeader},
		{"total beyond bytes", good[:39], ErrLength},
		{"header checksum", patch(good, 8, 63), ErrHeaderChecksum},
		{"total length 0", patch(good, 2, 0, 0), ErrHeader},
		{"header beyond total", patch(good, 0, 0x4f), ErrHeader},
		{"tcp 19 bytes", ip4(6, "", tcp20[:len(tcp20)-2]), ErrShort},
		{"tcp offset 4", ip4(6, "", strings.Replace(tcp20, "5018", "4018", 1)), ErrHeader},
		{"tcp offset 6", ip4(6, "", strings.Replace(tcp20, "5018", "6018", 1)), ErrLength},
		{"udp 7 bytes", ip4(17, "", udp8[:len(udp8)-2]), ErrShort},
		{"udp length 7", ip4(17, "", "c3cc0035 00070000"), ErrLength},
		{"udp length 9", ip4(17, "", "c3cc0035 00090000"), ErrLength},
		{"icmp 7 bytes", ip4(1, "", "08000000 123400"), ErrShort},
		{"v6 39 bytes", ip6(6, "")[:39], ErrShort},
		{"v6 short", ip6(6, tcp20)[:59], ErrLength},
		{"v6 extension short", ip6(0, "3c00 0104 000000"), ErrShort},
		{"v6 extension long", ip6(0, "3c01 0104 00000000"), ErrLength},
		{"v6 hop-by-hop second", ip6(60, "0000 0104 00000000"+"0600 0104 00000000"+tcp20), ErrHeader},
		{"v6 nine extensions", ip6(60, nine+"0600 0104 00000000"+tcp20), ErrHeader},
		{"v6 fragment short", ip6(44, "1100 0001 000000"), ErrShort},
	} {
		if err := view(c.b).Parse(); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

func TestParseBounds(t *testing.T) {
	b := ip4(6, "", tcp20)
	for _, c := range [][2]int{{-1, 40}, {0, 41}, {30, 20}, {40, 40}} {
		var p Packet
		p.Reset(b, c[0], c[1], 0)
		if err := p.Parse(); err != ErrShort {
			t.Errorf("%v: got %v", c, err)
		}
	}
}

// A UDP length shorter than the IP packet wins; the surplus is cut off.
func TestParseUDPSurplus(t *testing.T) {
	for _, b := range [][]byte{ip4(17, "", "c3cc0035 000a0000 aabbccdd"), ip6(17, "c3cc0035 000a0000 aabbccdd")} {
		p := view(b)
		if err := p.Parse(); err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(p.Payload()); got != "aabb" || p.Len() != len(b)-2 {
			t.Errorf("payload %s, length %d", got, p.Len())
		}
		p.Finish()
		sound(t, p)
	}
}

func TestResetForgets(t *testing.T) {
	p := view(ip4(6, "", tcp20))
	if err := p.Parse(); err != nil {
		t.Fatal(err)
	}
	p.GSO, p.GSOSize, p.Csum = GSOTCP4, 100, CsumValid
	p.Reset(p.Buf, 1, 2, 3)
	want := Packet{Off: 1, End: 2, If: 3, L4: 2, Data: 2}
	if p.Kind != want.Kind || p.GSO != 0 || p.Csum != 0 || p.T != want.T || p.If != 3 || p.Len() != 1 {
		t.Errorf("got %+v", p)
	}
	if p.Headroom() != 1 || p.Tailroom() != len(p.Buf)-2 {
		t.Errorf("room %d %d", p.Headroom(), p.Tailroom())
	}
}
