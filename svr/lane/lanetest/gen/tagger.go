package gen

import (
	"fmt"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"waymark/net/netns/nstest"
)

// Attach types of TCX (linux/bpf.h, Linux 6.6).
const (
	tcxIngress = 46
	tcxEgress  = 47
	bpfSchedCL = 3 // BPF_PROG_TYPE_SCHED_CLS
)

// Tagger puts an interface behind an 802.1Q tag without a VLAN device: a TCX
// program pushes the tag on what leaves and pops it from what arrives, so that
// the host's own IP stack works on that VLAN. It lasts until the test ends.
func Tagger(t testing.TB, ns, dev string, vlan uint16) {
	t.Helper()
	index := Link(t, ns, dev).Index
	const tpid = 0x0081 // 0x8100 in network byte order
	push := []uint64{
		insn(0xb7, 2, 0, 0, tpid),
		insn(0xb7, 3, 0, 0, int32(vlan)),
		insn(0x85, 0, 0, 0, 18), // call bpf_skb_vlan_push
		insn(0xb7, 0, 0, 0, -1), // r0 = TCX_NEXT
		insn(0x95, 0, 0, 0, 0),
	}
	pop := []uint64{
		insn(0x85, 0, 0, 0, 19), // call bpf_skb_vlan_pop
		insn(0xb7, 0, 0, 0, -1),
		insn(0x95, 0, 0, 0, 0),
	}
	nstest.In(t, ns, func() error {
		for attach, prog := range map[uint32][]uint64{tcxEgress: push, tcxIngress: pop} {
			if err := attachTCX(t, index, attach, prog); err != nil {
				return err
			}
		}
		return nil
	})
}

func attachTCX(t testing.TB, index int, attach uint32, prog []uint64) error {
	fd, err := loadProgram(bpfSchedCL, prog)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	attr := struct {
		prog, target, attach, flags uint32
		pad                         [8]uint32
	}{prog: uint32(fd), target: uint32(index), attach: attach}
	link, _, e := unix.Syscall(unix.SYS_BPF, unix.BPF_LINK_CREATE, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	if e != 0 {
		return fmt.Errorf("attach tagger: %w", e)
	}
	t.Cleanup(func() { unix.Close(int(link)) })
	return nil
}
