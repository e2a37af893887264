package secure

// WindowSize is how far behind the newest counter a packet may arrive.
const WindowSize = 1024

// window remembers which of the newest WindowSize counters have been seen. Bit
// c mod WindowSize stands for counter c.
type window struct {
	top  uint64 // the newest counter marked, 0 = none
	bits [WindowSize / 64]uint64
}

var _ [0]struct{} = [WindowSize & (WindowSize - 1)]struct{}{} // a power of two

// fresh tells whether c may still be accepted: neither seen nor too old. 0 is
// never sent.
func (w *window) fresh(c uint64) bool {
	if c > w.top {
		return true
	}
	if c == 0 || w.top-c >= WindowSize {
		return false
	}
	i := c % WindowSize
	return w.bits[i/64]&(1<<(i%64)) == 0
}

// mark notes an authenticated counter that was fresh.
func (w *window) mark(c uint64) {
	if c > w.top {
		w.forget(c)
		w.top = c
	}
	i := c % WindowSize
	w.bits[i/64] |= 1 << (i % 64)
}

// forget clears the bits of the counters between top and c, which take the
// place of those that fall out of the window.
func (w *window) forget(c uint64) {
	if c-w.top >= WindowSize {
		w.bits = [WindowSize / 64]uint64{}
		return
	}
	for n := w.top + 1; n != c+1; {
		i := n % WindowSize
		span := min(64-i%64, c+1-n)
		w.bits[i/64] &^= (^uint64(0) >> (64 - span)) << (i % 64)
		n += span
	}
}
