package frame

import "golang.org/x/net/bpf"

// Whole is how many bytes of a frame a filter lets through.
const Whole = 4096

// OnTag begins filters that let frames of one VLAN pass; 0 is no tag at all. The
// kernel has taken tags off by then and tells them beside the frame.
func OnTag(vlan uint16) []bpf.Instruction {
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

// otherHost is PACKET_OTHERHOST: so the kernel marks frames of tags that it has
// no device for, before it forgets the tag.
const otherHost = 3

// Untagged begins filters of sockets for one EtherType, behind which the kernel
// has forgotten tags.
func Untagged() []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType}, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: otherHost, SkipTrue: 1},
		bpf.RetConstant{Val: 0},
	}
}

// ToPort lets ARP and UDP to a port pass, of IPv4 packets that are no later
// fragments.
func ToPort(port uint16) []bpf.Instruction {
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: TypeARP, SkipTrue: 8},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: TypeIPv4, SkipTrue: 8},
		bpf.LoadAbsolute{Off: EtherLen + 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: ProtoUDP, SkipTrue: 6},
		bpf.LoadAbsolute{Off: EtherLen + 6, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: 0x1fff, SkipTrue: 4},
		bpf.LoadMemShift{Off: EtherLen},
		bpf.LoadIndirect{Off: EtherLen + 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(port), SkipTrue: 1},
		bpf.RetConstant{Val: Whole},
		bpf.RetConstant{Val: 0},
	}
}

// Assemble makes a filter of constant instructions; a wrong one is a bug.
func Assemble(parts ...[]bpf.Instruction) []bpf.RawInstruction {
	var list []bpf.Instruction
	for _, p := range parts {
		list = append(list, p...)
	}
	raw, err := bpf.Assemble(list)
	if err != nil {
		panic(err)
	}
	return raw
}
