package l2_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"waymark/svr/lane/l2"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var (
	macA = l2.MAC{0x02, 0, 0, 0, 0, 0x0a}
	macB = l2.MAC{0x02, 0, 0, 0, 0, 0x0b}
)

func TestPutHeader(t *testing.T) {
	for _, tt := range []struct {
		vlan uint16
		want string
	}{
		{0, "02000000000b02000000000a0800"},
		{10, "02000000000b02000000000a8100000a0800"},
		{4094, "02000000000b02000000000a81000ffe0800"},
	} {
		b := make([]byte, l2.MaxHeader)
		got := b[:l2.PutHeader(b, macB, macA, tt.vlan, l2.TypeIPv4)]
		if want := unhex(t, tt.want); !bytes.Equal(got, want) {
			t.Errorf("vlan %d: got %x, want %x", tt.vlan, got, want)
		}
	}
}

func TestARPRoundTrip(t *testing.T) {
	want := "0001080006040001" + "02000000000a" + "0a000001" + "000000000000" + "0a000002"
	a := l2.ARP{Op: l2.ARPRequest, SenderMAC: macA, Sender: [4]byte{10, 0, 0, 1}, Target: [4]byte{10, 0, 0, 2}}
	if got := hex.EncodeToString(l2.AppendARP(nil, a)); got != want {
		t.Errorf("append: got %s, want %s", got, want)
	}
	if got, err := l2.ParseARP(append(unhex(t, want), make([]byte, 18)...)); err != nil || got != a {
		t.Errorf("parse with padding: got %+v, %v", got, err)
	}
}

func TestParseARPRefuses(t *testing.T) {
	good := "0001080006040001" + "02000000000a" + "0a000001" + "000000000000" + "0a000002"
	for name, s := range map[string]string{
		"empty":            "",
		"short":            good[:54],
		"not Ethernet":     "0006" + good[4:],
		"not IPv4":         "000186dd" + good[8:],
		"sizes":            "000108000610" + good[12:],
		"reverse ARP":      good[:12] + "0003" + good[16:],
		"multicast sender": good[:16] + "03000000000a" + good[28:],
		"zero sender":      good[:16] + "000000000000" + good[28:],
	} {
		if a, err := l2.ParseARP(unhex(t, s)); err == nil {
			t.Errorf("%s: got %+v, want an error", name, a)
		}
	}
}

// A neighbour solicitation and its answer as Linux sends them, checksums
// included.
const (
	solicitation = "6000000000203aff" + "fd010000000000000000000000000002" + "ff0200000000000000000001ff000001" +
		"87007d8c00000000" + "fd010000000000000000000000000001" + "010102000000000b"
	advertisement = "6000000000203aff" + "fd010000000000000000000000000001" + "fd010000000000000000000000000002" +
		"88009c8fe0000000" + "fd010000000000000000000000000001" + "020102000000000a"
)

func addr6(last byte) (a [16]byte) {
	a[0], a[1], a[15] = 0xfd, 1, last
	return a
}

func TestNDRoundTrip(t *testing.T) {
	ns := l2.ND{Type: l2.NDSolicit, Src: addr6(2), Dst: l2.SolicitedNode(addr6(1)), Target: addr6(1), Link: macB, HasLink: true}
	na := l2.ND{Type: l2.NDAdvertise, Flags: l2.NDRouter | l2.NDSolicited | l2.NDOverride,
		Src: addr6(1), Dst: addr6(2), Target: addr6(1), Link: macA, HasLink: true}
	for name, tt := range map[string]struct {
		n    l2.ND
		wire string
	}{"solicitation": {ns, solicitation}, "advertisement": {na, advertisement}} {
		if got := hex.EncodeToString(l2.AppendND(nil, tt.n)); got != tt.wire {
			t.Errorf("%s: append: got %s, want %s", name, got, tt.wire)
		}
		if got, err := l2.ParseND(unhex(t, tt.wire)); err != nil || got != tt.n {
			t.Errorf("%s: parse: got %+v, %v", name, got, err)
		}
	}
}

func TestParseNDRefuses(t *testing.T) {
	edit := func(s string, at int, with byte) []byte {
		b := unhex(t, s)
		b[at] = with
		return b
	}
	unspecified := l2.AppendND(nil, l2.ND{Type: l2.NDSolicit, Dst: l2.SolicitedNode(addr6(1)), Target: addr6(1), Link: macB, HasLink: true})
	elsewhere := l2.AppendND(nil, l2.ND{Type: l2.NDSolicit, Dst: l2.AllNodes, Target: addr6(1)})
	toAll := l2.AppendND(nil, l2.ND{Type: l2.NDAdvertise, Flags: l2.NDSolicited, Src: addr6(1), Dst: l2.AllNodes, Target: addr6(1)})
	group := l2.AppendND(nil, l2.ND{Type: l2.NDSolicit, Src: addr6(2), Dst: l2.AllNodes, Target: l2.AllNodes})
	for name, b := range map[string][]byte{
		"empty":                       nil,
		"cut":                         unhex(t, solicitation)[:70],
		"hop limit 254":               edit(solicitation, 7, 254),
		"checksum":                    edit(solicitation, 42, 0),
		"option length 0":             edit(solicitation, 65, 0),
		"payload length too long":     edit(solicitation, 5, 0x40),
		"payload length too short":    edit(solicitation, 5, 0x10),
		"DAD with link address":       unspecified,
		"DAD not to solicited-node":   elsewhere,
		"solicited advert to a group": toAll,
		"target is a group":           group,
	} {
		if n, err := l2.ParseND(b); err == nil {
			t.Errorf("%s: got %+v, want an error", name, n)
		}
	}
}

func TestDerivedAddresses(t *testing.T) {
	if got, want := l2.SolicitedNode(addr6(1)), [16]byte(unhex(t, "ff0200000000000000000001ff000001")); got != want {
		t.Errorf("solicited node: got %x, want %x", got, want)
	}
	if got, want := l2.MulticastMAC(l2.SolicitedNode(addr6(1))), (l2.MAC{0x33, 0x33, 0xff, 0, 0, 1}); got != want {
		t.Errorf("multicast MAC: got %x, want %x", got, want)
	}
	if got, want := l2.LinkLocal(macA), [16]byte(unhex(t, "fe80000000000000000000fffe00000a")); got != want {
		t.Errorf("link local: got %x, want %x", got, want)
	}
}

// Echo requests and replies; checksums were computed by another program.
const (
	echo4    = "45b8002100010000400166210a0000020a0000010800a1f21234000768656c6c6f"
	reply4   = "45b8002100010000400166210a0000010a0000020000a9f21234000768656c6c6f"
	echo4Opt = "4600002500010000400163d40a0000020a000001010101000800a1f21234000768656c6c6f"
	reply4No = "4500002100010000400166d90a0000010a0000020000a9f21234000768656c6c6f"
	echo6    = "60000000000d3a40fd010000000000000000000000000002fd01000000000000000000000000000180002fa41234000768656c6c6f"
	reply6   = "60000000000d3a40fd010000000000000000000000000001fd01000000000000000000000000000281002ea41234000768656c6c6f"
)

func TestEchoReply(t *testing.T) {
	for name, tt := range map[string]struct{ request, reply string }{
		"IPv4":              {echo4, reply4},
		"IPv4 with padding": {echo4 + "00000000", reply4},
		"IPv4 with options": {echo4Opt, reply4No},
		"IPv6":              {echo6, reply6},
	} {
		got, ok := l2.AppendEchoReply(nil, unhex(t, tt.request))
		if !ok || hex.EncodeToString(got) != tt.reply {
			t.Errorf("%s: got %x, %t, want %s", name, got, ok, tt.reply)
		}
	}
}

func TestEchoReplyRefuses(t *testing.T) {
	edit := func(s string, at int, with ...byte) []byte {
		b := unhex(t, s)
		copy(b[at:], with)
		return b
	}
	for name, b := range map[string][]byte{
		"empty":            nil,
		"a reply":          unhex(t, reply4),
		"fragment":         edit(echo4, 6, 0x20, 0),
		"header checksum":  edit(echo4, 10, 0, 0),
		"ICMP checksum":    edit(echo4, 22, 0, 0),
		"length too long":  edit(echo4, 2, 1, 0),
		"multicast source": edit(echo4, 12, 224),
		"IPv6 checksum":    edit(echo6, 42, 0, 0),
		"IPv6 length":      edit(echo6, 4, 1, 0),
		"IPv6 from group":  edit(echo6, 8, 0xff),
	} {
		if got, ok := l2.AppendEchoReply(nil, b); ok {
			t.Errorf("%s: got %x, want nothing", name, got)
		}
	}
}
