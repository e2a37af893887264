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
	stateSent  = 0  // number of the next flow
	stateLimit = 8  // where sent stops
	stateGap   = 16 // nanoseconds between frames, 0: none
	stateNext  = 24 // when the next frame is due
	stateSize  = 32
)

// slack is how far behind its pace a generator may be and catch up, in
// nanoseconds: little, so that an interruption makes no burst.
const slack = 200_000

// generatorProgram writes the next flow's frame and redirects it out of ifindex.
// The page of a live frame is used again as it came back, so every byte that a
// router may have changed is written.
func generatorProgram(state *ebpf.Map, ifindex int, f *Flows) (*ebpf.Program, error) {
	frame := f.frame()
	p := turn(state)
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
	if f.Stamp {
		p = append(p, stamp()...)
	}
	p = append(p,
		asm.Mov.Imm(asm.R1, int32(ifindex)),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return(),
		asm.Mov.Imm(asm.R0, xdpDrop).WithSymbol("drop"),
		asm.Return())
	return load("generator", ebpf.XDP, p)
}

// turn drops the frame unless it is time for one more. It leaves the start of
// the frame in R7 and the number of the flow in R9.
func turn(state *ebpf.Map) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R7, asm.R1, xdpData, asm.Word),
		asm.LoadMem(asm.R8, asm.R1, xdpDataEnd, asm.Word),
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Imm(asm.R2, FrameSize),
		asm.JGT.Reg(asm.R2, asm.R8, "drop"),
		asm.LoadMapValue(asm.R6, state.FD(), 0),
		asm.LoadMem(asm.R9, asm.R6, stateSent, asm.DWord),
		asm.LoadMem(asm.R2, asm.R6, stateLimit, asm.DWord),
		asm.JGE.Reg(asm.R9, asm.R2, "drop"),
		asm.LoadMem(asm.R8, asm.R6, stateGap, asm.DWord),
		asm.JEq.Imm(asm.R8, 0, "go"),
		asm.FnKtimeGetNs.Call(),
		asm.LoadMem(asm.R1, asm.R6, stateNext, asm.DWord),
		asm.JGT.Reg(asm.R1, asm.R0, "drop"),
		asm.Sub.Imm(asm.R0, slack),
		asm.JGE.Reg(asm.R1, asm.R0, "due"),
		asm.Mov.Reg(asm.R1, asm.R0),
		asm.Add.Reg(asm.R1, asm.R8).WithSymbol("due"),
		asm.StoreMem(asm.R6, stateNext, asm.R1, asm.DWord),
		asm.Mov.Reg(asm.R2, asm.R9).WithSymbol("go"),
		asm.Add.Imm(asm.R2, 1),
		asm.StoreMem(asm.R6, stateSent, asm.R2, asm.DWord),
	}
}

// stamp writes the low half of the kernel's monotonic clock into the frame at
// R7, and its complement behind it.
func stamp() asm.Instructions {
	return asm.Instructions{
		asm.FnKtimeGetNs.Call(),
		asm.StoreMem(asm.R7, offStamp, asm.R0, asm.Word),
		asm.Xor.Imm(asm.R0, -1),
		asm.StoreMem(asm.R7, offStamp+4, asm.R0, asm.Word),
	}
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

// cableTC hands every frame to the interface peer. With a map armed, UDP frames
// as long as its first value are counted and dropped instead.
func cableTC(m, armed *ebpf.Map, peer int) (*ebpf.Program, error) {
	var p asm.Instructions
	if armed != nil {
		p = append(p,
			asm.LoadMapValue(asm.R2, armed.FD(), 0),
			asm.LoadMem(asm.R2, asm.R2, 0, asm.DWord),
			asm.LoadMem(asm.R6, asm.R1, skbLen, asm.Word),
			asm.JNE.Reg(asm.R6, asm.R2, "forward"))
		p = append(p, match(skbData, skbDataEnd, "forward")...)
		p = append(p, count(m, "forward")...)
		p = append(p, verdict(tcDrop, "")...)
	}
	return load("cable", ebpf.SchedCLS, append(p,
		asm.Mov.Imm(asm.R1, int32(peer)).WithSymbol("forward"),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return()))
}

// whole jumps to miss unless FrameSize bytes from R7 on can be read.
func whole(miss string) asm.Instructions {
	return asm.Instructions{
		asm.Mov.Reg(asm.R2, asm.R7),
		asm.Add.Imm(asm.R2, FrameSize),
		asm.JGT.Reg(asm.R2, asm.R8, miss),
	}
}

// delayTC is sinkTC with a histogram: it counts by how long ago a frame was
// stamped, in steps of delayStep.
func delayTC(m *ebpf.Map) (*ebpf.Program, error) {
	p := asm.Instructions{
		asm.LoadMem(asm.R6, asm.R1, skbLen, asm.Word),
		asm.JNE.Imm(asm.R6, FrameSize, "pass"),
	}
	p = append(p, match(skbData, skbDataEnd, "pass")...)
	p = append(p, whole("pass")...)
	p = append(p,
		asm.LoadMem(asm.R6, asm.R7, offStamp, asm.Word),
		asm.FnKtimeGetNs.Call(),
		asm.Sub.Reg32(asm.R0, asm.R6),
		asm.RSh.Imm(asm.R0, delayShift),
		asm.JLT.Imm(asm.R0, delaySteps-1, "in"),
		asm.Mov.Imm(asm.R0, delaySteps-1),
		asm.StoreMem(asm.R10, -4, asm.R0, asm.Word).WithSymbol("in"))
	p = append(p, count(m, "pass")[1:]...)
	p = append(p, verdict(tcDrop, "")...)
	return load("delay", ebpf.SchedCLS, append(p, verdict(tcPass, "pass")...))
}

// echoTC sends UDP frames of FrameSize bytes back out of the interface they came
// in by, source and destination exchanged; the checksums stay right.
func echoTC(ifindex int) (*ebpf.Program, error) {
	p := asm.Instructions{
		asm.LoadMem(asm.R6, asm.R1, skbLen, asm.Word),
		asm.JNE.Imm(asm.R6, FrameSize, "pass"),
	}
	p = append(p, match(skbData, skbDataEnd, "pass")...)
	p = append(p, whole("pass")...)
	p = append(p, // link addresses
		asm.LoadMem(asm.R1, asm.R7, 0, asm.Word), asm.LoadMem(asm.R2, asm.R7, 4, asm.Half),
		asm.LoadMem(asm.R3, asm.R7, 6, asm.Half), asm.LoadMem(asm.R4, asm.R7, 8, asm.Word),
		asm.StoreMem(asm.R7, 0, asm.R3, asm.Half), asm.StoreMem(asm.R7, 2, asm.R4, asm.Word),
		asm.StoreMem(asm.R7, 6, asm.R1, asm.Word), asm.StoreMem(asm.R7, 10, asm.R2, asm.Half))
	for _, w := range []struct {
		at   int16
		size asm.Size
		by   int16
	}{{offSource - 2, asm.Word, 4}, {offPort, asm.Half, 2}} {
		p = append(p,
			asm.LoadMem(asm.R1, asm.R7, w.at, w.size), asm.LoadMem(asm.R2, asm.R7, w.at+w.by, w.size),
			asm.StoreMem(asm.R7, w.at, asm.R2, w.size), asm.StoreMem(asm.R7, w.at+w.by, asm.R1, w.size))
	}
	p = append(p,
		asm.Mov.Imm(asm.R1, int32(ifindex)),
		asm.Mov.Imm(asm.R2, 0),
		asm.FnRedirect.Call(),
		asm.Return())
	return load("echo", ebpf.SchedCLS, append(p, verdict(tcPass, "pass")...))
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
