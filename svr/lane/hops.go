package lane

import (
	"hash/maphash"

	shared "waymark/svr/pool"
)

// HopState is what is known of a next-hop's link address.
type HopState uint8

// States of a next-hop.
const (
	HopFree       HopState = iota // the id is not in use
	HopUnresolved                 // asked, no answer yet: packets are kept
	HopResolved                   // MAC known
	HopFailed                     // no answer: packets are dropped and counted
)

// Hops is the table of next-hops in use, fixed in size at boot. Ids are small
// numbers other tables may hold; 0 is never a valid id. It belongs to the
// lane's goroutine; before Lane.Run starts, to whoever builds the lane.
type Hops struct {
	slots []hopEntry
	names []hopKey // by id, in memory that may outlive the process
	kept  bool     // it does
	free  []uint16
	index *shared.HashIndex
	seed  maphash.Seed
	// published is Config.Published.
	published func(hop, ifc uint16, mac [6]byte, ok bool)
	// resolve starts and stops resolution; set by the lane that owns the table.
	resolve func(id uint16, start bool)
}

type hopKey struct {
	addr   [16]byte
	ifc    uint16
	family uint8
}

type hopEntry struct {
	refs  uint32
	mac   [6]byte
	state HopState
	held  uint8 // packets kept for this hop
}

// NewHops makes a table of n next-hops (profile cpe: 4,096), at most 65,535.
func NewHops(n int) *Hops { return newHops(n, nil) }

func newHops(n int, names []byte) *Hops {
	n = min(max(n, 1), 65535)
	h := &Hops{slots: fresh[hopEntry](n + 1), names: shared.Records[hopKey](names, n+1), kept: names != nil,
		free: make([]uint16, 0, n), index: shared.NewHashIndex(n + 1), seed: maphash.MakeSeed()}
	for id := n; id > 0; id-- {
		h.free = append(h.free, uint16(id))
	}
	return h
}

// Get returns the id of the next-hop addr on network-interface ifc and takes a
// reference. The address is as in packet.Tuple (IPv4 in the first 4 bytes).
// The first reference starts resolution. ok is false when the table is full.
func (h *Hops) Get(ifc uint16, addr [16]byte, family uint8) (id uint16, ok bool) {
	k := hopKey{addr: addr, ifc: ifc, family: family}
	if id, ok = h.find(&k); ok {
		h.slots[id].refs++
		return id, true
	}
	if len(h.free) == 0 {
		return 0, false
	}
	id = h.free[len(h.free)-1]
	h.free = h.free[:len(h.free)-1]
	h.enter(id, k)
	if h.resolve != nil {
		h.resolve(id, true)
	}
	return id, true
}

func (h *Hops) hash(k *hopKey) uint64 { return maphash.Comparable(h.seed, *k) }

// find returns the id of a next-hop in use.
func (h *Hops) find(k *hopKey) (id uint16, ok bool) {
	for i, ok := h.index.First(h.hash(k)); ok; i, ok = h.index.Next(i) {
		if h.names[i] == *k {
			return uint16(i), true
		}
	}
	return 0, false
}

// Release gives a reference back; the last one ends resolution and frees the id.
func (h *Hops) Release(id uint16) {
	if int(id) >= len(h.slots) || h.slots[id].refs == 0 {
		return
	}
	s := &h.slots[id]
	if s.refs--; s.refs > 0 {
		return
	}
	h.set(id, s.mac, HopFree)
	if h.resolve != nil {
		h.resolve(id, false)
	}
	h.index.Remove(h.hash(&h.names[id]), uint32(id))
	*s, h.names[id] = hopEntry{}, hopKey{}
	h.free = append(h.free, id)
}

// State returns the state and the MAC address of a next-hop.
func (h *Hops) State(id uint16) (HopState, [6]byte) {
	if int(id) >= len(h.slots) {
		return HopFree, [6]byte{}
	}
	return h.slots[id].state, h.slots[id].mac
}

// Len returns how many next-hops are in use and how many fit.
func (h *Hops) Len() (used, size int) { return cap(h.free) - len(h.free), len(h.slots) - 1 }
