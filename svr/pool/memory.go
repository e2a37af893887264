package pool

import (
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"unsafe"
)

// memory is the shared region. Every access is of an aligned word of 32 or 64 bits,
// in one piece, because a BPF program reads and writes the same bytes.
type memory struct {
	base unsafe.Pointer
	size uintptr
	keep []byte // holds the region for the garbage collector when Go owns it
}

// newMemory wraps b, or allocates size bytes when b is nil. The region must be
// aligned to a cache line.
func newMemory(b []byte, size int) (memory, error) {
	if b == nil {
		b = make([]byte, size+SlotSize)
		skip := -uintptr(unsafe.Pointer(unsafe.SliceData(b))) % SlotSize
		b = b[skip:][:size]
	}
	if len(b) < size {
		return memory{}, fmt.Errorf("use memory of %d bytes: %d needed: %w", len(b), size, ErrMemory)
	}
	p := unsafe.Pointer(unsafe.SliceData(b))
	if uintptr(p)%SlotSize != 0 {
		return memory{}, fmt.Errorf("use memory at %p: not aligned to %d: %w", p, SlotSize, ErrMemory)
	}
	return memory{base: p, size: uintptr(size), keep: b}, nil
}

func (m *memory) u32(off uintptr) *uint32 { return (*uint32)(unsafe.Add(m.base, off)) }
func (m *memory) u64(off uintptr) *uint64 { return (*uint64)(unsafe.Add(m.base, off)) }

func (m *memory) load32(off uintptr) uint32 { return atomic.LoadUint32(m.u32(off)) }
func (m *memory) load64(off uintptr) uint64 { return atomic.LoadUint64(m.u64(off)) }

// store32 and store64 become visible after every store before them.
func (m *memory) store32(off uintptr, v uint32) { release32(m.u32(off), v) }
func (m *memory) store64(off uintptr, v uint64) { release64(m.u64(off), v) }

// settle32 is store32 that everybody sees before whatever the caller does next.
func (m *memory) settle32(off uintptr, v uint32) { atomic.StoreUint32(m.u32(off), v) }

// open makes the generation of a slot odd. It stands alone, so that the compiler
// does not find that another store to the same word follows.
//
//go:noinline
func (m *memory) open(off uintptr) (gen uint32) {
	gen = m.load32(off) | 1
	m.store32(off, gen)
	return gen
}

// clear writes zeros over n bytes; off and n are multiples of four.
func (m *memory) clear(off, n uintptr) {
	for end := off + n; off < end; off += 4 {
		m.store32(off, 0)
	}
}

// pack16 returns the word whose first two bytes in memory hold a and the next
// two b, each in the machine's byte order.
func pack16(a, b uint16) uint32 {
	var w [4]byte
	binary.NativeEndian.PutUint16(w[0:], a)
	binary.NativeEndian.PutUint16(w[2:], b)
	return binary.NativeEndian.Uint32(w[:])
}

// unpack16 reverses pack16.
func unpack16(v uint32) (a, b uint16) {
	var w [4]byte
	binary.NativeEndian.PutUint32(w[:], v)
	return binary.NativeEndian.Uint16(w[0:]), binary.NativeEndian.Uint16(w[2:])
}

// packMeta is pack16 for {u16, u8, u8}.
func packMeta(ifc uint16, proto, form uint8) uint32 {
	var w [4]byte
	binary.NativeEndian.PutUint16(w[0:], ifc)
	w[2], w[3] = proto, form
	return binary.NativeEndian.Uint32(w[:])
}

// unpackMeta reverses packMeta.
func unpackMeta(v uint32) (ifc uint16, proto, form uint8) {
	var w [4]byte
	binary.NativeEndian.PutUint32(w[:], v)
	return binary.NativeEndian.Uint16(w[0:]), w[2], w[3]
}

// packPorts is the word whose bytes in memory are both ports in network order.
func packPorts(src, dst uint16) uint32 {
	var w [4]byte
	binary.BigEndian.PutUint16(w[0:], src)
	binary.BigEndian.PutUint16(w[2:], dst)
	return binary.NativeEndian.Uint32(w[:])
}

// unpackPorts reverses packPorts.
func unpackPorts(v uint32) (src, dst uint16) {
	var w [4]byte
	binary.NativeEndian.PutUint32(w[:], v)
	return binary.BigEndian.Uint16(w[0:]), binary.BigEndian.Uint16(w[2:])
}

// addrWord returns word i of an address, as it lies in memory.
func addrWord(a *[16]byte, i int) uint32 { return binary.NativeEndian.Uint32(a[4*i:]) }

// putAddrWord reverses addrWord.
func putAddrWord(a *[16]byte, i int, v uint32) { binary.NativeEndian.PutUint32(a[4*i:], v) }
