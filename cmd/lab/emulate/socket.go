package emulate

import (
	"encoding/binary"
	"fmt"
	"net"
	"syscall"
)

// From linux/if_packet.h; package syscall lacks them.
const (
	packetAuxdata        = 8
	packetIgnoreOutgoing = 23
	statusVLANValid      = 1 << 4
	auxVLANOffset        = 16 // of tp_vlan_tci in struct tpacket_auxdata
)

const (
	etherHeader = 14
	tagBytes    = 4
	typeVLAN    = 0x8100
)

// socket sends and receives whole frames of one interface.
type socket struct {
	fd   int
	addr syscall.SockaddrLinklayer
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// openSocket binds to an interface, which it puts into promiscuous mode while
// it lives.
func openSocket(dev string) (*socket, error) {
	ifi, err := net.InterfaceByName(dev)
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", dev, err)
	}
	fd, err := syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", err)
	}
	s := &socket{fd: fd, addr: syscall.SockaddrLinklayer{Protocol: htons(syscall.ETH_P_ALL), Ifindex: ifi.Index}}
	if err := s.prepare(); err != nil {
		syscall.Close(fd)
		return nil, fmt.Errorf("bind to %s: %w", dev, err)
	}
	return s, nil
}

func (s *socket) prepare() error {
	for _, o := range []struct{ level, name, value int }{
		{syscall.SOL_PACKET, packetAuxdata, 1},
		{syscall.SOL_PACKET, packetIgnoreOutgoing, 1},
		{syscall.SOL_SOCKET, syscall.SO_RCVBUFFORCE, 16 << 20},
	} {
		if err := syscall.SetsockoptInt(s.fd, o.level, o.name, o.value); err != nil {
			return err
		}
	}
	// struct packet_mreq: the MAC addresses of the two ends are not ours.
	var mreq [16]byte
	binary.NativeEndian.PutUint32(mreq[0:], uint32(s.addr.Ifindex))
	binary.NativeEndian.PutUint16(mreq[4:], syscall.PACKET_MR_PROMISC)
	if err := syscall.SetsockoptString(s.fd, syscall.SOL_PACKET, syscall.PACKET_ADD_MEMBERSHIP, string(mreq[:])); err != nil {
		return err
	}
	return syscall.Bind(s.fd, &s.addr)
}

// receive waits for a frame and returns it with its VLAN tag, 0 without one. The
// kernel keeps the tag beside the frame. Only the reader's goroutine calls it.
func (s *socket) receive(buf []byte) (frame []byte, vlan int, err error) {
	var oob [64]byte
	n, oobn, _, _, err := syscall.Recvmsg(s.fd, buf, oob[:], 0)
	if err != nil {
		return nil, 0, err
	}
	msgs, err := syscall.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return nil, 0, err
	}
	for _, m := range msgs {
		d := m.Data
		if m.Header.Level != syscall.SOL_PACKET || m.Header.Type != packetAuxdata || len(d) < auxVLANOffset+2 {
			continue
		}
		if binary.NativeEndian.Uint32(d)&statusVLANValid != 0 {
			vlan = int(binary.NativeEndian.Uint16(d[auxVLANOffset:]) & 0xfff)
		}
	}
	return buf[:n], vlan, nil
}

func (s *socket) send(frame []byte) error {
	return syscall.Sendto(s.fd, frame, 0, &s.addr)
}

// tagged returns a copy of the frame with a VLAN tag behind the addresses.
func tagged(frame []byte, vlan int) []byte {
	out := make([]byte, len(frame)+tagBytes)
	copy(out, frame[:12])
	binary.BigEndian.PutUint16(out[12:], typeVLAN)
	binary.BigEndian.PutUint16(out[14:], uint16(vlan))
	copy(out[16:], frame[12:])
	return out
}
