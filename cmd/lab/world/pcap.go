package world

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"
)

// Frame is one captured Ethernet frame.
type Frame struct {
	Time time.Time
	Wire int    // length on the wire
	Data []byte // from the destination MAC on
}

const (
	pcapHeader   = 24
	recordHeader = 16
	magicMicro   = 0xa1b2c3d4
	magicNano    = 0xa1b23c4d
)

// ErrCapture says that a file is no pcap of Ethernet frames.
var ErrCapture = errors.New("not an Ethernet pcap file")

// ReadCapture reads a pcap file of this machine's byte order. A record that is
// still being written is left out.
func ReadCapture(path string) ([]Frame, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read capture: %w", err)
	}
	if len(b) < pcapHeader {
		return nil, nil // tcpdump has not written its header yet
	}
	o := binary.NativeEndian
	unit := time.Nanosecond
	switch o.Uint32(b) {
	case magicMicro:
		unit = time.Microsecond
	case magicNano:
	default:
		return nil, fmt.Errorf("read %s: %w", path, ErrCapture)
	}
	if o.Uint32(b[20:]) != 1 { // LINKTYPE_ETHERNET
		return nil, fmt.Errorf("read %s: %w", path, ErrCapture)
	}
	var frames []Frame
	for b = b[pcapHeader:]; len(b) >= recordHeader; {
		n := int(o.Uint32(b[8:]))
		if n < 0 || n > len(b)-recordHeader {
			break
		}
		frames = append(frames, Frame{
			Time: time.Unix(int64(o.Uint32(b)), int64(o.Uint32(b[4:]))*int64(unit)),
			Wire: int(o.Uint32(b[12:])),
			Data: b[recordHeader : recordHeader+n],
		})
		b = b[recordHeader+n:]
	}
	return frames, nil
}

// EtherTypes that a Frame tells apart.
const (
	EtherIPv4 = 0x0800
	EtherIPv6 = 0x86dd
	EtherVLAN = 0x8100
)

const etherHeader = 14

// IP returns the IP packet in the frame (one VLAN tag is stepped over), nil if
// there is none.
func (f Frame) IP() []byte {
	b := f.Data
	if len(b) < etherHeader {
		return nil
	}
	kind, b := binary.BigEndian.Uint16(b[12:]), b[etherHeader:]
	if kind == EtherVLAN && len(b) >= 4 {
		kind, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	if kind != EtherIPv4 && kind != EtherIPv6 {
		return nil
	}
	return b
}

// Addrs returns source and destination of the IP packet; ok is false without one.
func (f Frame) Addrs() (src, dst netip.Addr, ok bool) {
	b := f.IP()
	switch {
	case len(b) >= 20 && b[0]>>4 == 4:
		return netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])), true
	case len(b) >= 40 && b[0]>>4 == 6:
		return netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:])), true
	}
	return netip.Addr{}, netip.Addr{}, false
}
