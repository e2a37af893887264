package lane

import (
	"fmt"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"

	"waymark/net/netns"
	"waymark/svr/packet"
	"waymark/svr/seal"
	"waymark/svr/secure"
)

// replay is a Feed that hands out copies of the same packets, as long as there is
// somebody who asks. Its copies last as long as a Feed's must.
type replay struct {
	fd    int
	slabs [Flights + 1][]byte
	turn  int
	list  [48]packet.Packet
	like  []byte
	flows int
	sent  int
	most  int
}

func (r *replay) Rest() bool { return true }

func (r *replay) Lost() uint64 { return 0 }

func (r *replay) FD() int { return r.fd }

func (r *replay) Feed(deliver func(p *packet.Packet, etherType uint16, src [6]byte)) int {
	const room = 2560
	slab := r.slabs[r.turn]
	n := min(len(r.list), r.most-r.sent)
	for i := range n {
		p, b := &r.list[i], slab[i*room:(i+1)*room]
		copy(b[Headroom:], r.like)
		b[Headroom+21] = byte(r.sent % r.flows) // source port
		p.Reset(b, Headroom, Headroom+len(r.like), 1)
		p.Csum = packet.CsumPartial
		deliver(p, unix.ETH_P_IP, [6]byte{})
		r.sent++
	}
	if n > 0 {
		r.turn = (r.turn + 1) % len(r.slabs)
	}
	return n
}

// sealing is a Handler that has every packet sealed, by the loop or by workers.
type sealing struct {
	*bench2
	order  seal.Order
	iv     *secure.IVSource
	sealer seal.Sealer
	item   seal.Item
}

func (s *sealing) Batch(list []*packet.Packet, now int64) {
	for _, p := range list {
		s.Receive(p, now)
	}
}

func (s *sealing) Receive(p *packet.Packet, now int64) {
	if err := p.Parse(); err != nil {
		s.err = err
		return
	}
	p.DecTTL()
	if s.order.Key != nil {
		s.order.Counter, _ = s.order.Key.Take()
	} else {
		s.iv.Next(&s.order.IV)
	}
	if len(s.lane.pool.list) > 0 {
		s.lane.Seal(p, 2, s.hop, &s.order)
		return
	}
	s.item.Packet, s.item.Order = *p, s.order
	s.sealer.Seal(&s.item)
	s.lane.Send(&s.item.Packet, 2, s.hop)
}

// BenchmarkSealing is one lane that gets packets of 1,400 bytes from memory, seals
// them and sends them to a link whose far end drops them: what workers win when
// they have a core.
func BenchmarkSealing(b *testing.B) {
	key := make([]byte, 16)
	g, err := secure.NewGCM(key, make([]byte, secure.SaltSize))
	if err != nil {
		b.Fatal(err)
	}
	for name, cfg := range map[string]secure.Config{
		"CBC": {Cipher: secure.CBC128, Mode: secure.ModeRegular, Digest: secure.DigestSHA256128, HMACKey: make([]byte, 32)},
		"GCM": {Cipher: secure.GCM128, Mode: secure.ModeDisabled},
	} {
		cfg.Name, cfg.Encrypt, cfg.Key = name, true, key
		pol, err := secure.New(cfg)
		if err != nil {
			b.Fatal(err)
		}
		order := seal.Order{Policy: pol, Encrypt: true, Unix: 1779000000, Events: new(seal.Events)}
		if cfg.Cipher.GCM() {
			order.Key = g
		}
		for _, flows := range []int{1, 40} {
			for _, workers := range []int{0, 1, 2} {
				b.Run(fmt.Sprintf("%s/%d flows/%d workers", name, flows, workers), func(b *testing.B) {
					benchSealing(b, order, flows, workers)
				})
			}
		}
	}
}

func benchSealing(b *testing.B, order seal.Order, flows, workers int) {
	n := newBenchOf(b, workers, nil)
	if err := netns.Run(n.outNS, exec.Command("nft", "add table netdev sink; add chain netdev sink in { type filter hook ingress device s0 priority 0; policy drop; }")); err != nil {
		b.Fatal(err)
	}
	s := &sealing{bench2: n, order: order, iv: secure.NewIVSource([32]byte{1})}
	n.lane.handler = s
	r := &replay{fd: -1, flows: flows, like: build(b, false, packet.ProtoUDP, 1000, 0, 1372), most: b.N}
	for i := range r.slabs {
		r.slabs[i] = make([]byte, len(r.list)*2560)
	}
	n.lane.cfg.Feeds = []Feed{r}
	b.SetBytes(int64(len(r.like)))
	b.ResetTimer()
	for r.sent < b.N {
		n.lane.round()
	}
	n.lane.settleWorkers()
	b.StopTimer()
	if c := n.sendTo.total(); n.err != nil || int(c.TxPackets)+int(c.TxErrors) < b.N || c.TxErrors > 0 {
		b.Errorf("sent %d of %d, %d refused, %v", c.TxPackets, b.N, c.TxErrors, n.err)
	}
}
