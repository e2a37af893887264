package guard

import (
	"encoding/binary"
	"net/netip"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"
)

// Building blocks of rules: each loads register 1 and compares it.

func load(key expr.MetaKey, op expr.CmpOp, v []byte) []expr.Any {
	return []expr.Any{&expr.Meta{Key: key, Register: 1}, &expr.Cmp{Op: op, Register: 1, Data: v}}
}

// etherType matches the protocol of the frame.
func etherType(t uint16) []expr.Any {
	return load(expr.MetaKeyPROTOCOL, expr.CmpOpEq, binary.BigEndian.AppendUint16(nil, t))
}

// l3proto matches the family in an inet chain.
func l3proto(family byte) []expr.Any {
	return load(expr.MetaKeyNFPROTO, expr.CmpOpEq, []byte{family})
}

// destination loads the destination address of an IPv4 or IPv6 packet.
func destination(v6 bool) expr.Any {
	p := &expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 16, Len: 4}
	if v6 {
		p.Offset, p.Len = 24, 16
	}
	return p
}

func to(a netip.Addr) []expr.Any {
	return []expr.Any{destination(a.Is6()), &expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: a.AsSlice()}}
}

func toSet(s *nftables.Set, v6 bool) []expr.Any {
	return []expr.Any{destination(v6), &expr.Lookup{SourceRegister: 1, SetName: s.Name, SetID: s.ID}}
}

// toLinkLocal matches fe80::/10.
func toLinkLocal() []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 24, Len: 2},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 2, Mask: []byte{0xff, 0xc0}, Xor: []byte{0, 0}},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{0xfe, 0x80}},
	}
}

// Fragments behind the first one have no ports, but Linux 6.18 compares
// whatever stands where ports would be (in IPv6 even the flow label). So they
// are let pass before the rules about ports. Without its first fragment, which
// is dropped, a datagram to a guarded port never gets whole.

func laterFragment4() []expr.Any { return fragment4(expr.CmpOpNeq) }

// firstFragment4 matches whole packets too.
func firstFragment4() []expr.Any { return fragment4(expr.CmpOpEq) }

// fragment4 compares the fragment offset with 0.
func fragment4(op expr.CmpOp) []expr.Any {
	none := []byte{0, 0}
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: 6, Len: 2},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 2, Mask: []byte{0x1f, 0xff}, Xor: none},
		&expr.Cmp{Op: op, Register: 1, Data: none},
	}
}

// laterFragment6 does not match packets without a fragment header.
func laterFragment6() []expr.Any {
	none := []byte{0, 0}
	return []expr.Any{
		&expr.Exthdr{DestRegister: 1, Type: unix.IPPROTO_FRAGMENT, Offset: 2, Len: 2, Op: expr.ExthdrOpIpv6},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 2, Mask: []byte{0xff, 0xf8}, Xor: none},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: none},
	}
}

// protocol matches the protocol of layer 4.
func protocol(proto byte) []expr.Any {
	return load(expr.MetaKeyL4PROTO, expr.CmpOpEq, []byte{proto})
}

// port matches the destination port of what protocol says is TCP or UDP.
func port(r Range) []expr.Any {
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseTransportHeader, Offset: 2, Len: 2},
		&expr.Range{Op: expr.CmpOpEq, Register: 1,
			FromData: binary.BigEndian.AppendUint16(nil, r.First), ToData: binary.BigEndian.AppendUint16(nil, r.Last)},
	}
}

func verdict(k expr.VerdictKind) []expr.Any { return []expr.Any{&expr.Verdict{Kind: k}} }

func goTo(chain string) []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: expr.VerdictGoto, Chain: chain}}
}

func join2(parts ...[]expr.Any) (all []expr.Any) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// guarded returns the rules about the guarded ports of one IP version; start
// begins each rule.
func guarded(addrs []Address, v6 bool, start []expr.Any) [][]expr.Any {
	later := laterFragment4()
	if v6 {
		later = laterFragment6()
	}
	rules := [][]expr.Any{join2(start, later, verdict(expr.VerdictAccept))}
	for _, a := range addrs {
		if a.Addr.Is6() != v6 {
			continue
		}
		for _, r := range a.Ports {
			for _, proto := range []byte{unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
				rules = append(rules, join2(start, to(a.Addr), protocol(proto), port(r), verdict(expr.VerdictDrop)))
			}
		}
	}
	return rules
}

// ingress returns the rules of a device, through which every packet of the lane
// goes: what most packets fail comes first in each. own4 and own6 hold the own
// addresses; the chains of these names decide about packets to them. On a device
// without a DHCP client nothing gets to the client's port, whatever it is sent to.
func ingress(own4, own6 *nftables.Set, client bool) (rules [][]expr.Any) {
	host := []byte{unix.PACKET_HOST}
	if !client {
		const dhcp = 68
		rules = append(rules, join2(protocol(unix.IPPROTO_UDP), etherType(unix.ETH_P_IP), firstFragment4(),
			port(Range{First: dhcp, Last: dhcp}), verdict(expr.VerdictDrop)))
	}
	return append(rules, [][]expr.Any{
		join2(etherType(unix.ETH_P_IP), toSet(own4, false), goTo(own4.Name)),
		join2(etherType(unix.ETH_P_IPV6), toSet(own6, true), goTo(own6.Name)),
		join2(load(expr.MetaKeyPKTTYPE, expr.CmpOpNeq, host), verdict(expr.VerdictAccept)),
		join2(etherType(unix.ETH_P_IP), verdict(expr.VerdictDrop)),
		join2(etherType(unix.ETH_P_IPV6), toLinkLocal(), verdict(expr.VerdictAccept)),
		join2(etherType(unix.ETH_P_IPV6), verdict(expr.VerdictDrop)),
	}...)
}

// input returns the rules of the inet input chain. IPv4 is whole there, IPv6
// is not.
func input(addrs []Address) [][]expr.Any {
	name := make([]byte, unix.IFNAMSIZ)
	copy(name, "lo")
	rules := [][]expr.Any{join2(load(expr.MetaKeyIIFNAME, expr.CmpOpEq, name), verdict(expr.VerdictAccept))}
	rules = append(rules, guarded(addrs, false, l3proto(unix.NFPROTO_IPV4))...)
	return append(rules, guarded(addrs, true, l3proto(unix.NFPROTO_IPV6))...)
}
