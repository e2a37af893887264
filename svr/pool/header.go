package pool

import (
	"fmt"
	"sync/atomic"
)

// Header is the first page of the shared memory: what another process needs to
// know before it may use the table.
type Header struct {
	Version uint32   // LayoutVersion of the writer
	Slots   uint32   // number of slots
	Buckets uint32   // number of buckets of the index
	Base    uint32   // offset of slot 0
	Seed    [16]byte // of the index hash
	Config  uint64   // generation of the configuration, by SetConfig
	Owner   uint64   // owner word, by SetOwnerWord
	Clock   int64    // TableConfig.Clock
}

// writeHeader describes a new table; the magic comes last.
func (t *Table) writeHeader(cfg TableConfig) {
	m := &t.mem
	m.store32(offVersion, LayoutVersion)
	m.store32(offSlots, t.slots)
	m.store32(offBuckets, t.buckets)
	m.store32(offBase, uint32(t.base))
	for i := range 4 {
		m.store32(offSeed+4*uintptr(i), addrWord(&cfg.Seed, i))
	}
	m.store64(offClock, uint64(cfg.Clock))
	for i, k := range t.hash {
		m.store64(offHash+8*uintptr(i), k)
	}
	m.store64(offMagic, magic)
}

// ReadHeader reads the header of a table that someone made in mem. It fails
// when mem holds no table of this layout, byte order and size.
func ReadHeader(mem []byte) (Header, error) {
	h, err := PeekHeader(mem)
	if err != nil {
		return h, err
	}
	return h, h.valid(len(mem))
}

// PeekHeader reads the header of a table of any layout from its first page: what
// Header names is there in all of them. It fails when mem holds no table of this
// byte order.
func PeekHeader(mem []byte) (Header, error) {
	m, err := newMemory(mem, pageSize)
	if mem == nil || err != nil {
		return Header{}, fmt.Errorf("read table header: %w", ErrMemory)
	}
	if m.load64(offMagic) != magic {
		return Header{}, fmt.Errorf("read table header: no table: %w", ErrMemory)
	}
	h := Header{
		Version: m.load32(offVersion), Slots: m.load32(offSlots), Buckets: m.load32(offBuckets),
		Base: m.load32(offBase), Config: m.load64(offConfig), Owner: m.load64(offOwner),
		Clock: int64(m.load64(offClock)),
	}
	for i := range 4 {
		putAddrWord(&h.Seed, i, m.load32(offSeed+4*uintptr(i)))
	}
	return h, nil
}

// valid checks a header against the size of the memory it came from.
func (h *Header) valid(size int) error {
	cfg := TableConfig{Slots: int(h.Slots)}
	switch {
	case h.Version != LayoutVersion:
		return fmt.Errorf("read table header: layout %d, want %d: %w", h.Version, LayoutVersion, ErrMemory)
	case h.Slots == 0 || h.Slots > maxSlots || h.Slots&1 != 0 || size < MemorySize(cfg),
		int(h.Buckets) != bucketsFor(int(h.Slots)), h.Base != uint32(slotBase(int(h.Buckets))):
		return fmt.Errorf("read table header: sizes do not fit %d bytes: %w", size, ErrMemory)
	}
	return nil
}

// OwnerWord returns the owner word: who may write the table. A lane compares it
// before each batch.
func (t *Table) OwnerWord() uint64 { return t.mem.load64(offOwner) }

// SetOwnerWord makes the caller the owner (start time of the process): everybody sees
// it before whatever the caller does next.
func (t *Table) SetOwnerWord(v uint64) { atomic.StoreUint64(t.mem.u64(offOwner), v) }

// ConfigGeneration returns the generation of the configuration that the
// actions in the table were made from.
func (t *Table) ConfigGeneration() uint64 { return t.mem.load64(offConfig) }

// SetConfigGeneration sets it.
func (t *Table) SetConfigGeneration(v uint64) { t.mem.store64(offConfig, v) }
