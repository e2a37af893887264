package pool

import "unsafe"

// The shared memory, in this order: one header page, the overflow index (buckets
// of eight 32-bit entries), padding to a page, the slots. All of it zero is an
// empty table. The BPF program sees the same bytes, so nothing here may move
// without raising LayoutVersion.
const (
	// LayoutVersion counts incompatible changes of the shared memory.
	LayoutVersion = 2
	// SlotSize is the size of a slot in bytes; an IPv6 side takes two.
	SlotSize = 64

	pageSize   = 4096
	bucketSize = 32
	ways       = 8       // entries of a bucket
	maxSlots   = 1 << 22 // slot numbers fill 22 bits of an index entry
	windowSize = 8       // slots around a key's home where it needs no index entry
)

// Words of a slot, as byte offsets. Go writes 0-39 and only under an odd
// generation; the lanes (BPF, or Count in Go) write 40-63. The border is a
// multiple of eight, so that the two writers never share an aligned 8 bytes.
const (
	offGen     = 0  // u32 generation, odd while Go writes
	offMeta    = 4  // u16 ingress, u8 protocol, u8 form
	offSrc     = 8  // key source, IPv4, network byte order
	offDst     = 12 // key destination
	offPorts   = 16 // key source port, destination port, network byte order
	offNewSrc  = 20 // new source, IPv4
	offNewDst  = 24 // new destination
	offNewPort = 28 // new source port, destination port
	offHop     = 32 // u16 next-hop, u16 flags
	offDelta   = 36 // u16 delta of the addresses, u16 delta of the L4 checksum
	offBytes   = 40 // u64, written by the lanes from here on
	offPackets = 48 // u64
	offSeen    = 56 // u32 last packet, in ticks of 2^seenShift ns of the clock
	offTCP     = 60 // u32 every TCP flag seen so far
)

// The second slot of a direction with an IPv6 side, any slot of the table: seven
// words of each pair of addresses (source, then destination, network byte
// order). Its form is formSecond, so that nobody takes it for a direction,
// whatever the addresses are. The generation of the first slot covers it.
//
// In the first slot an IPv6 key has the number of the second slot at offSrc and
// its eighth word at offDst; IPv6 addresses of the action the same at offNewSrc
// and offNewDst.
const (
	offNew6 = 8
	offKey6 = 36
	six     = 7 // words of two IPv6 addresses that are in the second slot
	offEnd6 = offKey6 + 4*six
	offGone = offSrc // cleared slot: tick of the removal, 0 never used
)

// Form bits of a slot (the byte behind the protocol).
const (
	formLive   = 1 << 0 // the slot holds a direction
	formKey6   = 1 << 1 // the key is IPv6
	formNew6   = 1 << 2 // the action's tuple is IPv6
	formPair   = 1 << 3 // the direction has a second slot
	formProto  = 4      // bits 4-6: protocol of the action when it changes
	protoSame  = 0
	protoICMP  = 1
	protoTCP   = 2
	protoUDP   = 3
	protoICMP6 = 4
	formSecond = 1 << 7 // not a direction: the second slot of one
)

// Header words, as byte offsets in the first page. Those up to offClock stay where
// they are in every layout: a router that finds another layout than its own still
// asks who owns the table and when it was made.
const (
	offMagic   = 0    // u64
	offVersion = 8    // u32 LayoutVersion
	offSlots   = 12   // u32 number of slots
	offBuckets = 16   // u32 number of buckets
	offBase    = 20   // u32 offset of slot 0 from the start of the memory
	offSeed    = 24   // 16 bytes
	offConfig  = 40   // u64 generation of the configuration
	offOwner   = 48   // u64 owner word (start time of the owning process)
	offClock   = 56   // i64 added to `now` before it is cut into ticks
	offHash    = 64   // 11 u64 keys of the index hash
	offMoves   = 256  // u32 counts displacements and moves, on a cache line of its own
	offOthers  = 1024 // 64 bytes of whoever attaches programs to the table (svr/lane/fast)

	magic    = 0x314c42544d590a57 // says table, and differs under another byte order
	hashKeys = 11
)

// seenShift turns nanoseconds into ticks of the last-seen word: 16.8 ms, so
// that 32 bits last 834 days.
const seenShift = 24

// slotLayout repeats the offsets as a struct, only to let the compiler check
// that they fit together on every architecture.
type slotLayout struct {
	gen                uint32
	ingress            uint16
	proto, form        uint8
	src, dst           uint32
	sport, dport       uint16
	newSrc, newDst     uint32
	newSport, newDport uint16
	hop, flags         uint16
	addrDelta, l4Delta uint16
	bytes, packets     [2]uint32 // u64; as words so that 32-bit builds agree
	seen, tcp          uint32
}

// Compile-time checks: an index out of range or a negative constant converted
// to an unsigned type does not build.
const (
	_ = -uint(unsafe.Sizeof(slotLayout{}) ^ SlotSize)
	_ = -uint(unsafe.Offsetof(slotLayout{}.gen) ^ offGen)
	_ = -uint(unsafe.Offsetof(slotLayout{}.ingress) ^ offMeta)
	_ = -uint(unsafe.Offsetof(slotLayout{}.proto) ^ (offMeta + 2))
	_ = -uint(unsafe.Offsetof(slotLayout{}.form) ^ (offMeta + 3))
	_ = -uint(unsafe.Offsetof(slotLayout{}.src) ^ offSrc)
	_ = -uint(unsafe.Offsetof(slotLayout{}.dst) ^ offDst)
	_ = -uint(unsafe.Offsetof(slotLayout{}.sport) ^ offPorts)
	_ = -uint(unsafe.Offsetof(slotLayout{}.dport) ^ (offPorts + 2))
	_ = -uint(unsafe.Offsetof(slotLayout{}.newSrc) ^ offNewSrc)
	_ = -uint(unsafe.Offsetof(slotLayout{}.newDst) ^ offNewDst)
	_ = -uint(unsafe.Offsetof(slotLayout{}.newSport) ^ offNewPort)
	_ = -uint(unsafe.Offsetof(slotLayout{}.newDport) ^ (offNewPort + 2))
	_ = -uint(unsafe.Offsetof(slotLayout{}.hop) ^ offHop)
	_ = -uint(unsafe.Offsetof(slotLayout{}.flags) ^ (offHop + 2))
	_ = -uint(unsafe.Offsetof(slotLayout{}.addrDelta) ^ offDelta)
	_ = -uint(unsafe.Offsetof(slotLayout{}.l4Delta) ^ (offDelta + 2))
	_ = -uint(unsafe.Offsetof(slotLayout{}.bytes) ^ offBytes)
	_ = -uint(unsafe.Offsetof(slotLayout{}.packets) ^ offPackets)
	_ = -uint(unsafe.Offsetof(slotLayout{}.seen) ^ offSeen)
	_ = -uint(unsafe.Offsetof(slotLayout{}.tcp) ^ offTCP)
	_ = -uint(offBytes % 8)
	_ = -uint(ways*4 ^ bucketSize)
	_ = -uint(offNew6 + 4*six ^ offKey6)
	_ = -uint(offEnd6 ^ SlotSize)
	_ = -uint(windowSize & (windowSize - 1))
	_ = -uint((offHash + 8*hashKeys) / offMoves)
)
