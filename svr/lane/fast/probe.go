package fast

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"waymark/svr/packet"
)

// TakesXDP tells whether frames that an XDP program redirects to a Linux
// interface arrive at next-hop hop: it sends an ARP request or a neighbour
// solicitation as such a frame and waits for the answer. A veth whose peer has
// neither XDP nor GRO swallows them without a counter. Needs Linux 5.18; an
// older kernel's answer is false. It blocks up to wait.
func TakesXDP(index int, mac [6]byte, own, hop netip.Addr, wait time.Duration) (bool, error) {
	typ, frame := uint16(unix.ETH_P_ARP), arpRequest(mac, own, hop)
	if hop.Is6() {
		typ, frame = unix.ETH_P_IPV6, solicitation(mac, own, hop)
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false, fmt.Errorf("probe interface %d: %w", index, err)
	}
	defer unix.Close(fd)
	net := binary.BigEndian.AppendUint16(nil, typ)
	addr := unix.SockaddrLinklayer{Ifindex: index, Protocol: binary.NativeEndian.Uint16(net)}
	if err := unix.Bind(fd, &addr); err != nil {
		return false, fmt.Errorf("probe interface %d: %w", index, err)
	}
	if err := sendXDP(index, frame); err != nil {
		if errors.Is(err, ebpf.ErrNotSupported) || errors.Is(err, unix.EINVAL) {
			return false, nil
		}
		return false, fmt.Errorf("probe interface %d: %w", index, refused(err))
	}
	return answered(fd, hop, wait), nil
}

// sendXDP sends one frame through a program that redirects to an interface.
func sendXDP(index int, frame []byte) error {
	prog, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: "wm_probe", Type: ebpf.XDP, License: "Apache-2.0",
		Instructions: asm.Instructions{
			asm.Mov.Imm(asm.R1, int32(index)), asm.Mov.Imm(asm.R2, 0), asm.FnRedirect.Call(), asm.Return(),
		}})
	if err != nil {
		return err
	}
	defer prog.Close()
	_, err = prog.Run(&ebpf.RunOptions{Data: frame, Repeat: 1, Flags: unix.BPF_F_TEST_XDP_LIVE_FRAMES})
	return err
}

// answered reads frames until one tells the link address of hop.
func answered(fd int, hop netip.Addr, wait time.Duration) bool {
	buf := make([]byte, 256)
	for end := time.Now().Add(wait); ; {
		left := time.Until(end)
		if left <= 0 {
			return false
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(fds, int(left.Milliseconds())+1); n == 0 || err != nil && !errors.Is(err, unix.EINTR) {
			return false
		}
		n, err := unix.Read(fd, buf)
		if err == nil && names(buf[:n], hop) {
			return true
		}
	}
}

// names tells whether a frame is an ARP answer or a neighbour advertisement of
// hop (RFC 826; RFC 4861 4.4).
func names(f []byte, hop netip.Addr) bool {
	if hop.Is4() {
		want := hop.As4()
		return len(f) >= 42 && f[21] == 2 && [4]byte(f[28:32]) == want
	}
	const advertisement = 136
	want := hop.As16()
	return len(f) >= 78 && f[20] == packet.ProtoICMPv6 && f[54] == advertisement && [16]byte(f[62:78]) == want
}

// arpRequest asks for hop, padded to the least Ethernet frame.
func arpRequest(mac [6]byte, own, hop netip.Addr) []byte {
	f := append([]byte{255, 255, 255, 255, 255, 255}, mac[:]...)
	f = append(f, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1)
	f = append(append(f, mac[:]...), own.AsSlice()...)
	f = append(f, make([]byte, 6)...)
	return append(append(f, hop.AsSlice()...), make([]byte, 18)...)
}

// solicitation asks for hop by multicast (RFC 4861 4.3).
func solicitation(mac [6]byte, own, hop netip.Addr) []byte {
	h, o := hop.As16(), own.As16()
	group := [16]byte{0xff, 2, 11: 1, 12: 0xff, 13: h[13], 14: h[14], 15: h[15]}
	msg := append([]byte{135, 0, 0, 0, 0, 0, 0, 0}, h[:]...)
	msg = append(append(msg, 1, 1), mac[:]...)
	pseudo := append(append([]byte{}, o[:]...), group[:]...)
	pseudo = append(pseudo, 0, 0, 0, byte(len(msg)), 0, 0, 0, packet.ProtoICMPv6)
	binary.BigEndian.PutUint16(msg[2:], packet.Checksum(append(pseudo, msg...)))

	f := append([]byte{0x33, 0x33, 0xff, h[13], h[14], h[15]}, mac[:]...)
	f = append(f, 0x86, 0xdd, 0x60, 0, 0, 0, 0, byte(len(msg)), packet.ProtoICMPv6, 255)
	f = append(append(f, o[:]...), group[:]...)
	return append(f, msg...)
}
