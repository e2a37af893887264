package packet_test

import (
	"bytes"
	"testing"

	. "waymark/svr/packet"
)

// synPacket is a SYN with the given options.
func synPacket(t *testing.T, options string, flags byte) *Packet {
	t.Helper()
	o := unhex(options)
	h := unhex("c3cc20fb 00000001 00000000 5002faf0 00000000")
	h[12], h[13] = byte(20+len(o))/4<<4, flags
	p := newBuf(60)
	copy(Build(p, randomTuple(rng(), 4, ProtoTCP), 64, 0, len(o)), o)
	tuple := p.T
	copy(p.Buf[p.L4:], h)
	be.PutUint16(p.Buf[p.L4:], tuple.SrcPort)
	be.PutUint16(p.Buf[p.L4+2:], tuple.DstPort)
	p.Finish()
	if err := p.Parse(); err != nil {
		t.Fatal(err)
	}
	p.FinishFull()
	return p
}

func TestMSS(t *testing.T) {
	for _, c := range []struct {
		name, options string
		flags         byte
		mss           uint16
		ok            bool
	}{
		{"first", "020405b4", FlagSYN, 1460, true},
		{"answer", "020405b4", FlagSYN | FlagACK, 1460, true},
		{"behind others", "01030307 0402 020405b4 0101", FlagSYN, 1460, true},
		{"odd place", "01 020405b4 010101", FlagSYN, 1460, true},
		{"no SYN", "020405b4", FlagACK, 0, false},
		{"no option", "", FlagSYN, 0, false},
		{"behind the end", "00 020405b4 000000", FlagSYN, 0, false},
		{"wrong length", "020505b4 01010101", FlagSYN, 0, false},
		{"cut", "010101 02", FlagSYN, 0, false},
		{"length 0", "0300 020405b4 0101", FlagSYN, 0, false},
		{"length 1", "0301 020405b4 0101", FlagSYN, 0, false},
		{"beyond the header", "0309 020405b4 0101", FlagSYN, 0, false},
	} {
		p := synPacket(t, c.options, c.flags)
		if mss, ok := p.MSS(); mss != c.mss || ok != c.ok {
			t.Errorf("%s: got %d %v, want %d %v", c.name, mss, ok, c.mss, c.ok)
		}
		before := bytes.Clone(p.IP())
		p.ClampMSS(1460)
		if !bytes.Equal(p.IP(), before) {
			t.Errorf("%s: changed by its own value", c.name)
		}
		p.ClampMSS(1300)
		sound(t, p)
		if mss, ok := p.MSS(); ok && mss != 1300 {
			t.Errorf("%s: clamped to %d", c.name, mss)
		}
		if !c.ok && !bytes.Equal(p.IP(), before) {
			t.Errorf("%s: changed", c.name)
		}
	}
}

func TestClampMSSPartial(t *testing.T) {
	p := synPacket(t, "01 020405b4 010101", FlagSYN)
	p.Finish()
	p.ClampMSS(536)
	sound(t, p)
	p.CompleteCsum()
	sound(t, p)
}
