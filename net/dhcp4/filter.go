package dhcp4

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/bpf"
)

// whole is how many bytes of a frame a filter lets through.
const whole = 4096

// wireFilter lets untagged ARP and UDP to port 68 pass, of IPv4 packets that
// are no later fragments. What it drops costs the lane nothing but the filter.
var wireFilter = assemble(
	bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 11},
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
)

// claimFilter lets ARP pass whose sender says that it has address a: on a busy
// segment all other questions would wake us for nothing.
func claimFilter(a netip.Addr) []bpf.RawInstruction {
	b := a.As4()
	return assemble(
		bpf.LoadAbsolute{Off: etherLen + 14, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(b[:]), SkipTrue: 1},
		bpf.RetConstant{Val: whole},
		bpf.RetConstant{Val: 0},
	)
}

// assemble makes a filter of constant instructions; a wrong one is a bug.
func assemble(list ...bpf.Instruction) []bpf.RawInstruction {
	raw, err := bpf.Assemble(list)
	if err != nil {
		panic(err)
	}
	return raw
}
