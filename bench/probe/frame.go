package probe

import (
	"encoding/binary"
	"net/netip"
)

// FrameSize is the length of a generated Ethernet frame without the four bytes
// of its check sequence: what is called a 64-byte packet.
const FrameSize = 60

// Offsets in a frame of Ethernet, IPv4 without options and UDP.
const (
	offType    = 12
	offID      = 18
	offProto   = 23
	offSource  = 28 // the last two bytes of the source address
	offPort    = 34 // UDP source port
	offData    = 42
	offStamp   = 46 // when Flows.Stamp: low half of the clock, and its complement
	protoUDP   = 17
	flowBits   = 14 // flows that differ by source port; more of them change the address
	firstPort  = 10000
	hostNumber = 2 // last byte of every source address
)

// Flows describes what a generator sends. Flow f comes from source port
// 10000 + f mod 16384 of address A.B.(f / 16384).2 where A.B are the first bytes
// of From.
type Flows struct {
	DstMAC, SrcMAC [6]byte
	From, To       [4]byte
	Port           uint16 // UDP destination port
	Count          uint32 // number of flows, a power of two, at most 4 M
	Random         bool   // order of flows: pseudo-random instead of round robin
	Stamp          bool   // each frame tells when it was made
	Batch          uint32 // frames that are handed on together; 0: the kernel's 64
	Size           int    // length of a frame, of which all but the first FrameSize bytes are zero; 0: FrameSize
}

// size is the length of a frame.
func (f *Flows) size() int { return max(f.Size, FrameSize) }

// Flow returns source address and port of flow i.
func (f *Flows) Flow(i int) netip.AddrPort {
	a := netip.AddrFrom4([4]byte{f.From[0], f.From[1], byte(i >> flowBits), hostNumber})
	return netip.AddrPortFrom(a, uint16(firstPort+i&(1<<flowBits-1)))
}

// frame builds the beginning of the frame of flow 0. Words that differ from flow to flow are
// followed by their complements elsewhere (the address in IP identification and
// payload, the port in the payload), so that one pair of checksums is right for
// every flow.
func (f *Flows) frame() (b [FrameSize]byte) {
	copy(b[0:], f.DstMAC[:])
	copy(b[6:], f.SrcMAC[:])
	copy(b[offType:], []byte{8, 0, 0x45, 0})
	ip := b[14:]
	binary.BigEndian.PutUint16(ip[2:], uint16(f.size()-14))
	ip[8], ip[9] = 64, protoUDP
	copy(ip[12:], []byte{f.From[0], f.From[1], 0, hostNumber})
	copy(ip[16:], f.To[:])
	binary.BigEndian.PutUint16(b[offID:], ^uint16(hostNumber))
	binary.BigEndian.PutUint16(b[offPort:], firstPort)
	binary.BigEndian.PutUint16(b[offPort+2:], f.Port)
	binary.BigEndian.PutUint16(b[offPort+4:], uint16(f.size()-offPort))
	port, host := uint16(firstPort), uint16(hostNumber)
	binary.BigEndian.PutUint16(b[offData:], ^port)
	binary.BigEndian.PutUint16(b[offData+2:], ^host)
	binary.BigEndian.PutUint16(ip[10:], ^sum(0, ip[:20]))
	pseudo := sum(uint32(protoUDP+f.size()-offPort), ip[12:20])
	binary.BigEndian.PutUint16(b[offPort+6:], ^sum(uint32(pseudo), b[offPort:]))
	return b
}

// sum is the ones' complement sum of RFC 1071 over an even number of bytes.
func sum(s uint32, b []byte) uint16 {
	for ; len(b) > 0; b = b[2:] {
		s += uint32(binary.BigEndian.Uint16(b))
	}
	s = s&0xffff + s>>16
	return uint16(s&0xffff + s>>16)
}
