// Package cut is a disk for tests that can lose power at any write. It records
// every sector that is written and every barrier, and afterwards builds the
// disks that a cut could have left: all before the last barrier is there, and
// of what was written since, any part in any order.
package cut

import (
	"fmt"
	"io"
	"math/rand/v2"
)

const sector = 512

// Disk is a sparse disk in memory. Use by one goroutine.
type Disk struct {
	size int64
	now  image // what a reader sees
	base image // what it was when recording began
	log  []op  // since then
}

type image map[int64]*[sector]byte // by number of the sector; what is missing is zero

// op is one sector written, or a barrier, or a mark of the test.
type op struct {
	at      int64
	data    *[sector]byte // nil for a barrier
	barrier bool
}

// New makes a disk of size bytes, all zero.
func New(size int64) *Disk { return &Disk{size: size, now: image{}} }

// Size is the size in bytes.
func (d *Disk) Size() int64 { return d.size }

// ReadAt implements io.ReaderAt.
func (d *Disk) ReadAt(b []byte, at int64) (int, error) {
	for n := 0; n < len(b); {
		if at >= d.size {
			return n, io.EOF
		}
		off := at % sector
		k := min(int(sector-off), len(b)-n)
		if s := d.now[at/sector]; s != nil {
			copy(b[n:n+k], s[off:])
		} else {
			clear(b[n : n+k])
		}
		n, at = n+k, at+int64(k)
	}
	return len(b), nil
}

// WriteAt implements io.WriterAt for whole sectors.
func (d *Disk) WriteAt(b []byte, at int64) (int, error) {
	if at%sector != 0 || len(b)%sector != 0 || at < 0 || at+int64(len(b)) > d.size {
		return 0, fmt.Errorf("write %d bytes at %d: not whole sectors of the disk", len(b), at)
	}
	for i := 0; i < len(b); i += sector {
		s := (*[sector]byte)(append([]byte(nil), b[i:i+sector]...))
		if *s == ([sector]byte{}) && d.base == nil {
			delete(d.now, (at+int64(i))/sector)
			continue
		}
		d.now[(at+int64(i))/sector] = s
		if d.base != nil {
			d.log = append(d.log, op{at: (at + int64(i)) / sector, data: s})
		}
	}
	return len(b), nil
}

// Sync is a barrier.
func (d *Disk) Sync() error {
	if d.base != nil {
		d.log = append(d.log, op{barrier: true})
	}
	return nil
}

// Record begins a recording: cuts happen to what is written from here on.
func (d *Disk) Record() {
	d.base, d.log = d.now.clone(), nil
}

func (i image) clone() image {
	c := make(image, len(i))
	for k, v := range i {
		c[k] = v
	}
	return c
}

// Now is the number of operations recorded so far. What happens elsewhere, a
// file replaced on another partition, has a place among the writes by it.
func (d *Disk) Now() int { return len(d.log) }

// Cuts builds disks as cuts leave them and gives each to visit, with the number
// of operations that had been issued. Several disks belong to one number: what
// was not yet behind a barrier may be there or not.
func (d *Disk) Cuts(visit func(issued int, left *Disk)) {
	random := rand.New(rand.NewPCG(1, 2))
	durable, open := d.base.clone(), []op(nil)
	leave := func(issued int, keep func(i int) bool) {
		left := &Disk{size: d.size, now: durable.clone()}
		for i, o := range open {
			if keep(i) {
				left.now[o.at] = o.data
			}
		}
		visit(issued, left)
	}
	for n := 0; ; n++ {
		leave(n, func(int) bool { return true })
		if len(open) > 0 {
			leave(n, func(int) bool { return false })
			leave(n, func(i int) bool { return i == len(open)-1 })
			leave(n, func(int) bool { return random.IntN(2) == 0 })
		}
		if n == len(d.log) {
			return
		}
		if o := d.log[n]; !o.barrier {
			open = append(open, o)
			continue
		}
		for _, o := range open {
			durable[o.at] = o.data
		}
		open = nil
	}
}

// Clone is an independent copy of the disk as it is.
func (d *Disk) Clone() *Disk { return &Disk{size: d.size, now: d.now.clone()} }
