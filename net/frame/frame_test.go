package frame_test

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"waymark/net/frame"
)

var (
	ourMAC  = frame.MAC{2, 0, 0, 0, 0, 1}
	hisMAC  = frame.MAC{2, 0, 0, 0, 0, 9}
	server  = netip.MustParseAddr("192.0.2.1")
	address = netip.MustParseAddr("192.0.2.100")
)

const clientPort = 68

// raw changes a frame.
type raw func([]byte) []byte

// at writes bytes at an offset.
func at(i int, v ...byte) raw { return func(b []byte) []byte { copy(b[i:], v); return b } }

// Odd frames around a good message.
func TestOddFrames(t *testing.T) {
	f := frame.UDP(hisMAC, frame.Broadcast, netip.AddrPortFrom(server, 67), netip.AddrPortFrom(address, clientPort), []byte("hello"))
	check := ^frame.Sum(uint32(frame.PseudoSum(f[frame.EtherLen:])), append(f[frame.EtherLen+frame.IPLen:frame.EtherLen+frame.IPLen+6:frame.EtherLen+frame.IPLen+6], append([]byte{0, 0}, "hello"...)...))
	binary.BigEndian.PutUint16(f[frame.EtherLen+frame.IPLen+6:], check)
	const ipAt, udpAt = frame.EtherLen, frame.EtherLen + frame.IPLen
	fix := func(b []byte) []byte { // the header's checksum
		binary.BigEndian.PutUint16(b[ipAt+10:], 0)
		binary.BigEndian.PutUint16(b[ipAt+10:], ^frame.Sum(0, b[ipAt:udpAt]))
		return b
	}
	for _, tt := range []struct {
		name string
		raw  raw
		want bool
	}{
		{"good", at(0), true},
		{"padding behind", func(b []byte) []byte { return append(b, 1, 2, 3) }, true},
		{"no UDP checksum", at(udpAt+6, 0, 0), true},
		{"only the pseudo header's sum, as before hardware", func(b []byte) []byte {
			binary.BigEndian.PutUint16(b[udpAt+6:], frame.PseudoSum(b[ipAt:]))
			return b
		}, true},
		{"wrong UDP checksum", at(udpAt+6, 1, 2), false},
		{"wrong header checksum", at(ipAt+10, 1, 2), false},
		{"IPv6", at(ipAt, 0x65), false},
		{"header length 4", func(b []byte) []byte { b[ipAt] = 0x41; return fix(b) }, false},
		{"header longer than the packet", func(b []byte) []byte { b[ipAt] = 0x4f; return fix(b) }, false},
		{"total length beyond the frame", func(b []byte) []byte { b[ipAt+2] = 9; return fix(b) }, false},
		{"total length 0", func(b []byte) []byte { copy(b[ipAt+2:], []byte{0, 0}); return fix(b) }, false},
		{"first fragment", func(b []byte) []byte { b[ipAt+6] = 0x20; return fix(b) }, false},
		{"later fragment", func(b []byte) []byte { b[ipAt+7] = 1; return fix(b) }, false},
		{"TCP", func(b []byte) []byte { b[ipAt+9] = 6; return fix(b) }, false},
		{"another port", at(udpAt+2, 0, 67), false},
		{"UDP length below 8", at(udpAt+4, 0, 7), false},
		{"UDP length beyond", at(udpAt+4, 9, 9), false},
		{"cut", func(b []byte) []byte { return b[:30] }, false},
	} {
		d, err := frame.ReadUDP(tt.raw(bytes.Clone(f)), clientPort)
		b := d.Payload
		if (err == nil) != tt.want || tt.want && string(b) != "hello" {
			t.Errorf("%s: got %q, %v", tt.name, b, err)
		}
	}
}

// What is built can be read, with everything that stands in it.
func TestUDP(t *testing.T) {
	src, dst := netip.AddrPortFrom(server, 67), netip.AddrPortFrom(address, 68)
	for _, payload := range []string{"", "x", "hello", string(bytes.Repeat([]byte{0xff}, 1400))} {
		f := frame.UDP(hisMAC, ourMAC, src, dst, []byte(payload))
		d, err := frame.ReadUDP(f, 68)
		if err != nil || d.From != hisMAC || frame.MAC(f[:6]) != ourMAC || d.Src != src || d.Dst != dst || string(d.Payload) != payload {
			t.Errorf("%d bytes: %+v, %v", len(payload), d, err)
		}
	}
	if d, err := frame.ReadUDP(frame.UDP(hisMAC, ourMAC, netip.AddrPort{}, dst, nil), 68); err != nil || !d.Src.Addr().IsUnspecified() {
		t.Errorf("without source: %+v, %v", d, err)
	}
}

func TestARP(t *testing.T) {
	for _, tt := range []struct {
		frame []byte
		want  frame.ARP
	}{
		{frame.Probe(ourMAC, address), frame.ARP{MAC: ourMAC, Sender: netip.IPv4Unspecified(), Target: address}},
		{frame.Announce(ourMAC, address), frame.ARP{MAC: ourMAC, Sender: address, Target: address}},
		{frame.Ask(ourMAC, server, address), frame.ARP{MAC: ourMAC, Sender: server, Target: address}},
	} {
		if got, ok := frame.ReadARP(tt.frame); !ok || got != tt.want {
			t.Errorf("%+v, want %+v", got, tt.want)
		}
		for n := range len(tt.frame) {
			if _, ok := frame.ReadARP(tt.frame[:n]); ok {
				t.Errorf("cut to %d bytes it is read", n)
			}
		}
	}
}

func TestMACText(t *testing.T) {
	b, err := hisMAC.MarshalText()
	var got frame.MAC
	if err != nil || string(b) != "020000000009" || got.UnmarshalText(b) != nil || got != hisMAC {
		t.Errorf("%s, %v, %x", b, err, got)
	}
	for _, wrong := range []string{"", "0200000009", "02000000000g", "02:00:00:00:00:09"} {
		if got.UnmarshalText([]byte(wrong)) == nil {
			t.Errorf("%q is read", wrong)
		}
	}
}

func FuzzReadUDP(f *testing.F) {
	f.Add(frame.UDP(hisMAC, ourMAC, netip.AddrPortFrom(server, 67), netip.AddrPortFrom(address, 68), []byte("hello")))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := frame.ReadUDP(b, 68); err == nil && (len(d.Payload) > len(b) || d.Dst.Port() != 68) {
			t.Fatalf("%+v of %x", d, b)
		}
		frame.ReadARP(b)
	})
}
