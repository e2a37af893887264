package icmp

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// Kind is what an answer says.
type Kind uint8

// Kinds of answers.
const (
	Nothing     Kind = iota // no answer in time
	Echo                    // from the host itself
	Exceeded                // hop limit ended at a router
	Unreachable             // a router or the host refuses; Reply.Code says why
)

// protocol numbers of the two families, as IP headers have them.
const (
	proto4 = 1
	proto6 = 58
)

// marshal returns an echo request with size bytes of payload, the sum for IPv6
// left to the kernel.
func marshal(six bool, id, seq uint16, size int) ([]byte, error) {
	m := icmp.Message{Type: ipv4.ICMPTypeEcho, Body: &icmp.Echo{ID: int(id), Seq: int(seq), Data: payload(size)}}
	if six {
		m.Type = ipv6.ICMPTypeEchoRequest
	}
	b, err := m.Marshal(nil)
	if err != nil {
		return nil, fmt.Errorf("make echo request: %w", err)
	}
	return b, nil
}

func payload(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// answer is what a message says about one of our requests.
type answer struct {
	kind  Kind
	code  int
	seq   uint16
	bytes int // of the ICMP message
}

// parse reads a message; ok is false if it answers none of our requests.
func parse(six bool, b []byte, id uint16) (a answer, ok bool) {
	proto := proto4
	if six {
		proto = proto6
	}
	m, err := icmp.ParseMessage(proto, b)
	if err != nil {
		return a, false
	}
	a.code, a.bytes = m.Code, len(b)
	switch m.Type {
	case ipv4.ICMPTypeEchoReply, ipv6.ICMPTypeEchoReply:
		e, isEcho := m.Body.(*icmp.Echo)
		if !isEcho || e.ID != int(id) {
			return a, false
		}
		a.kind, a.seq = Echo, uint16(e.Seq)
		return a, true
	case ipv4.ICMPTypeTimeExceeded, ipv6.ICMPTypeTimeExceeded:
		a.kind = Exceeded
	case ipv4.ICMPTypeDestinationUnreachable, ipv6.ICMPTypeDestinationUnreachable, ipv6.ICMPTypePacketTooBig:
		a.kind = Unreachable
	default:
		return a, false
	}
	a.seq, ok = quoted(six, b[8:], id)
	return a, ok
}

// quoted finds our request in the packet that an error quotes.
func quoted(six bool, b []byte, id uint16) (seq uint16, ok bool) {
	head, want := 40, byte(128)
	if !six {
		if len(b) < 20 || b[0]>>4 != 4 || b[9] != proto4 {
			return 0, false
		}
		head, want = int(b[0]&15)*4, 8
	} else if len(b) < 40 || b[0]>>4 != 6 || b[6] != proto6 {
		return 0, false
	}
	if head < 20 || len(b) < head+8 {
		return 0, false
	}
	echo := b[head:]
	if echo[0] != want || binary.BigEndian.Uint16(echo[4:]) != id {
		return 0, false
	}
	return binary.BigEndian.Uint16(echo[6:]), true
}

// reasons of an unreachable destination (RFC 792, RFC 1812 5.2.7.1).
var reasons4 = map[int]string{0: "network unreachable", 1: "host unreachable", 2: "protocol unreachable", 3: "port unreachable",
	4: "packet too big", 9: "administratively prohibited", 10: "administratively prohibited", 13: "administratively prohibited"}

// reasons of RFC 4443 3.1.
var reasons6 = map[int]string{0: "no route", 1: "administratively prohibited", 2: "beyond scope", 3: "address unreachable",
	4: "port unreachable", 5: "source refused", 6: "route rejected"}
