package dhcp4

import (
	"encoding/binary"
	"net/netip"

	"golang.org/x/net/bpf"

	"waymark/net/frame"
)

// wireFilter lets ARP and UDP to port 68 of one tag pass. What it drops costs
// the lane nothing but the filter.
func wireFilter(vlan uint16) []bpf.RawInstruction {
	return frame.Assemble(frame.OnTag(vlan), frame.ToPort(clientPort))
}

// claimFilter lets ARP pass whose sender says that it has address a: on a busy
// segment all other questions would wake us for nothing. Without a tag it is
// for a socket of ETH_P_ARP, with one for a socket of ETH_P_ALL.
func claimFilter(vlan uint16, a netip.Addr) []bpf.RawInstruction {
	if vlan == 0 {
		return frame.Assemble(frame.Untagged(), claimOf(a))
	}
	return frame.Assemble(frame.OnTag(vlan), claimOf(a))
}

func claimOf(a netip.Addr) []bpf.Instruction {
	b := a.As4()
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: frame.TypeARP, SkipTrue: 3},
		bpf.LoadAbsolute{Off: frame.EtherLen + 14, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: binary.BigEndian.Uint32(b[:]), SkipTrue: 1},
		bpf.RetConstant{Val: frame.Whole},
		bpf.RetConstant{Val: 0},
	}
}
