package session

import (
	"testing"

	"waymark/svr/packet"
)

// segment builds a TCP segment of n data bytes.
func segment(t *testing.T, seq, ack uint32, flags uint8, n int) *packet.Packet {
	t.Helper()
	var p packet.Packet
	p.Reset(make([]byte, 2048), 256, 256, 0)
	tuple := packet.Tuple{SrcPort: 1000, DstPort: 2000, Proto: packet.ProtoTCP, Family: 4}
	tuple.Src[0], tuple.Dst[0] = 192, 198
	if packet.Build(&p, tuple, 64, 0, n) == nil {
		t.Fatal("no room for the segment")
	}
	b := p.Buf[p.L4:]
	for i := range 4 {
		b[4+i], b[8+i] = byte(seq>>(24-8*i)), byte(ack>>(24-8*i))
	}
	b[13], b[14] = flags, 0x10
	p.TCPFlags = flags
	return &p
}

// Sequence numbers begin anywhere: what a side acknowledged counts from its
// first acknowledgement on, not from zero.
func TestTCPTracksFromAnyStart(t *testing.T) {
	for _, iss := range []uint32{0, 1 << 30, 1<<31 - 1, 1 << 31, 3 << 30, 1<<32 - 2} {
		var s tcpState
		client := uint32(77)
		s.observe(segment(t, client, 0, flagSYN, 0), 0)
		s.observe(segment(t, iss, client+1, flagSYN|flagACK, 0), 1)
		s.observe(segment(t, client+1, iss+1, flagACK, 0), 0)
		s.observe(segment(t, iss+1, client+1, flagACK, 1000), 1)
		if !s.quoted(iss+1, 1) {
			t.Errorf("server begins at %#x: an error about its data is not believed", iss)
		}
		if s.quoted(iss+1-100000, 1) || s.quoted(iss+2000, 1) {
			t.Errorf("server begins at %#x: an error about what it never sent is believed", iss)
		}
		if s.inWindow(iss+1-70000, 1) {
			t.Errorf("server begins at %#x: a RST from before its window counts", iss)
		}
		s.observe(segment(t, iss+1001, client+1, flagRST|flagACK, 0), 1)
		if !s.closedBothWays() {
			t.Errorf("server begins at %#x: its RST does not count", iss)
		}
	}
}

// talk follows a whole connection whose server begins at iss.
func talk(t *testing.T, s *tcpState, client, iss uint32) {
	t.Helper()
	s.observe(segment(t, client, 0, flagSYN, 0), 0)
	s.observe(segment(t, iss, client+1, flagSYN|flagACK, 0), 1)
	s.observe(segment(t, client+1, iss+1, flagACK, 500), 0)
	if s.closedBothWays() {
		t.Errorf("server begins at %#x: closed while it talks", iss)
	}
	s.observe(segment(t, iss+1, client+501, flagACK|flagFIN, 800), 1)
	s.observe(segment(t, client+501, iss+802, flagACK|flagFIN, 0), 0)
	if !s.closedBothWays() {
		t.Errorf("server begins at %#x: not closed behind both FINs", iss)
	}
}

// A client takes a port again while the session of the closed connection rests:
// the new one is followed from its own numbers.
func TestTCPConnectsAgainBehindAClosedOne(t *testing.T) {
	var s tcpState
	talk(t, &s, 77, 1000)
	talk(t, &s, 77+1<<20, 3<<30)
	s.observe(segment(t, 3<<30, 78+1<<20, flagSYN|flagACK, 0), 1)
	if !s.closedBothWays() {
		t.Error("a late SYN-ACK opens a closed connection again")
	}
}

// A RST between SYN-ACK and the client's first acknowledgement counts.
func TestTCPResetBeforeTheFirstAck(t *testing.T) {
	for _, iss := range []uint32{5, 3 << 30} {
		var s tcpState
		s.observe(segment(t, 77, 0, flagSYN, 0), 0)
		s.observe(segment(t, iss, 78, flagSYN|flagACK, 0), 1)
		if s.inWindow(iss+1+1<<20, 1) {
			t.Errorf("server begins at %#x: a RST far ahead counts", iss)
		}
		s.observe(segment(t, iss+1, 78, flagRST|flagACK, 0), 1)
		if !s.closedBothWays() {
			t.Errorf("server begins at %#x: its RST does not count", iss)
		}
	}
}
