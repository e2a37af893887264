package disc

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Code tells packets of the discovery stage apart (RFC 2516 section 5).
type Code uint8

// Codes.
const (
	PADI Code = 0x09 // initiation: who is there?
	PADO Code = 0x07 // offer
	PADR Code = 0x19 // request
	PADS Code = 0x65 // session confirmation
	PADT Code = 0xa7 // termination, either way, at any time
)

var codeNames = map[Code]string{PADI: "PADI", PADO: "PADO", PADR: "PADR", PADS: "PADS", PADT: "PADT"}

// String returns the code as RFC 2516 writes it.
func (c Code) String() string {
	if s, ok := codeNames[c]; ok {
		return s
	}
	return fmt.Sprintf("code %#02x", uint8(c))
}

// Kind is the type of a tag (RFC 2516 appendix A, RFC 4638 section 4).
type Kind uint16

// Kinds of tags.
const (
	EndOfList        Kind = 0x0000
	ServiceName      Kind = 0x0101
	ACName           Kind = 0x0102
	HostUniq         Kind = 0x0103
	ACCookie         Kind = 0x0104
	RelaySessionID   Kind = 0x0110
	MaxPayload       Kind = 0x0120
	ServiceNameError Kind = 0x0201
	ACSystemError    Kind = 0x0202
	GenericError     Kind = 0x0203
)

// Tag is one tag of a packet. Its value belongs to whoever made the packet; of a
// parsed one it lies in the frame.
type Tag struct {
	Kind  Kind
	Value []byte
}

// MAC is an Ethernet address.
type MAC = [6]byte

// Broadcast is everybody's address.
var Broadcast = MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// Packet is a packet of the discovery stage with its Ethernet addresses.
type Packet struct {
	Dst, Src MAC
	Code     Code
	Session  uint16
	Tags     []Tag
}

const (
	// EtherType is the discovery stage's.
	EtherType = 0x8863

	etherLen   = 14
	headerLen  = 6
	versionOne = 0x11 // version 1, type 1
	minFrame   = 60   // of Ethernet, without checksum
	maxTags    = 64   // of a packet that we read
)

// ErrPacket: bytes that are no packet of the discovery stage.
var ErrPacket = errors.New("not a discovery packet")

// Parse reads an Ethernet frame. What follows the packet is padding.
func Parse(frame []byte) (Packet, error) {
	var p Packet
	if len(frame) < etherLen+headerLen || binary.BigEndian.Uint16(frame[12:]) != EtherType || frame[etherLen] != versionOne {
		return p, ErrPacket
	}
	copy(p.Dst[:], frame)
	copy(p.Src[:], frame[6:])
	b := frame[etherLen:]
	p.Code, p.Session = Code(b[1]), binary.BigEndian.Uint16(b[2:])
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n > len(b)-headerLen {
		return p, fmt.Errorf("length %d of %d: %w", n, len(b)-headerLen, ErrPacket)
	}
	var err error
	p.Tags, err = parseTags(b[headerLen : headerLen+n])
	return p, err
}

func parseTags(b []byte) (list []Tag, err error) {
	for len(b) > 0 {
		if len(b) < 4 || len(list) == maxTags {
			return nil, fmt.Errorf("tag %d: %w", len(list), ErrPacket)
		}
		t := Tag{Kind: Kind(binary.BigEndian.Uint16(b))}
		n := int(binary.BigEndian.Uint16(b[2:]))
		if t.Kind == EndOfList {
			return list, nil
		}
		if n > len(b)-4 {
			return nil, fmt.Errorf("tag %#04x of %d bytes: %w", uint16(t.Kind), n, ErrPacket)
		}
		t.Value = b[4 : 4+n]
		list, b = append(list, t), b[4+n:]
	}
	return list, nil
}

// Frame returns the packet as an Ethernet frame, padded to the least length.
func (p *Packet) Frame() []byte {
	b := make([]byte, 0, minFrame)
	b = append(append(b, p.Dst[:]...), p.Src[:]...)
	b = binary.BigEndian.AppendUint16(b, EtherType)
	b = append(b, versionOne, byte(p.Code))
	b = binary.BigEndian.AppendUint16(b, p.Session)
	n := 0
	for _, t := range p.Tags {
		n += 4 + len(t.Value)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(n))
	for _, t := range p.Tags {
		b = binary.BigEndian.AppendUint16(b, uint16(t.Kind))
		b = binary.BigEndian.AppendUint16(b, uint16(len(t.Value)))
		b = append(b, t.Value...)
	}
	for len(b) < minFrame {
		b = append(b, 0)
	}
	return b
}

// Find returns the first tag of a kind.
func (p *Packet) Find(k Kind) (value []byte, ok bool) {
	for _, t := range p.Tags {
		if t.Kind == k {
			return t.Value, true
		}
	}
	return nil, false
}

// offers tells whether the packet has a Service-Name of that value; an empty
// want is content with any.
func (p *Packet) offers(want string) bool {
	for _, t := range p.Tags {
		if t.Kind == ServiceName && (want == "" || string(t.Value) == want) {
			return true
		}
	}
	return false
}

// refusal is what an error tag says; ok false: there is none.
func (p *Packet) refusal() (text string, ok bool) {
	for _, t := range p.Tags {
		switch t.Kind {
		case ServiceNameError, ACSystemError, GenericError:
			return errorNames[t.Kind] + printable(t.Value), true
		}
	}
	return "", false
}

var errorNames = map[Kind]string{ServiceNameError: "service name refused: ",
	ACSystemError: "access concentrator failed: ", GenericError: "access concentrator says: "}

// maxText bounds what we quote of a stranger's text, in bytes.
const maxText = 128

// printable makes a stranger's bytes fit for logs and tables.
func printable(b []byte) string {
	s := make([]byte, 0, min(len(b), maxText))
	for _, c := range b[:min(len(b), maxText)] {
		if c < ' ' || c > '~' {
			c = '.'
		}
		s = append(s, c)
	}
	return string(s)
}
