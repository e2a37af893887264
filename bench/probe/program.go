// Package probe makes and swallows traffic inside the kernel: a generator of
// XDP live frames (BPF_PROG_TEST_RUN, Linux 5.18), sinks that count, a redirect
// that does nothing else, and a cable with a tap. The programs are written as
// instructions, so that no compiler is needed.
package probe

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
)

// Verdicts of XDP and TC programs (linux/bpf.h, linux/pkt_cls.h).
const (
	xdpDrop = 1
	xdpPass = 2
	tcPass  = 0
	tcDrop  = 2
)

// Offsets of the context's fields.
const (
	xdpData    = 0
	xdpDataEnd = 4
	skbLen     = 0
	skbData    = 76
	skbDataEnd = 80
)

// Words of the generator's state.
const (
	stateRuns  = 0  // how often the program ran
	stateThin  = 8  // it drops its frame unless these bits of runs are 0
	stateShift = 16 // runs shifted right so far is the number of the flow
	stateSize  = 24
)

// generatorProgram writes the next flow's frame and redirects it out of ifindex.
// The page of a live frame is used again as it came back, so every byte that a
// router may have changed is written.
func generatorProgram(state *ebpf.Map, ifindex int, f *Flows) (*ebpf.Program, error) {
	frame := f.frame()
	p := asm.Instructions{
		asm.LoadMem(asm.R7, asm.R1, xdpData, asm.Word),
		asm.LoadMem(asm.R8, asm.R1, xdpDataEnd, asm.Word),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Imm(asm.R2, FrameSize),
		asm.JGT.Reg(asm.R2, asm.R8, "drop"),
		asm.LoadMapValue(asm.R1, state.FD(), 0),
		asm.LoadMem(asm.R9, asm.R1, stateRuns, asm.DWord),
		asm.Mov.Reg(asm.R2, asm.R9),
		asm.Add.Imm(asm.R2, 1),
		asm.StoreMem(asm.R1, stateRuns, asm.R2, asm.DWord),
		asm.LoadMem(asm.R2, asm.R1, stateThin, asm.DWord),
		asm.And.Reg(asm.R2, asm.R9),
		asm.JNE.Imm(asm.R2, 0, "drop"),
		asm.LoadMem(asm.R2, asm.R1, stateShift, asm.DWord),
		asm.And.Imm(asm.R2, 63),
		asm.RSh.Reg(asm.R9, asm.R2),
	}
	if f.Random {
		p = append(p, scatter(asm.R9, asm.R1)...)
	}
	p = append(p, asm.And.Imm(asm.R9, int32(f.Count-1)))
	for i := 0; i+8 <= FrameSize; i += 8 {
		p = append(p, asm.LoadImm(asm.R1, int64(binary.NativeEndian.Uint64(frame[i:])), asm.DWord),
			asm.StoreMem(asm.R7, int16(i), asm.R1, asm.DWord))
	}
	p = append(p, asm.StoreImm(asm.R7, FrameSize-4, int64(int32(binary.NativeEndian.Uint32(frame[FrameSize-4:]))), asm.Word))
	p = append(p, flowWords()...)
	p = append(p,
		asm.Mov.Imm(asm.R1, int32(ifindex)),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return(),
		asm.Mov.Imm(asm.R0, xdpDrop).WithSymbol("drop"),
		asm.Return())
	return load("generator", ebpf.XDP, p)
}

// scatter replaces the counter in r by a hash of it (a round of MurmurHash3's
// finaliser); t is overwritten.
func scatter(r, t asm.Register) asm.Instructions {
	return asm.Instructions{
		asm.LoadImm(t, -0x61c8864680b583eb, asm.DWord), // 2^64 / golden ratio
		asm.Mul.Reg(r, t),
		asm.Mov.Reg(t, r),
		asm.RSh.Imm(t, 32),
		asm.Xor.Reg(r, t),
		asm.LoadImm(t, -0x3b314601e57a13ad, asm.DWord),
		asm.Mul.Reg(r, t),
		asm.RSh.Imm(r, 32),
	}
}

// flowWords writes what distinguishes flow R9 into the frame at R7.
func flowWords() asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R1, asm.R9),
		asm.And.Imm(asm.R1, 1<<flowBits-1),
		asm.Add.Imm(asm.R1, firstPort),
		asm.HostTo(asm.BE, asm.R1, asm.Half),
		asm.StoreMem(asm.R7, offPort, asm.R1, asm.Half),
		asm.Xor.Imm(asm.R1, 0xffff),
		asm.StoreMem(asm.R7, offData, asm.R1, asm.Half),
		asm.Mov.Reg(asm.R1, asm.R9),
		asm.RSh.Imm(asm.R1, flowBits),
		asm.LSh.Imm(asm.R1, 8),
		asm.Or.Imm(asm.R1, hostNumber),
		asm.HostTo(asm.BE, asm.R1, asm.Half),
		asm.StoreMem(asm.R7, offSource, asm.R1, asm.Half),
		asm.Xor.Imm(asm.R1, 0xffff),
		asm.StoreMem(asm.R7, offID, asm.R1, asm.Half),
		asm.StoreMem(asm.R7, offData+2, asm.R1, asm.Half),
	}
}

// match jumps to miss unless the context in R1 is a frame of IPv4 and UDP. data
// and end are the offsets of the context's pointers.
func match(data, end int16, miss string) asm.Instructions {
	eth := []byte{8, 0}
	return asm.Instructions{
		asm.LoadMem(asm.R7, asm.R1, data, asm.Word),
		asm.LoadMem(asm.R8, asm.R1, end, asm.Word),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Imm(asm.R2, offPort),
		asm.JGT.Reg(asm.R2, asm.R8, miss),
		asm.LoadMem(asm.R2, asm.R7, offType, asm.Half),
		asm.JNE.Imm(asm.R2, int32(binary.NativeEndian.Uint16(eth)), miss),
		asm.LoadMem(asm.R2, asm.R7, offProto, asm.Byte),
		asm.JNE.Imm(asm.R2, protoUDP, miss),
	}
}

// count adds one to the calling CPU's value of m. It overwrites R0 to R5.
func count(m *ebpf.Map, miss string) asm.Instructions {
	return asm.Instructions{
		asm.StoreImm(asm.R10, -4, 0, asm.Word),
		asm.Mov.Reg(asm.R2, asm.R10),
		asm.Add.Imm(asm.R2, -4),
		asm.LoadMapPtr(asm.R1, m.FD()),
		asm.FnMapLookupElem.Call(),
		asm.JEq.Imm(asm.R0, 0, miss),
		asm.LoadMem(asm.R1, asm.R0, 0, asm.DWord),
		asm.Add.Imm(asm.R1, 1),
		asm.StoreMem(asm.R0, 0, asm.R1, asm.DWord),
	}
}

// verdict ends a program.
func verdict(v int32, symbol string) asm.Instructions {
	i := asm.Mov.Imm(asm.R0, v)
	if symbol != "" {
		i = i.WithSymbol(symbol)
	}
	return asm.Instructions{i, asm.Return()}
}

// sinkXDP counts and drops UDP frames of size bytes.
func sinkXDP(m *ebpf.Map, size int) (*ebpf.Program, error) {
	p := match(xdpData, xdpDataEnd, "pass")
	p = append(p, asm.Sub.Reg(asm.R8, asm.R7), asm.JNE.Imm(asm.R8, int32(size), "pass"))
	p = append(p, count(m, "pass")...)
	p = append(p, verdict(xdpDrop, "")...)
	return load("sink", ebpf.XDP, append(p, verdict(xdpPass, "pass")...))
}

// sinkTC is sinkXDP at TC ingress.
func sinkTC(m *ebpf.Map, size int) (*ebpf.Program, error) {
	p := asm.Instructions{
		asm.LoadMem(asm.R6, asm.R1, skbLen, asm.Word),
		asm.JNE.Imm(asm.R6, int32(size), "pass"),
	}
	p = append(p, match(skbData, skbDataEnd, "pass")...)
	p = append(p, count(m, "pass")...)
	p = append(p, verdict(tcDrop, "")...)
	return load("sink", ebpf.SchedCLS, append(p, verdict(tcPass, "pass")...))
}

// cableTC hands every frame to the interface peer. While the first value of
// armed is not 0 it counts and drops UDP frames of size bytes instead.
func cableTC(m, armed *ebpf.Map, peer, size int) (*ebpf.Program, error) {
	p := asm.Instructions{
		asm.LoadMapValue(asm.R2, armed.FD(), 0),
		asm.LoadMem(asm.R2, asm.R2, 0, asm.DWord),
		asm.JEq.Imm(asm.R2, 0, "forward"),
		asm.LoadMem(asm.R6, asm.R1, skbLen, asm.Word),
		asm.JNE.Imm(asm.R6, int32(size), "forward"),
	}
	p = append(p, match(skbData, skbDataEnd, "forward")...)
	p = append(p, count(m, "forward")...)
	p = append(p, verdict(tcDrop, "")...)
	return load("cable", ebpf.SchedCLS, append(p,
		asm.Mov.Imm(asm.R1, int32(peer)).WithSymbol("forward"),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return()))
}

// redirectXDP hands every UDP frame to the interface in slot 0 of a devmap.
func redirectXDP(devmap *ebpf.Map) (*ebpf.Program, error) {
	p := match(xdpData, xdpDataEnd, "pass")
	p = append(p,
		asm.LoadMapPtr(asm.R1, devmap.FD()),
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Imm(asm.R3, xdpPass),
		asm.FnRedirectMap.Call(),
		asm.Return())
	return load("redirect", ebpf.XDP, append(p, verdict(xdpPass, "pass")...))
}

func load(name string, typ ebpf.ProgramType, p asm.Instructions) (*ebpf.Program, error) {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: name, Type: typ, Instructions: p, License: "GPL"})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", name, err)
	}
	return prog, nil
}
