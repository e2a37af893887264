// Package swap gives a box of little memory room in its own memory: what nobody
// has touched for a while (most of the program, and the heaps of processes that
// wait) is kept compressed, to about a third. Sizes and header are pure.
package swap

import "encoding/binary"

// pageSize is that of all our kernels.
const pageSize = 4096

// enough is the memory from which on a box needs no swap.
const enough = 128 << 20

// Sizes are those of a compressed disk, in bytes, whole pages.
type Sizes struct {
	Disk  uint64 // how much may be put on it
	Limit uint64 // how much memory it may take for that
}

// Plan sizes the disk of a box with total bytes of memory; zero: none is needed.
// No more is put away than two thirds of what there is: beyond that the box would
// do nothing but compress.
func Plan(total uint64) Sizes {
	if total == 0 || total >= enough {
		return Sizes{}
	}
	return Sizes{Disk: whole(total / 3 * 2), Limit: whole(total / 3)}
}

func whole(n uint64) uint64 { return n / pageSize * pageSize }

// Header is the first page of a disk of size bytes, as mkswap(8) writes it:
// 1,024 bytes for a boot loader, then little-endian on all our machines the
// version, the last page's number and the count of bad pages; the magic word ends
// the page (union swap_header of linux/swap.h).
func Header(size uint64) []byte {
	b := make([]byte, pageSize)
	binary.NativeEndian.PutUint32(b[1024:], 1)
	binary.NativeEndian.PutUint32(b[1028:], uint32(size/pageSize-1))
	copy(b[pageSize-10:], "SWAPSPACE2")
	return b
}
