package lane

import (
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ring is a TPACKET_V2 receive ring: memory shared with the kernel, which fills
// frames in order. Frames taken stay ours until release.
type ring struct {
	mem   []byte
	size  int // frames
	head  int // next frame to look at
	taken int // frames before head that we still hold
	fresh int // of those: taken since batch was called
}

// openRing sets up and maps a ring of about bytes of memory.
func openRing(fd, bytes int) (*ring, error) {
	blocks := max(bytes/blockSize, 2)
	req := unix.TpacketReq{Block_size: blockSize, Block_nr: uint32(blocks),
		Frame_size: frameSize, Frame_nr: uint32(blocks * framesPerBlock)}
	if err := unix.SetsockoptTpacketReq(fd, unix.SOL_PACKET, unix.PACKET_RX_RING, &req); err != nil {
		return nil, fmt.Errorf("set up receive ring of %d blocks: %w", blocks, err)
	}
	mem, err := unix.Mmap(fd, 0, blocks*blockSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map receive ring: %w", err)
	}
	return &ring{mem: mem, size: blocks * framesPerBlock}, nil
}

func (r *ring) close() error {
	mem := r.mem
	r.mem = nil
	return unix.Munmap(mem)
}

// frame returns the memory of frame i.
func (r *ring) frame(i int) []byte {
	at := i/framesPerBlock*blockSize + i%framesPerBlock*frameSize
	return r.mem[at : at+frameSize : at+frameSize]
}

func status(f []byte) *uint32 { return (*uint32)(unsafe.Pointer(&f[0])) }

// next returns the next filled frame and its status without taking it; nil when
// the kernel has not filled one or all are held.
func (r *ring) next() ([]byte, uint32) {
	if r.taken == r.size {
		return nil, 0
	}
	f := r.frame(r.head)
	// The atomic load orders the reads of the frame behind it.
	st := atomic.LoadUint32(status(f))
	if st&unix.TP_STATUS_USER == 0 {
		return nil, 0
	}
	return f, st
}

// take keeps the frame that next returned.
func (r *ring) take() {
	r.taken++
	r.fresh++
	if r.head++; r.head == r.size {
		r.head = 0
	}
}

// batch ends a batch and returns how many frames it took.
func (r *ring) batch() int {
	n := r.fresh
	r.fresh = 0
	return n
}

// waits says whether a frame is there to be taken.
func (r *ring) waits() bool {
	f, _ := r.next()
	return f != nil
}

// release gives the n frames that were taken first back to the kernel.
func (r *ring) release(n int) {
	i := r.head - r.taken
	if i < 0 {
		i += r.size
	}
	for ; n > 0; n-- {
		r.taken--
		atomic.StoreUint32(status(r.frame(i)), unix.TP_STATUS_KERNEL)
		if i++; i == r.size {
			i = 0
		}
	}
}

// frameInfo is what the kernel wrote in front of a frame.
type frameInfo struct {
	status   uint32
	length   int // of the whole frame
	captured int // bytes of it in the ring
	mac      int // offset of the link header in the frame's memory
	vlan     uint16
	proto    uint16 // EtherType
	pktType  uint8
}

// info reads struct tpacket2_hdr and struct sockaddr_ll.
func info(f []byte, st uint32) frameInfo {
	h := (*unix.Tpacket2Hdr)(unsafe.Pointer(&f[0]))
	ll := (*unix.RawSockaddrLinklayer)(unsafe.Pointer(&f[tpacketHdr]))
	i := frameInfo{status: st, length: int(h.Len), captured: int(h.Snaplen), mac: int(h.Mac),
		proto: htons(ll.Protocol), pktType: ll.Pkttype}
	if st&unix.TP_STATUS_VLAN_VALID != 0 {
		i.vlan = h.Vlan_tci & 0xfff
	}
	return i
}
