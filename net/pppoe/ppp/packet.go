package ppp

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Protocol is the PPP protocol of a frame.
type Protocol uint16

// Protocols that a link speaks, and those of its data.
const (
	ProtoIPv4   Protocol = 0x0021
	ProtoIPv6   Protocol = 0x0057
	ProtoIPCP   Protocol = 0x8021
	ProtoIPv6CP Protocol = 0x8057
	ProtoLCP    Protocol = 0xc021
	ProtoPAP    Protocol = 0xc023
	ProtoCHAP   Protocol = 0xc223
)

var protoNames = map[Protocol]string{ProtoIPv4: "IPv4", ProtoIPv6: "IPv6", ProtoIPCP: "IPCP", ProtoIPv6CP: "IPv6CP",
	ProtoLCP: "LCP", ProtoPAP: "PAP", ProtoCHAP: "CHAP"}

// String names the protocol.
func (p Protocol) String() string {
	if s, ok := protoNames[p]; ok {
		return s
	}
	return fmt.Sprintf("protocol %#04x", uint16(p))
}

// code tells control packets apart (RFC 1661 section 5; PAP and CHAP have their
// own numbers).
type code uint8

const (
	configRequest   code = 1
	configAck       code = 2
	configNak       code = 3
	configReject    code = 4
	terminateReq    code = 5
	terminateAck    code = 6
	codeReject      code = 7
	protocolReject  code = 8
	echoRequest     code = 9
	echoReply       code = 10
	discardRequest  code = 11
	identification  code = 12 // RFC 1570
	timeRemaining   code = 13 // RFC 1570
	papRequest      code = 1
	papAck          code = 2
	papNak          code = 3
	chapChallenge   code = 1
	chapResponse    code = 2
	chapSuccess     code = 3
	chapFailure     code = 4
	protoLen             = 2
	controlLen           = 4
	maxOptions           = 32
	maxControlBytes      = 1500
)

// ErrFrame: bytes that are no control packet.
var ErrFrame = errors.New("not a control packet")

// control is a control packet: what lies behind the protocol of a frame.
type control struct {
	code code
	id   uint8
	data []byte // of a parsed one: in the frame
}

// parseControl reads one; what follows its length is padding.
func parseControl(b []byte) (control, error) {
	if len(b) < controlLen {
		return control{}, ErrFrame
	}
	n := int(binary.BigEndian.Uint16(b[2:]))
	if n < controlLen || n > len(b) {
		return control{}, fmt.Errorf("length %d of %d: %w", n, len(b), ErrFrame)
	}
	return control{code(b[0]), b[1], b[controlLen:n]}, nil
}

// frame puts protocol and packet together as the kernel's channels take them.
func frame(p Protocol, c control) []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, protoLen+controlLen+len(c.data)), uint16(p))
	b = append(b, byte(c.code), c.id)
	b = binary.BigEndian.AppendUint16(b, uint16(controlLen+len(c.data)))
	return append(b, c.data...)
}

// option is one option of a configuration.
type option struct {
	kind  uint8
	value []byte // of a parsed one: in the frame
}

func parseOptions(b []byte) (list []option, err error) {
	for len(b) > 0 {
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) || len(list) == maxOptions {
			return nil, fmt.Errorf("option %d: %w", len(list), ErrFrame)
		}
		n := int(b[1])
		list, b = append(list, option{b[0], b[2:n]}), b[n:]
	}
	return list, nil
}

func appendOption(b []byte, kind uint8, value ...byte) []byte {
	return append(append(b, kind, byte(2+len(value))), value...)
}

func appendOptions(b []byte, list []option) []byte {
	for _, o := range list {
		b = appendOption(b, o.kind, o.value...)
	}
	return b
}
