package deny

import (
	"encoding/binary"
	"fmt"

	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Protocol of an opening.
type Protocol string

// The protocols.
const (
	TCP  Protocol = "tcp"
	UDP  Protocol = "udp"
	Echo Protocol = "echo" // ICMP and ICMPv6 echo requests; no port
)

// Opening lets packets in that arrive on an interface.
type Opening struct {
	Interface string // Linux interface
	Protocol  Protocol
	Port      uint16 // destination, for TCP and UDP
}

func (o Opening) check() error {
	switch {
	case o.Interface == "" || len(o.Interface) >= unix.IFNAMSIZ:
		return fmt.Errorf("opening %v: no Linux interface", o)
	case o.Protocol == Echo && o.Port == 0, (o.Protocol == TCP || o.Protocol == UDP) && o.Port != 0:
		return nil
	}
	return fmt.Errorf("opening %v: want tcp or udp with a port, or echo", o)
}

func accept(parts ...[]expr.Any) (rule []expr.Any) {
	for _, p := range parts {
		rule = append(rule, p...)
	}
	return append(rule, &expr.Verdict{Kind: expr.VerdictAccept})
}

func meta(key expr.MetaKey, value []byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: value}}
}

func from(name string) []expr.Any {
	b := make([]byte, unix.IFNAMSIZ)
	copy(b, name)
	return meta(expr.MetaKeyIIFNAME, b)
}

func protocol(p byte) []expr.Any { return meta(expr.MetaKeyL4PROTO, []byte{p}) }

// transport compares bytes of the transport header.
func transport(offset uint32, value ...byte) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: offset, Len: uint32(len(value))},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: value},
	}
}

// Types of ICMP and ICMPv6 messages.
const (
	echo4         = 8
	echo6         = 128
	neighbourAd   = 136
	neighbourAsk  = 135
	routerAd      = 134
	wholeHopLimit = 255 // of neighbour discovery: it never crossed a router (RFC 4861 7.1)
)

// always are the rules that hold whatever is open.
func always() [][]expr.Any {
	rules := [][]expr.Any{
		accept(from("lo")),
		accept(answers()),
	}
	for _, typ := range []byte{neighbourAsk, neighbourAd, routerAd} {
		rules = append(rules, accept(protocol(unix.IPPROTO_ICMPV6), hopLimit(), transport(0, typ)))
	}
	return rules
}

// answers matches packets of connections that the box began, and ICMP errors
// about them.
func answers() []expr.Any {
	mask := binary.NativeEndian.AppendUint32(nil, expr.CtStateBitESTABLISHED|expr.CtStateBitRELATED)
	none := make([]byte, 4)
	return []expr.Any{
		&expr.Ct{Key: expr.CtKeySTATE, Register: 1},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask, Xor: none},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: none},
	}
}

// hopLimit is of an IPv6 packet; the rule it stands in matches ICMPv6 alone.
func hopLimit() []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 7, Len: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{wholeHopLimit}},
	}
}

// rules of one opening.
func (o Opening) rules() [][]expr.Any {
	switch o.Protocol {
	case Echo:
		return [][]expr.Any{
			accept(from(o.Interface), protocol(unix.IPPROTO_ICMP), transport(0, echo4)),
			accept(from(o.Interface), protocol(unix.IPPROTO_ICMPV6), transport(0, echo6)),
		}
	case TCP:
		return [][]expr.Any{accept(from(o.Interface), protocol(unix.IPPROTO_TCP), o.port())}
	}
	return [][]expr.Any{accept(from(o.Interface), protocol(unix.IPPROTO_UDP), o.port())}
}

func (o Opening) port() []expr.Any {
	return transport(2, byte(o.Port>>8), byte(o.Port))
}
