package lane

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"

	"waymark/svr/lane/l2"
	"waymark/svr/packet"
)

// Encrypted or signed TCP grows without moving its sequence numbers, which no
// segmentation of the kernel or of a device knows. The cutter of the lane in the
// kernel (svr/lane/fast) does: what is gathered of a flow goes there as one
// super-packet, whose segments get their own numbers after the kernel has cut it.
// What leaves is byte by byte what would have left one by one.

// mostGrowth bounds what encryption and digest add to a segment.
const mostGrowth = 128

// cutter is where a queue sends what is to be cut so.
type cutter struct {
	names   [2]unix.RawSockaddrLinklayer // IPv4, IPv6
	on      bool
	strikes uint8 // refusals in a row
}

// cutNote is what a message to the cutter would have been without it.
type cutNote struct {
	growth uint16 // 0: the message goes to no cutter
	len    uint8  // of link
	link   [l2.MaxHeader]byte
}

// SetCutter lets TCP that was encrypted or signed leave as super-packets by the Linux
// interface index, that of fast.Lane.OpenCutter; 0: one by one. Next-hops and
// network-interfaces must be published to the lane in the kernel. Through Do once the
// lane runs.
func (p *Port) SetCutter(index int) {
	for _, s := range append([]*sender{&p.sender}, p.more...) {
		s.tx.cutter.set(index)
		s.tx.cutter.on = index != 0 && !p.l3 && !p.cfg.Bypass
	}
}

// Cuts tells whether the port has a cutter that the kernel did not refuse.
func (p *Port) Cuts() bool { return p.sender.tx.cutter.on }

func (c *cutter) set(index int) {
	for i, p := range []uint16{unix.ETH_P_IP, unix.ETH_P_IPV6} {
		c.names[i] = unix.RawSockaddrLinklayer{Family: unix.AF_PACKET, Protocol: htons(p), Ifindex: int32(index)}
	}
	c.strikes = 0
}

// name is where a message to the cutter goes.
func (c *cutter) name(v6 bool) *unix.RawSockaddrLinklayer {
	if v6 {
		return &c.names[1]
	}
	return &c.names[0]
}

// struck notes a refusal; gone: the device is not there any more.
func (c *cutter) struck(gone bool) {
	if c.strikes++; gone || c.strikes >= maxStrikes {
		c.on = false
	}
}

// grows tells whether k may be the next segment of a flow whose numbers count less
// than is in a segment, and by how much it moves them: once cut, nothing differs.
func (f *gatherFlow) grows(k *packet.Packet) bool {
	step := seq(k) - seq(&f.first)
	if f.count == 1 {
		f.step = step
		if grown := uint32(f.size()) - step; step == 0 || grown == 0 || grown > mostGrowth {
			return false
		}
	}
	return step == f.step*uint32(f.count) && (k.V6() || k.IPID() == f.first.IPID()+uint16(f.count)) &&
		sameTCP(&f.first, k)
}

// finishCut makes of a gathered message one to the cutter: the mark that its program
// reads stands in place of the link header (fast/bpf/cut.h).
func (f *gatherFlow) finishCut(q *txQueue) {
	h, m := &q.heads[f.msg], &q.hdrs[f.msg]
	h.cut = cutNote{growth: uint16(uint32(f.size()) - f.step), len: h.len - vnetLen}
	b := h.b[vnetLen:]
	copy(h.cut.link[:], b)
	typ := b[h.cut.len-2 : h.cut.len]
	b[12], b[13] = typ[0], typ[1]
	for i, v := range [...]uint16{f.hop, h.cut.growth, uint16(f.size()), uint16(seq(&f.first) >> 16), uint16(seq(&f.first)), 0} {
		binary.NativeEndian.PutUint16(b[2*i:], v)
	}
	h.len = vnetLen + l2.HeaderLen
	q.iovs[f.msg][0].SetLen(int(h.len))
	n := q.cutter.name(f.first.V6())
	m.hdr.Name, m.hdr.Namelen = (*byte)(unsafe.Pointer(n)), uint32(unsafe.Sizeof(*n))
}

// restore gives a message to the cutter its own link header.
func (h *txHead) restore() {
	copy(h.b[vnetLen:], h.cut.link[:h.cut.len])
	h.len = vnetLen + h.cut.len
}

// renumber gives a segment that was cut its own sequence number: first is the number
// of the first one, grown what every one of size bytes has that is not counted.
func renumber(k *packet.Packet, first uint32, size int, grown uint16) {
	if grown != 0 {
		is := seq(k)
		binary.BigEndian.PutUint32(k.Buf[k.L4+4:], is-(is-first)/uint32(size)*uint32(grown))
	}
}

// goneDevice tells errors that say that a device is not there, or is down.
func goneDevice(e unix.Errno) bool { return e == unix.ENETDOWN || e == unix.ENXIO || e == unix.ENODEV }
