package packet

import "errors"

// Csum is what is known about the checksum field of the L4 header.
type Csum uint8

// States of the L4 checksum field.
const (
	// CsumUnknown: the field holds a full checksum that nobody verified yet.
	CsumUnknown Csum = iota
	// CsumValid: the field holds a full checksum (or a UDP zero) that the
	// device or VerifyL4 found right.
	CsumValid
	// CsumPartial: the field holds the folded sum of the pseudo-header only,
	// not complemented; device or kernel complete it (virtio NEEDS_CSUM).
	CsumPartial
)

// GSO tells whether a packet is a super-packet and of which sort.
type GSO uint8

// Sorts of super-packets, as in a virtio-net header.
const (
	GSONone GSO = iota
	GSOTCP4
	GSOTCP6
	GSOUDP
)

// Kind is what Parse found behind the IP header.
type Kind uint8

// Kinds of packets.
const (
	// KindOther: a protocol the data plane does not carry, or ICMP that is
	// neither echo nor error, or IPv6 with a live routing header.
	KindOther Kind = iota
	// KindTCP: a whole TCP segment or super-packet.
	KindTCP
	// KindUDP: a whole UDP datagram or super-packet.
	KindUDP
	// KindEcho: ICMP or ICMPv6 echo request or reply.
	KindEcho
	// KindICMPError: ICMP unreachable, time exceeded, parameter problem;
	// ICMPv6 unreachable, too big, time exceeded, parameter problem.
	KindICMPError
	// KindFragment: a piece of an IP packet, the first one or a later one.
	KindFragment
)

// TCP flags as in byte 13 of the TCP header (RFC 9293 3.1).
const (
	FlagFIN = 1 << iota
	FlagSYN
	FlagRST
	FlagPSH
	FlagACK
	FlagURG
	FlagECE
	FlagCWR
)

// Sizes of headers in bytes, without options.
const (
	IPv4Size = 20
	IPv6Size = 40
	TCPSize  = 20
	UDPSize  = 8
	ICMPSize = 8
	fragSize = 8
)

// MaxLen is the length of the largest IPv4 packet, and of the largest payload
// of an IPv6 packet.
const MaxLen = 65535

// Errors of Parse.
var (
	// ErrShort: the bytes end inside a header.
	ErrShort = errors.New("packet too short")
	// ErrVersion: neither IPv4 nor IPv6.
	ErrVersion = errors.New("IP version unknown")
	// ErrHeader: a header contradicts itself.
	ErrHeader = errors.New("header malformed")
	// ErrLength: a length field says more than the bytes that came.
	ErrLength = errors.New("length field wrong")
	// ErrHeaderChecksum: the IPv4 header checksum is wrong.
	ErrHeaderChecksum = errors.New("IPv4 header checksum wrong")
)

// Packet is a view of one IP packet (or super-packet) inside a buffer of the
// lane. It is reused: Reset, Parse, change, send.
type Packet struct {
	Buf      []byte // the whole buffer with head- and tailroom; owned by the lane
	Off, End int    // the IP packet is Buf[Off:End]
	If       uint16 // ingress network-interface (router's numbering)
	Csum     Csum   // state of the L4 checksum field
	GSO      GSO    // sort of super-packet
	GSOSize  uint16 // payload bytes of one segment, 0 without GSO

	// Set by Parse, kept right by every method that changes the packet.

	L4, Data int   // offsets in Buf of the L4 header and of the bytes behind it
	T        Tuple // of a fragment and of KindOther: ports 0
	Kind     Kind
	TCPFlags uint8  // Flag… of a KindTCP packet
	next     uint16 // offset from Off of the byte that names the L4 protocol
}

// Reset makes p a view of the IP packet buf[off:end] that came in on network-
// interface ifc, without GSO and with an unverified checksum. The lane sets
// Csum, GSO and GSOSize afterwards where the device told them.
func (p *Packet) Reset(buf []byte, off, end int, ifc uint16) {
	*p = Packet{Buf: buf, Off: off, End: end, L4: end, Data: end, If: ifc}
}

// V6 tells whether the packet is IPv6.
func (p *Packet) V6() bool { return p.T.Family == 6 }

// Len returns the length of the IP packet in bytes.
func (p *Packet) Len() int { return p.End - p.Off }

// Payload returns the bytes behind the L4 header. They alias Buf.
func (p *Packet) Payload() []byte { return p.Buf[p.Data:p.End] }

// IP returns the whole IP packet. It aliases Buf.
func (p *Packet) IP() []byte { return p.Buf[p.Off:p.End] }

// Headroom returns how many bytes are free before the IP packet.
func (p *Packet) Headroom() int { return p.Off }

// Tailroom returns how many bytes are free behind the IP packet.
func (p *Packet) Tailroom() int { return len(p.Buf) - p.End }
