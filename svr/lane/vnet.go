package lane

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"waymark/svr/packet"
)

// vnetLen is the size of struct virtio_net_hdr as AF_PACKET uses it. Its fields
// are in host byte order.
const vnetLen = 10

// Values of a virtio-net header (linux/virtio_net.h).
const (
	vnetNeedsCsum = 1
	vnetDataValid = 2
	vnetTCP4      = 1
	vnetTCP6      = 4
	vnetUDPL4     = 5
	vnetECN       = 0x80
)

// Offsets of the checksum field in the L4 header.
const (
	csumTCP = 16
	csumUDP = 6
)

// readVnet takes what the device told about a received packet over into p. It
// returns false for what no device may send.
func readVnet(h []byte, p *packet.Packet) bool {
	switch {
	case h[0]&vnetNeedsCsum != 0:
		p.Csum = packet.CsumPartial
		if off := binary.NativeEndian.Uint16(h[8:]); off != csumTCP && off != csumUDP {
			return false // SCTP and others: a checksum we cannot complete
		}
	case h[0]&vnetDataValid != 0:
		p.Csum = packet.CsumValid
	}
	switch h[1] &^ vnetECN {
	case unix.VIRTIO_NET_HDR_GSO_NONE:
		return true
	case vnetTCP4:
		p.GSO = packet.GSOTCP4
	case vnetTCP6:
		p.GSO = packet.GSOTCP6
	case vnetUDPL4:
		p.GSO = packet.GSOUDP
	default:
		return false
	}
	p.GSOSize = binary.NativeEndian.Uint16(h[4:])
	return p.GSOSize != 0
}

// writeVnet fills the header for a packet to be sent behind l2 bytes of link
// header. p must be parsed.
func writeVnet(h *[vnetLen]byte, p *packet.Packet, l2 int) {
	*h = [vnetLen]byte{}
	if p.Csum == packet.CsumPartial {
		off := uint16(csumTCP)
		if p.T.Proto == packet.ProtoUDP {
			off = csumUDP
		}
		h[0] = vnetNeedsCsum
		binary.NativeEndian.PutUint16(h[6:], uint16(l2+p.L4-p.Off))
		binary.NativeEndian.PutUint16(h[8:], off)
	}
	if !superPacket(p) {
		return
	}
	switch p.GSO {
	case packet.GSOTCP4:
		h[1] = vnetTCP4
	case packet.GSOTCP6:
		h[1] = vnetTCP6
	case packet.GSOUDP:
		h[1] = vnetUDPL4
	}
	if p.Kind == packet.KindTCP && p.TCPFlags&packet.FlagCWR != 0 {
		h[1] |= vnetECN
	}
	binary.NativeEndian.PutUint16(h[2:], uint16(l2+p.Data-p.Off))
	binary.NativeEndian.PutUint16(h[4:], p.GSOSize)
}

// superPacket tells whether p really holds more than one segment.
func superPacket(p *packet.Packet) bool {
	return p.GSO != packet.GSONone && p.End-p.Data > int(p.GSOSize)
}

// offloadOf returns the offload a super-packet needs.
func offloadOf(g packet.GSO) Offload {
	switch g {
	case packet.GSOTCP4:
		return OffloadTCP4
	case packet.GSOTCP6:
		return OffloadTCP6
	case packet.GSOUDP:
		return OffloadUDP
	}
	return 0
}
