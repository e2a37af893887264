package fast

import "fmt"

// Counters add up since the lane was made, over restarts of the process. Each
// packet is counted once: In = TC + XDP + every Reason.
type Counters struct {
	In     uint64          // packets that a program decided about
	TC     uint64          // forwarded with a socket buffer; a super-packet is one
	XDP    uint64          // forwarded as XDP frame, less DropDevice
	Copied uint64          // of HostOwn: passed to the kernel and copied to the TAP
	Reason [reasons]uint64 // by Reason
	// Older were forwarded by programs of older lanes, PassedOn given to them; what
	// they did not forward they punted, which no other counter here has.
	Older, PassedOn uint64
	// Cut are segments that the cutter sent on, CutLost those that it could not.
	Cut, CutLost uint64
	// Ring came by the ring, since the process began; all others that were punted by
	// the TAP.
	Ring uint64
	// Lost were punted and found the TAP's queue full or without reader, or no room in a ring.
	Lost uint64
}

// Forwarded returns TC + XDP.
func (c *Counters) Forwarded() uint64 { return c.TC + c.XDP }

// Punted, Dropped and Host add up the reasons of their kind.
func (c *Counters) Punted() uint64 { return c.sum(Reason.Punted) }

// Dropped is what the programs themselves dropped.
func (c *Counters) Dropped() uint64 { return c.sum(Reason.Dropped) }

// Host is what went to the kernel's own stack.
func (c *Counters) Host() uint64 { return c.sum(Reason.Host) }

func (c *Counters) sum(is func(Reason) bool) (n uint64) {
	for r, v := range c.Reason {
		if is(Reason(r)) {
			n += v
		}
	}
	return n
}

// Counters reads the counters of all CPUs. Any goroutine.
func (l *Lane) Counters() (Counters, error) {
	var cpus []counts
	if err := l.maps[mapCounts].Lookup(uint32(0), &cpus); err != nil {
		return Counters{}, fmt.Errorf("read counters: %w", err)
	}
	var c Counters
	for i := range cpus {
		n := &cpus[i]
		c.In += n[countTC] + n[countForwardXDP] + n[countDropXDP] - n[countOlder]
		c.PassedOn += n[countOlder]
		c.TC += n[countForwardTC]
		c.XDP += n[countForwardXDP]
		c.Copied += n[countCopied]
		c.Cut += n[countCut]
		c.CutLost += n[countCutLost]
		for r, v := range n[countReasons:] {
			c.Reason[r] += v
		}
	}
	c.Older = l.forwardedOlder()
	c.Ring = l.rings.brought()
	c.Lost = l.tap.lost() + l.rings.lost()
	c.Reason[DropDevice] = min(l.out.lost(), c.XDP)
	c.XDP -= c.Reason[DropDevice]
	return c, nil
}
