package lane

import (
	"sync"

	"waymark/svr/packet"
	"waymark/svr/seal"
)

// MaxWorkers is the most workers a lane may have.
const MaxWorkers = 16

// Flights is how many batches may be on their way through the workers while the
// next one is received. When they are there the loop waits, and what arrives too
// fast is lost where it costs least, in the kernel's receive ring.
const Flights = 3

// flight is a batch that the workers have: its memory is free when they are done.
type flight struct {
	ring   *ring // nil: of a feed, or of our own
	frames int
	spare  [Large + 1]int
	at     [MaxWorkers]uint64
}

// workers are the workers of a lane and what they have before them. All of it is
// the loop's.
type workers struct {
	list    []*worker
	left    chan struct{}
	flights [Flights + 1]flight
	first   uint64 // oldest flight
	next    uint64 // the one that is being filled
	sealer  seal.Sealer
	done    sync.WaitGroup
}

func (s *workers) init(n int) {
	s.left = make(chan struct{}, 1)
	for i := range min(n, MaxWorkers) {
		s.list = append(s.list, newWorker(i, s.left))
	}
}

func (s *workers) start() {
	for _, w := range s.list {
		s.done.Go(w.run)
	}
}

// stop ends the workers, which have nothing before them.
func (s *workers) stop() {
	for _, w := range s.list {
		w.ended.Store(true)
		w.wake <- struct{}{}
	}
	s.done.Wait()
}

// of returns the worker of a flow.
func (s *workers) of(t *packet.Tuple) *worker { return s.list[spread(t)%uint32(len(s.list))] }

// queue gives p to its worker, after the packets of its flow that were queued
// before.
func (s *workers) queue(p *packet.Packet, o *seal.Order, to *iface, h *hopEntry, hop uint16) {
	w := s.of(&p.T)
	j := w.next()
	if j == nil {
		w.give(w.ended.Load())
		w.await(w.queued - workerJobs + portion)
		j = w.next()
	}
	j.Packet, j.Failed, j.to, j.mac, j.hop = *p, false, to, h.mac, hop
	if o != nil {
		j.Order = *o
	} else {
		j.Order.Policy = nil
	}
}

// give hands over what is queued.
func (s *workers) give(inline bool) {
	for _, w := range s.list {
		w.give(inline)
	}
}

// drain waits until all that was queued has left.
func (s *workers) drain() {
	s.give(true)
	for _, w := range s.list {
		w.await(w.queued)
	}
}

// landed says whether the workers are done with a flight.
func (s *workers) landed(f *flight) bool {
	for i, w := range s.list {
		if w.done.Load() < f.at[i] {
			return false
		}
	}
	return true
}

func (s *workers) flight(n uint64) *flight { return &s.flights[n%uint64(len(s.flights))] }

// spread is a number that all packets of a flow in one direction have in common.
func spread(t *packet.Tuple) uint32 {
	h := uint32(t.SrcPort)<<16 | uint32(t.DstPort)
	h ^= uint32(t.Proto) << 8
	for i := 0; i < len(t.Src); i += 4 {
		h = h*0x9e3779b1 ^ be32(t.Src[i:]) ^ be32(t.Dst[i:])<<1
	}
	h *= 0x9e3779b1
	return h >> 16
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
