package lane

import "waymark/svr/packet"

// Handler is the engine behind the lane. All methods run on the goroutine of
// Lane.Run, never at the same time.
type Handler interface {
	// Receive handles one IP packet. p.If, p.Csum, p.GSO and p.GSOSize are set,
	// p.Parse was not called yet. The Packet itself may be used only during the
	// call, its bytes until the batch is flushed: the handler sends through the
	// lane before it returns, as many packets as it likes.
	// now is monotonic time in nanoseconds as Config.Clock counts it.
	Receive(p *packet.Packet, now int64)

	// Batch handles packets that arrived one after the other, as Receive of each
	// in turn would. While it handles one it may look at those behind: some work
	// is cheaper for several packets together.
	Batch(list []*packet.Packet, now int64)

	// Tick does timed work and returns when it wants to be called again (same
	// clock as now; 0: no wish). While packets flow it is called at least every
	// Config.Tick; without traffic only at the time it asked for.
	Tick(now int64) (next int64)
}
