package pool

// Bits of Action.Flags. The lane in the kernel forwards a direction only with
// FlagFast; with FlagPeer packets of the direction come from a peer; the bits of
// FlagMTU are the path MTU in bytes of IP packet as it leaves, 0 unknown, all of
// them for whatever is at least that long.
const (
	FlagFast = 1 << 15
	FlagPeer = 1 << 14
	FlagMTU  = 1<<14 - 1
)

// SetFlags publishes new flags of a live direction in one store: readers see
// the old or the new ones, the new ones before whatever the caller does next, and all
// else stays as it is. Writer only.
func (t *Table) SetFlags(slot uint32, flags uint16) {
	t.check(slot)
	at := t.off(slot) + offHop
	hop, _ := unpack16(t.mem.load32(at))
	t.mem.settle32(at, pack16(hop, flags))
}
