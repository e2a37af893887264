package packet

import (
	"bytes"
	"errors"
)

// Errors of Reassembler.Add. The piece is gone in every case; after
// ErrPieceOverlap and ErrPieceLength the rest of its packet too.
var (
	// ErrPieceMalformed: offset or length of a piece not a multiple of 8, or
	// an empty piece.
	ErrPieceMalformed = errors.New("fragment malformed")
	// ErrPieceLength: beyond the longest packet, or pieces that disagree about
	// the end.
	ErrPieceLength = errors.New("fragment beyond the end")
	// ErrPieceOverlap: bytes that came before, with other content.
	ErrPieceOverlap = errors.New("fragment overlaps another")
	// ErrPieceDropped: belongs to a packet that was given up.
	ErrPieceDropped = errors.New("fragment of a dropped packet")
	// ErrPieceRoom: no memory for it even with everything else given up, or
	// the destination buffer is too small.
	ErrPieceRoom = errors.New("no room for fragments")
)

// ReassemblerConfig sizes a Reassembler; zero values mean the defaults.
type ReassemblerConfig struct {
	Contexts int   // packets at once; 64
	Memory   int   // bytes of pieces held at once; 512 KiB
	Lifetime int64 // nanoseconds from a packet's first piece; 2 s
	MaxBytes int   // longest joined packet, at most (and by default) 65535
}

// ReassemblyCounters count what happened since construction.
type ReassemblyCounters struct {
	Pieces     uint64 // pieces added
	Joined     uint64 // packets completed
	Duplicates uint64 // pieces that came twice, byte for byte; ignored
	Malformed  uint64 // pieces refused by themselves
	Overlaps   uint64 // packets given up for an overlap or a wrong end
	Late       uint64 // pieces of packets given up
	Expired    uint64 // packets given up by time
	GaveWay    uint64 // packets given up for a newer one
	Highest    int    // most packets at once
}

const (
	pageSize  = 2048
	pageCount = (MaxLen + pageSize) / pageSize // pages of the longest packet
)

// Reassembler joins pieces of packets, told apart by a key, in memory fixed at
// construction. Any overlap gives the whole packet up (RFC 8200 4.5, RFC 5722);
// only exact duplicates are ignored. When contexts or memory run out the oldest
// packet gives way. Not safe for concurrent use.
type Reassembler[K comparable] struct {
	cfg      ReassemblerConfig
	contexts []context[K]
	order    []uint16 // numbers of contexts; the first inUse are in use
	inUse    int
	check    int64 // no context expires before
	arena    []byte
	free     []uint16 // pages of the arena not in use
	out      []byte   // the joined packet of Add
	count    ReassemblyCounters
}

// context is one packet in the making.
type context[K comparable] struct {
	key   K
	start int64 // time of the first piece
	dead  bool  // given up: refuses its pieces until it expires
	index int   // of this context in the array
	place int   // of its number in order
	count int   // pieces here
	total int   // length of the whole, -1 while unknown
	top   int   // highest end seen
	got   int   // bytes here
	page  [pageCount]uint16
	has   [pageCount]bool
	seen  blocks
}

// NewReassembler makes a reassembler with all its memory.
func NewReassembler[K comparable](cfg ReassemblerConfig) *Reassembler[K] {
	r := newReassembler[K](cfg)
	r.out = make([]byte, r.cfg.MaxBytes)
	return r
}

// newReassembler leaves out the buffer of Add.
func newReassembler[K comparable](cfg ReassemblerConfig) *Reassembler[K] {
	cfg = cfg.withDefaults()
	pages := cfg.Memory / pageSize
	r := &Reassembler[K]{
		cfg:      cfg,
		contexts: make([]context[K], cfg.Contexts),
		order:    make([]uint16, cfg.Contexts),
		arena:    make([]byte, pages*pageSize),
		free:     make([]uint16, pages),
	}
	for i := range r.free {
		r.free[i] = uint16(i)
	}
	for i := range r.contexts {
		r.order[i] = uint16(i) // a context is not touched before it is needed
	}
	return r
}

// withDefaults fills zero values in and keeps sizes within reason: memory for
// one longest packet at least, and pages that 16 bits can number.
func (c ReassemblerConfig) withDefaults() ReassemblerConfig {
	if c.Contexts <= 0 {
		c.Contexts = 64
	}
	if c.Memory <= 0 {
		c.Memory = 512 << 10
	}
	if c.Lifetime <= 0 {
		c.Lifetime = 2e9
	}
	if c.MaxBytes <= 0 || c.MaxBytes > MaxLen {
		c.MaxBytes = MaxLen
	}
	c.Contexts = min(c.Contexts, 65535)
	c.Memory = min(max(c.Memory, pageCount*pageSize), 65535*pageSize)
	return c
}

// Counters returns the counters.
func (r *Reassembler[K]) Counters() ReassemblyCounters { return r.count }

// InUse returns how many packets are in the making, and how many can be.
func (r *Reassembler[K]) InUse() (used, capacity int) { return r.inUse, len(r.contexts) }

// Expire gives up the packets whose time is over. Add does it as well.
func (r *Reassembler[K]) Expire(now int64) {
	if r.inUse == 0 || now < r.check {
		return
	}
	r.check = now + r.cfg.Lifetime
	for i := r.inUse - 1; i >= 0; i-- {
		c := r.used(i)
		if now-c.start <= r.cfg.Lifetime {
			r.check = min(r.check, c.start+r.cfg.Lifetime+1)
			continue
		}
		if !c.dead {
			r.count.Expired++
		}
		r.release(c)
	}
}

// used returns the i-th context in use.
func (r *Reassembler[K]) used(i int) *context[K] { return &r.contexts[r.order[i]] }

// Add copies in the piece b that stands offset bytes into the packet key; more
// tells that others follow it. now is in nanoseconds and never falls. With the
// last missing piece it returns the whole and true; the whole is valid until
// the next call. A piece that is the whole packet is returned as it is.
func (r *Reassembler[K]) Add(now int64, key K, offset int, more bool, b []byte) (complete []byte, done bool, err error) {
	if offset == 0 && !more && len(b) <= r.cfg.MaxBytes {
		r.count.Pieces++
		r.count.Joined++
		return b, true, nil
	}
	c, err := r.add(now, key, offset, more, b)
	if err != nil || c.got != c.total {
		return nil, false, err
	}
	n := r.join(c, r.out)
	return r.out[:n], true, nil
}

// add copies a piece in and returns its context; once that is complete (got is
// total) the caller joins it.
func (r *Reassembler[K]) add(now int64, key K, offset int, more bool, b []byte) (*context[K], error) {
	r.count.Pieces++
	if offset < 0 || offset%unit != 0 || len(b) == 0 || more && len(b)%unit != 0 {
		r.count.Malformed++
		return nil, ErrPieceMalformed
	}
	r.Expire(now)
	c := r.find(now, key)
	if c.dead {
		r.count.Late++
		return nil, ErrPieceDropped
	}
	end := offset + len(b)
	if end > r.cfg.MaxBytes || !c.agrees(end, more) {
		return nil, r.giveUp(c, ErrPieceLength)
	}
	if c.seen.any(offset, end) {
		if r.same(c, offset, b) {
			r.count.Duplicates++
			return c, nil
		}
		return nil, r.giveUp(c, ErrPieceOverlap)
	}
	if !r.reserve(c, offset, end) {
		r.count.GaveWay++
		r.release(c)
		return nil, ErrPieceRoom
	}
	r.store(c, offset, b)
	return c, nil
}

// agrees checks the end of a piece against what is known of the packet's end,
// and learns it from the last piece.
func (c *context[K]) agrees(end int, more bool) bool {
	if more {
		return c.total < 0 || end < c.total
	}
	if c.total >= 0 && c.total != end || c.top > end {
		return false
	}
	c.total = end
	return true
}

// giveUp drops all pieces of c and those still to come.
func (r *Reassembler[K]) giveUp(c *context[K], why error) error {
	r.count.Overlaps++
	r.freePages(c)
	c.dead = true
	return why
}

// find returns the context of key, a new one if there is none.
func (r *Reassembler[K]) find(now int64, key K) *context[K] {
	for i := range r.order[:r.inUse] {
		if c := r.used(i); c.key == key {
			return c
		}
	}
	if r.inUse == len(r.contexts) {
		r.giveWay(nil)
	}
	if r.inUse == 0 {
		r.check = now + r.cfg.Lifetime + 1
	}
	c := r.used(r.inUse)
	*c = context[K]{key: key, start: now, total: -1, index: int(r.order[r.inUse]), place: r.inUse}
	r.inUse++
	r.count.Highest = max(r.count.Highest, r.inUse)
	return c
}

// giveWay frees the packet that began first, but not the one of c; false when
// there is none.
func (r *Reassembler[K]) giveWay(not *context[K]) bool {
	var o *context[K]
	for i := range r.order[:r.inUse] {
		if c := r.used(i); c != not && (o == nil || c.start < o.start) {
			o = c
		}
	}
	if o == nil {
		return false
	}
	if !o.dead {
		r.count.GaveWay++
	}
	r.release(o)
	return true
}

// release frees a context and its pages.
func (r *Reassembler[K]) release(c *context[K]) {
	r.freePages(c)
	r.inUse--
	last := r.used(r.inUse)
	r.order[c.place], r.order[r.inUse] = r.order[r.inUse], r.order[c.place]
	last.place = c.place
}

// freePages gives the pages of c back.
func (r *Reassembler[K]) freePages(c *context[K]) {
	for i := range c.page {
		if c.has[i] {
			r.free = append(r.free, c.page[i]) // never beyond its capacity
			c.has[i] = false
		}
	}
}

// reserve finds pages for bytes [from, to) of c, if need be those of older
// packets.
func (r *Reassembler[K]) reserve(c *context[K], from, to int) bool {
	for i := from / pageSize; i <= (to-1)/pageSize; i++ {
		if c.has[i] {
			continue
		}
		for len(r.free) == 0 {
			if !r.giveWay(c) {
				return false
			}
		}
		c.page[i] = r.free[len(r.free)-1]
		r.free = r.free[:len(r.free)-1]
		c.has[i] = true
	}
	return true
}

// bytesAt returns the bytes of c from offset on up to the end of their page.
func (r *Reassembler[K]) bytesAt(c *context[K], offset int) []byte {
	page := int(c.page[offset/pageSize]) * pageSize
	return r.arena[page+offset%pageSize : page+pageSize]
}

// store copies a piece in and marks it.
func (r *Reassembler[K]) store(c *context[K], offset int, b []byte) {
	end := offset + len(b)
	c.top = max(c.top, end)
	c.got += len(b)
	c.count++
	c.seen.set(offset, end)
	for len(b) > 0 {
		n := copy(r.bytesAt(c, offset), b)
		b, offset = b[n:], offset+n
	}
}

// same tells whether all of the piece came before with the same bytes.
func (r *Reassembler[K]) same(c *context[K], offset int, b []byte) bool {
	end := offset + len(b)
	if end > c.top || !c.seen.all(offset, end) {
		return false
	}
	for len(b) > 0 {
		have := r.bytesAt(c, offset)
		n := min(len(have), len(b))
		if !bytes.Equal(have[:n], b[:n]) {
			return false
		}
		b, offset = b[n:], offset+n
	}
	return true
}

// join copies the complete packet c to out, which is long enough, and releases
// it.
func (r *Reassembler[K]) join(c *context[K], out []byte) int {
	for at := 0; at < c.total; {
		at += copy(out[at:c.total], r.bytesAt(c, at))
	}
	n := c.total
	r.release(c)
	r.count.Joined++
	return n
}
