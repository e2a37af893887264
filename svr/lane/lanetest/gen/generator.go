// Package gen makes and swallows traffic for measurements.
package gen

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"waymark/net/netns"
)

// Generator sends one frame over and over, as fast as one CPU can, into the
// peer of a veth interface: XDP live frames (Linux 5.18) of a five line program
// that redirects to the interface and chooses the UDP source port at random.
// The peer must have GRO on, otherwise it swallows everything.
type Generator struct {
	prog  int
	frame []byte
	stop  atomic.Bool
	done  chan error
}

// NewGenerator loads the program in the calling thread's network namespace.
// frame is an Ethernet frame with IPv4 and UDP; flows a power of two.
func NewGenerator(ifindex int, frame []byte, flows uint32) (*Generator, error) {
	const maxUint16 = 1<<16 - 1
	prog := []uint64{
		insn(0x61, 7, 1, 0, 0),              // r7 = ctx->data
		insn(0x61, 8, 1, 4, 0),              // r8 = ctx->data_end
		insn(0xbf, 2, 7, 0, 0),              // r2 = r7
		insn(0x07, 2, 0, 0, 42),             // r2 += 42
		insn(0x2d, 2, 8, 7, 0),              // if r2 > r8 goto drop
		insn(0x85, 0, 0, 0, 7),              // call bpf_get_prandom_u32
		insn(0x57, 0, 0, 0, int32(flows-1)), // r0 &= flows-1
		insn(0x6b, 7, 0, 34, 0),             // *(u16 *)(r7+34) = r0
		insn(0xb7, 1, 0, 0, int32(ifindex)), // r1 = ifindex
		insn(0xb7, 2, 0, 0, 0),              // r2 = 0
		insn(0x85, 0, 0, 0, 23),             // call bpf_redirect
		insn(0x95, 0, 0, 0, 0),              // exit
		insn(0xb7, 0, 0, 0, 1),              // drop: r0 = XDP_DROP
		insn(0x95, 0, 0, 0, 0),              // exit
	}
	if len(frame) > maxUint16 || flows > maxUint16 {
		return nil, fmt.Errorf("generator: frame or flows too large")
	}
	fd, err := loadProgram(unix.BPF_PROG_TYPE_XDP, prog)
	if err != nil {
		return nil, err
	}
	return &Generator{prog: fd, frame: frame, done: make(chan error, 1)}, nil
}

// insn is one BPF instruction (struct bpf_insn).
func insn(code uint8, dst, src uint8, off int16, imm int32) uint64 {
	return uint64(code) | uint64(dst)<<8 | uint64(src)<<12 | uint64(uint16(off))<<16 | uint64(uint32(imm))<<32
}

func loadProgram(typ uint32, prog []uint64) (int, error) {
	license := []byte("GPL\x00")
	log := make([]byte, 4096)
	attr := struct {
		typ, count      uint32
		insns, license  uint64
		level, logSize  uint32
		log             uint64
		version, flags  uint32
		name            [16]byte
		ifindex, attach uint32
	}{typ: typ, count: uint32(len(prog)), level: 1, logSize: uint32(len(log)),
		insns: ptr(&prog[0]), license: ptr(&license[0]), log: ptr(&log[0])}
	fd, _, e := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_LOAD, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	runtime.KeepAlive(prog)
	if e != 0 {
		return -1, fmt.Errorf("load BPF program: %w: %s", e, log)
	}
	return int(fd), nil
}

func ptr[T any](p *T) uint64 { return uint64(uintptr(unsafe.Pointer(p))) }

// Start sends from a thread in namespace ns, bound to cpu, until Stop.
func (g *Generator) Start(ns string, cpu int) {
	go func() {
		g.done <- netns.Do(ns, func() error { return g.run(cpu) })
	}()
}

const generatorRepeat = 1 << 14 // frames per system call

func (g *Generator) run(cpu int) error {
	if err := Pin(cpu); err != nil {
		return err
	}
	defer Unpin()
	attr := struct {
		prog, retval, sizeIn, sizeOut uint32
		dataIn, dataOut               uint64
		repeat, duration              uint32
		ctxIn, ctxOut                 uint32
		ctx, ctxO                     uint64
		flags, cpu, batch, pad        uint32
	}{prog: uint32(g.prog), sizeIn: uint32(len(g.frame)), dataIn: ptr(&g.frame[0]), repeat: generatorRepeat, flags: 2, batch: 64}
	for !g.stop.Load() {
		_, _, e := unix.Syscall(unix.SYS_BPF, unix.BPF_PROG_TEST_RUN, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
		if e != 0 && e != unix.EINTR {
			return fmt.Errorf("run generator: %w", e)
		}
	}
	runtime.KeepAlive(g.frame)
	return nil
}

// Stop ends the generator.
func (g *Generator) Stop() error {
	g.stop.Store(true)
	err := <-g.done
	unix.Close(g.prog)
	return err
}

// Pin binds the calling thread to one CPU.
func Pin(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	return unix.SchedSetaffinity(0, &set)
}

// Unpin lets the calling thread run on every CPU again.
func Unpin() {
	var set unix.CPUSet
	for i := range runtime.NumCPU() {
		set.Set(i)
	}
	_ = unix.SchedSetaffinity(0, &set)
}

// UDPFrame builds a 60-byte Ethernet frame with IPv4 and UDP, checksum 0.
func UDPFrame(dst, src [6]byte, from, to [4]byte, port uint16) []byte {
	b := make([]byte, 60)
	copy(b, dst[:])
	copy(b[6:], src[:])
	binary.BigEndian.PutUint16(b[12:], 0x0800)
	ip := b[14:]
	copy(ip, []byte{0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 17})
	copy(ip[12:], from[:])
	copy(ip[16:], to[:])
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum+sum>>16))
	binary.BigEndian.PutUint16(b[36:], port)
	binary.BigEndian.PutUint16(b[38:], 26)
	return b
}
