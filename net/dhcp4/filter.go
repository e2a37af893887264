package dhcp4

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/bpf"
)

// whole is how many bytes of a frame a filter lets through.
const whole = 4096

// onTag begins filters that let frames of one VLAN pass; 0 is no tag at all. The
// kernel has taken tags off by then and tells them beside the frame.
func onTag(vlan uint16) []bpf.Instruction {
	if vlan == 0 {
		return []bpf.Instruction{bpf.LoadExtension{Num: bpf.ExtVLANTagPresent}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1},
			bpf.RetConstant{Val: 0}}
	}
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtVLANTagPresent}, bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 3},
		bpf.LoadExtension{Num: bpf.ExtVLANTag}, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xfff},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(vlan), SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}
}

// wireFilter lets ARP and UDP to port 68 of one tag pass, of IPv4 packets that
// are no later fragments. What it drops costs the lane nothing but the filter.
func wireFilter(vlan uint16) []bpf.RawInstruction { return assemble(append(onTag(vlan), wired...)...) }

var wired = []bpf.Instruction{
	bpf.LoadAbsolute{Off: 12, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherARP, SkipTrue: 8},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: etherIPv4, SkipTrue: 8},
	bpf.LoadAbsolute{Off: etherLen + 9, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: protoUDP, SkipTrue: 6},
	bpf.LoadAbsolute{Off: etherLen + 6, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x1fff, SkipTrue: 4},
	bpf.LoadMemShift{Off: etherLen},
	bpf.LoadIndirect{Off: etherLen + 2, Size: 2},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: clientPort, SkipTrue: 1},
	bpf.RetConstant{Val: whole},
	bpf.RetConstant{Val: 0},
}

// otherHost is PACKET_OTHERHOST: so the kernel marks frames of tags that it has
// no device for, before it forgets the tag.
const otherHost = 3

// claimFilter lets ARP pass whose sender says that it has address a: on a busy
// segment all other questions would wake us for nothing. Without a tag it is
// for a socket of ETH_P_ARP, with one for a socket of ETH_P_ALL.
func claimFilter(vlan uint16, a netip.Addr) []bpf.RawInstruction {
	list := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType}, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: otherHost, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}
	if vlan != 0 {
		list = onTag(vlan)
	}
	return assemble(append(list, claims(a)...)...)
}

func claims(a netip.Addr) []bpf.Instruction {
	b := a.As4()
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: etherARP, SkipTrue: 3},
		bpf.LoadAbsolute{Off: etherLen + 14, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(b[:]), SkipTrue: 1},
		bpf.RetConstant{Val: whole},
		bpf.RetConstant{Val: 0},
	}
}

// assemble makes a filter of constant instructions; a wrong one is a bug.
func assemble(list ...bpf.Instruction) []bpf.RawInstruction {
	raw, err := bpf.Assemble(list)
	if err != nil {
		panic(err)
	}
	return raw
}
