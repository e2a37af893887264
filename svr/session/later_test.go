package session_test

import (
	"flag"
	"os"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/seal"
)

// sealing is how the routers of the simulation seal: 0 by themselves, else by so
// many goroutines. All tests run both ways.
var sealing int

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if sealing = 2; code == 0 && flag.Lookup("test.bench").Value.String() == "" {
		code = m.Run()
	}
	os.Exit(code)
}

// sealers are the goroutines that seal for a router, each the packets of some
// flows. The packets are sealed where the engine left them.
type sealers struct {
	given [2]chan *sealed
	out   []*sealed // in the order of the engine, from the first that was not sealed when last looked at
	past  uint64    // how many were before
}

type sealed struct {
	seal.Item
	done chan struct{}
}

func newSealers(t testing.TB) *sealers {
	s := &sealers{}
	for i := range s.given {
		s.given[i] = make(chan *sealed, 1<<12)
		go func() {
			var own seal.Sealer
			for it := range s.given[i] {
				own.SealAll([]*seal.Item{&it.Item})
				close(it.done)
			}
		}()
		t.Cleanup(func() { close(s.given[i]) })
	}
	return s
}

// give hands a packet to the goroutine of its flow.
func (s *sealers) give(p *packet.Packet, o *seal.Order) *sealed {
	it := &sealed{Item: seal.Item{Packet: *p, Order: *o}, done: make(chan struct{})}
	s.given[int(p.T.SrcPort+p.T.DstPort)%len(s.given)] <- it
	for s.out = append(s.out, it); ; s.drop() {
		select {
		case <-s.out[0].done:
			if len(s.out) > 1 {
				continue
			}
		default:
		}
		return it
	}
}

func (s *sealers) drop() { s.out, s.past = s.out[1:], s.past+1 }

// await waits until the first n packets are sealed.
func (s *sealers) await(n uint64) {
	for ; len(s.out) > 0 && s.past < n; s.drop() {
		<-s.out[0].done
	}
}

// Seal implements session.Later.
func (n *node) Seal(p *packet.Packet, ifc, hop uint16, o *seal.Order) (mark uint64) {
	n.Send(p, ifc, hop)
	n.s.queue[len(n.s.queue)-1].later = n.sealers.give(p, o)
	return n.sealers.past + uint64(len(n.sealers.out))
}

// Await implements session.Later.
func (n *node) Await(mark uint64) { n.sealers.await(mark) }

// sealed waits until the packet of f is sealed; false when it is lost.
func (f *flight) sealed() bool {
	if f.later == nil {
		return true
	}
	<-f.later.done
	f.p = clone(&f.later.Packet)
	return !f.later.Failed
}

// Seal implements session.Later.
func (s *still) Seal(p *packet.Packet, ifc, hop uint16, o *seal.Order) (mark uint64) {
	s.item = seal.Item{Packet: *p, Order: *o}
	if s.sealer.Seal(&s.item); !s.item.Failed {
		s.Send(&s.item.Packet, ifc, hop)
	}
	return 0
}

// Await implements session.Later.
func (s *still) Await(uint64) {}
