package lane

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// packetIgnoreOutgoing is PACKET_IGNORE_OUTGOING (Linux 4.20).
const packetIgnoreOutgoing = 23

// Frames of the receive ring. The kernel puts its header (tpacket2_hdr and
// sockaddr_ll, 52 bytes, aligned to 16), reserve and a virtio-net header in
// front of the frame, such that the IP header starts at ipOffset, aligned.
const (
	tpacketHdr  = 32 // sizeof(struct tpacket2_hdr), aligned
	ringReserve = ipOffset - 80 - vnetLen
	ipOffset    = 608
	frameBase   = 96 // first byte of Packet.Buf in a frame: headers of the kernel end before
	frameSize   = 2336
	blockSize   = 1 << 16
)

// Compile-time: headroom, tailroom behind a full Ethernet packet, and how many
// frames fit a block.
const (
	_              = uint(ipOffset - frameBase - Headroom)
	_              = uint(frameSize - ipOffset - 1500 - Tailroom)
	framesPerBlock = blockSize / frameSize
)

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// openSocket opens an AF_PACKET socket without binding it: nothing is received
// yet.
func openSocket(queueBytes int, bypass bool) (fd int, err error) {
	fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open packet socket: %w", err)
	}
	set := func(what string, opt, v int) {
		if err == nil {
			if err = unix.SetsockoptInt(fd, unix.SOL_PACKET, opt, v); err != nil {
				err = fmt.Errorf("set %s: %w", what, err)
			}
		}
	}
	set("PACKET_VNET_HDR", unix.PACKET_VNET_HDR, 1)
	set("PACKET_IGNORE_OUTGOING", packetIgnoreOutgoing, 1)
	set("PACKET_VERSION", unix.PACKET_VERSION, unix.TPACKET_V2)
	set("PACKET_RESERVE", unix.PACKET_RESERVE, ringReserve)
	set("PACKET_COPY_THRESH", unix.PACKET_COPY_THRESH, 1)
	if bypass {
		set("PACKET_QDISC_BYPASS", unix.PACKET_QDISC_BYPASS, 1)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	setBuffer(fd, unix.SO_RCVBUFFORCE, unix.SO_RCVBUF, queueBytes)
	setBuffer(fd, unix.SO_SNDBUFFORCE, unix.SO_SNDBUF, queueBytes)
	return fd, nil
}

// openSender opens a socket that only sends, from one interface. Were it the one
// that epoll watches, every packet whose memory the kernel frees would wake the
// loop's wait queue: 8 % of a small packet's cost.
func openSender(index, queueBytes int, bypass bool) (fd int, err error) {
	if fd, err = openSocket(queueBytes, bypass); err != nil {
		return -1, err
	}
	// Protocol 0 receives nothing, and a device that goes down leaves no error.
	if err := unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: index}); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("bind sending socket to interface %d: %w", index, err)
	}
	return fd, nil
}

// setBuffer sets a socket buffer past the system's limit where we may, else as
// far as it goes: too small a buffer costs packets under load, no more.
func setBuffer(fd, force, plain, bytes int) {
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, force, bytes) != nil {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, plain, bytes)
	}
}

// bindAll starts receiving every protocol from one interface. The tap must be
// ETH_P_ALL: it runs before the netdev ingress hook, where guard drops.
func bindAll(fd, index int) error {
	sa := &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: index}
	if err := unix.Bind(fd, sa); err != nil {
		return fmt.Errorf("bind packet socket to interface %d: %w", index, err)
	}
	return nil
}

// attachFilter loads a classic BPF program.
func attachFilter(fd int, prog []unix.SockFilter) error {
	f := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &f); err != nil {
		return fmt.Errorf("attach filter: %w", err)
	}
	return nil
}

// drops reads and clears how many frames the kernel dropped.
func drops(fd int) uint64 {
	var s [2]uint32 // struct tpacket_stats
	n := uint32(unsafe.Sizeof(s))
	_, _, e := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_PACKET, unix.PACKET_STATISTICS,
		uintptr(unsafe.Pointer(&s)), uintptr(unsafe.Pointer(&n)), 0)
	if e != 0 {
		return 0
	}
	return uint64(s[1])
}
