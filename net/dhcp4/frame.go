package dhcp4

import (
	"net/netip"

	"waymark/net/frame"
)

// udpFrame wraps a DHCP payload into UDP, IPv4 and Ethernet, broadcast on both
// layers. src is 0.0.0.0 without an address.
func udpFrame(mac frame.MAC, src netip.Addr, payload []byte) []byte {
	return frameTo(mac, frame.Broadcast, src, netip.AddrFrom4([4]byte{255, 255, 255, 255}), payload)
}

// viaFrame is a datagram as a frame to the station that leads to its server; to
// all stations when that is unknown.
func viaFrame(mac frame.MAC, d Datagram) []byte {
	to := d.Via
	if to == (frame.MAC{}) {
		to = frame.Broadcast
	}
	return frameTo(mac, to, d.From, d.To, d.Payload)
}

func frameTo(mac, to frame.MAC, src, dst netip.Addr, payload []byte) []byte {
	return frame.UDP(mac, to, netip.AddrPortFrom(src, clientPort), netip.AddrPortFrom(dst, serverPort), payload)
}

// claims tells whether another station has, or wants (probing), an address. A
// probe counts only while we probe ourselves.
func claims(a frame.ARP, addr netip.Addr, ours frame.MAC, probing bool) bool {
	if a.MAC == ours {
		return false
	}
	return a.Sender == addr || probing && a.Sender.IsUnspecified() && a.Target == addr
}
