package session_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/session"
)

// link is a bad link between routers, in both directions: it loses, delays past
// later packets, and copies. Every choice comes from one seed.
type link struct {
	rng                 *rand.Rand
	loss, late, copies  float64
	held                map[*node][]flight
	lost, reordered, up int
}

func newLink(seed uint64, loss, late, copies float64) *link {
	return &link{rng: rand.New(rand.NewPCG(seed, 1)), loss: loss, late: late, copies: copies, held: map[*node][]flight{}}
}

// pass is a sim's tamper function.
func (l *link) pass(f *flight) (out []flight) {
	switch r := l.rng.Float64(); {
	case r < l.loss:
		l.lost++
	case r < l.loss+l.late && len(l.held[f.from]) < 16:
		l.reordered++
		l.held[f.from] = append(l.held[f.from], *f)
	default:
		out = append(out, *f)
	}
	if l.rng.Float64() < l.copies && len(out) > 0 {
		l.up++
		out = append(out, flight{f.from, f.ifc, f.hop, small(&f.p), nil})
	}
	if h := l.held[f.from]; len(h) > 0 && l.rng.Float64() < 0.3 {
		k := l.rng.IntN(len(h))
		out = append(out, h[k])
		l.held[f.from] = append(h[:k], h[k+1:]...)
	}
	return out
}

// chatter is one flow over a bad link. What a host may get is known exactly.
type chatter struct {
	d       *dialog
	oneWay  bool
	id      uint32
	next    [2]uint32 // UDP: number of the next message; TCP: bytes said
	got     [2]map[uint32]int
	arrived int
}

// connect repeats the SYNs of a dialog until both hosts have what they need.
func (c *chatter) connect(t *testing.T) {
	d := c.d
	has := func(h *host, out packet.Tuple) bool {
		for i := range h.got {
			if h.got[i].T == out && h.got[i].TCPFlags&packet.FlagSYN != 0 {
				return true
			}
		}
		return false
	}
	for try := 0; !has(d.call, d.out) || !has(d.caller, d.out.Reverse()); try++ {
		if try == 60 {
			t.Fatalf("%v: no connection\n%s\n%s", d.out, d.s.nodes["branch1"].explain(), d.s.nodes["hub1"].explain())
		}
		d.s.advance(50e6)
		if !has(d.call, d.out) {
			d.forth(tcp(d.out, packet.FlagSYN, d.seq-1, 0, nil))
			continue
		}
		d.back(tcp(d.out.Reverse(), packet.FlagSYN|packet.FlagACK, d.ack-1, d.seq, nil))
	}
	d.forth(tcp(d.out, packet.FlagACK, d.seq, d.ack, nil))
}

// message n of direction k: its place, noise of a random length, a hash.
func (c *chatter) message(rng *rand.Rand, k int) []byte {
	b := binary.BigEndian.AppendUint32(nil, c.id)
	b = binary.BigEndian.AppendUint32(append(b, byte(k)), c.next[k])
	b = append(b, noise(rng.IntN(1350))...)
	sum := sha256.Sum256(b)
	c.next[k]++
	return append(b, sum[:]...)
}

// stream is byte n of what direction k of a TCP flow says.
func (c *chatter) stream(k int, n uint32) byte {
	x := (n + c.id*7919 + uint32(k)*104729) * 2654435761
	return byte(x >> 24)
}

// say sends the next thing of direction k.
func (c *chatter) say(rng *rand.Rand, k int) {
	c.d.s.now += int64(rng.IntN(3e6))
	out, send := c.d.out, c.d.forth
	if k == 1 {
		out, send = out.Reverse(), c.d.back
	}
	if out.Proto == packet.ProtoUDP {
		send(shrink(udp(out, c.message(rng, k))))
		return
	}
	seq := [2]uint32{c.d.seq, c.d.ack}
	size := rng.IntN(1300)
	switch rng.IntN(10) {
	case 0:
		size = 1
	case 1:
		size = 1300 * (2 + rng.IntN(30)) // a super-packet
	}
	data := make([]byte, size)
	for i := range data {
		data[i] = c.stream(k, c.next[k]+uint32(i))
	}
	p := tcp(out, packet.FlagACK, seq[k]+c.next[k], seq[1-k]+c.next[1-k], data)
	if size > 1300 {
		p.Finish()
		p.GSO, p.GSOSize = packet.GSOTCP4, 1300
	}
	send(shrink(p))
	c.next[k] += uint32(len(data))
}

// hear checks packet p, which a host got on this flow in direction k.
func (c *chatter) hear(t *testing.T, p *packet.Packet, k int, copies bool) {
	c.arrived++
	b := p.Payload()
	if p.T.Proto == packet.ProtoTCP {
		at := p.Seq() - [2]uint32{c.d.seq, c.d.ack}[k]
		for i := range b {
			if b[i] != c.stream(k, at+uint32(i)) {
				t.Fatalf("%v: byte %d differs", p.T, at+uint32(i))
			}
		}
		return
	}
	sum := sha256.Sum256(b[:max(0, len(b)-32)])
	if len(b) < 41 || !bytes.Equal(sum[:], b[len(b)-32:]) {
		t.Fatalf("%v: %d bytes that nobody sent", p.T, len(b))
	}
	n := binary.BigEndian.Uint32(b[5:])
	if id := binary.BigEndian.Uint32(b); id != c.id || int(b[4]) != k || n >= c.next[k] {
		t.Fatalf("%v got message %d of flow %d direction %d", p.T, n, id, b[4])
	}
	if c.got[k][n]++; c.got[k][n] > 1 && !copies {
		t.Fatalf("%v: message %d arrived twice, and the link makes no copies", p.T, n)
	}
}

// TestLoss: whatever the link does, each payload that arrives is one that was
// sent on that flow, bit for bit, once unless the link copied it; handshakes
// end, one-way flows stop signalling, and sessions leave nothing (row 4).
func TestLoss(t *testing.T) {
	for n, row := range []struct {
		name               string
		loss, late, copies float64
	}{
		{"clean", 0, 0, 0},
		{"loss 5 %", 0.05, 0, 0},
		{"loss 30 %", 0.3, 0, 0},
		{"reordering", 0, 0.3, 0},
		{"copies", 0, 0, 0.3},
		{"all of it", 0.2, 0.2, 0.2},
	} {
		for p, prot := range protections {
			seed := uint64(1000*n + p)
			t.Run(fmt.Sprintf("%s/%s/seed %d", row.name, prot.name, seed), func(t *testing.T) {
				lossRun(t, newLink(seed, row.loss, row.late, row.copies), prot.replace)
			})
		}
	}
}

// rounds is how often each flow speaks.
const rounds = 120

func lossRun(t *testing.T, l *link, replace []string) {
	s, branch, hub := acmeWith(t, replace...)
	w := &town{s: s, branch: branch, hub: hub}
	s.tamper = l.pass
	flows := lossyFlows(t, w)
	for range rounds {
		for _, c := range flows {
			c.say(l.rng, 0)
			if !c.oneWay && l.rng.IntN(3) > 0 {
				c.say(l.rng, 1)
			}
		}
		s.advance(1e6)
		listen(t, w, flows, l.copies > 0)
	}
	for _, c := range flows {
		if sent := rounds * (1 - l.loss) * (1 - l.loss) * 0.8; float64(c.arrived) < sent {
			t.Errorf("%v: %d arrived, want %.0f at least", c.d.out, c.arrived, sent)
		}
	}
	settled(t, w, flows, l)
	t.Logf("%d lost, %d reordered, %d copied\n%s\n%s", l.lost, l.reordered, l.up, branch.explain(), hub.explain())
	s.tamper = nil
	s.drain(idleEnd)
	branch.empty(t)
	hub.empty(t)
}

// settled: without the bad link two rounds are enough to end every handshake.
func settled(t *testing.T, w *town, flows []*chatter, l *link) {
	w.s.tamper = nil
	for range 4 {
		for _, c := range flows {
			c.say(l.rng, 0)
			if !c.oneWay {
				c.say(l.rng, 1)
			}
		}
		w.s.advance(300e6)
	}
	listen(t, w, flows, l.copies > 0)
	added := w.branch.count(session.MetadataAdded) + w.hub.count(session.MetadataAdded)
	for _, c := range flows {
		c.say(l.rng, 0)
	}
	if got := w.branch.count(session.MetadataAdded) + w.hub.count(session.MetadataAdded); got != added {
		t.Errorf("%d packets still carry metadata\n%s\n%s", got-added, w.branch.explain(), w.hub.explain())
	}
}

// lossyFlows opens flows of every sort, one-way ones too.
func lossyFlows(t *testing.T, w *town) (flows []*chatter) {
	add := func(from string, proto uint8, src, dst string, oneWay bool) {
		c := &chatter{d: makeDialog(w.s, from, proto, src, dst), oneWay: oneWay, id: uint32(len(flows) + 1)}
		c.got = [2]map[uint32]int{{}, {}}
		if proto == packet.ProtoTCP {
			c.connect(t)
		}
		flows = append(flows, c)
	}
	for k := range 3 {
		add("branch1", packet.ProtoUDP, fmt.Sprintf("192.168.1.77:%d", 41000+k), "10.20.0.5:443", false)
		add("branch1", packet.ProtoUDP, fmt.Sprintf("192.168.1.77:%d", 42000+k), "10.20.0.5:514", true)
		add("hub1", packet.ProtoUDP, fmt.Sprintf("10.20.0.5:%d", 43000+k), "192.168.1.77:514", true)
		add("branch1", packet.ProtoUDP, fmt.Sprintf("[fd00:1::77]:%d", 44000+k), "[fd00:20::5]:443", false)
		add("branch1", packet.ProtoTCP, fmt.Sprintf("192.168.1.77:%d", 45000+k), "10.20.0.80:8443", false)
		add("hub1", packet.ProtoTCP, fmt.Sprintf("10.20.0.5:%d", 46000+k), "192.168.1.77:22", false)
	}
	for _, h := range w.s.hosts {
		h.got = nil
	}
	return flows
}

// listen gives every host's packets to the flow they belong to.
func listen(t *testing.T, w *town, flows []*chatter, copies bool) {
	t.Helper()
	for _, h := range w.s.hosts {
		for i := range h.got {
			p := &h.got[i]
			if p.Kind == packet.KindICMPError {
				continue
			}
			if p.GSO == packet.GSONone && !p.VerifyL4() {
				t.Fatalf("checksum of %v is wrong", p.T)
			}
			known := false
			for _, c := range flows {
				if p.T == c.d.out || p.T == c.d.out.Reverse() {
					known = true
					c.hear(t, p, map[bool]int{true: 0, false: 1}[p.T == c.d.out], copies)
				}
			}
			if !known {
				t.Fatalf("%v: a flow that nobody opened", p.T)
			}
		}
		h.got = nil
	}
}

// TestManyConnections: 10,000 connections at once, closed by FINs from both
// ends, half-closed with data behind, or reset: data whole, and every entry
// back 10 s after the end.
func TestManyConnections(t *testing.T) {
	pools := simPools
	pools.Sessions, pools.Slots, pools.Wayports = 12000, 24000, 24000
	w := poolTown(t, pools, pools)
	server, client := w.s.host("10.20.0.5"), w.s.host("192.168.1.77")
	const count = 10000
	each := func(f func(k int, out packet.Tuple)) {
		for k := range count {
			f(k, tuple(packet.ProtoTCP, fmt.Sprintf("192.168.1.77:%d", 20000+k), "10.20.0.5:80"))
			if k%100 == 0 {
				w.s.advance(1e6)
			}
		}
	}
	seg := func(t packet.Tuple, flags uint8, seq, ack uint32, data string) packet.Packet {
		return shrink(tcp(t, flags, seq, ack, []byte(data)))
	}
	const ack, fin = packet.FlagACK, packet.FlagFIN
	each(func(k int, out packet.Tuple) {
		w.branch.from("lan", seg(out, packet.FlagSYN, 99, 0, ""))
		w.hub.from("dc", seg(out.Reverse(), packet.FlagSYN|ack, 499, 100, ""))
		w.branch.from("lan", seg(out, ack, 100, 500, ""))
	})
	if a, b := w.branch.e.Live(), w.hub.e.Live(); a != count || b != count {
		t.Fatalf("%d and %d sessions, want %d", a, b, count)
	}
	server.got, client.got = nil, nil
	each(func(k int, out packet.Tuple) {
		w.branch.from("lan", seg(out, ack, 100, 500, fmt.Sprintf("question %05d", k)))
		w.hub.from("dc", seg(out.Reverse(), ack, 500, 114, fmt.Sprintf("answer %05d", k)))
	})
	for k := range count {
		if q, a := server.got[k].Payload(), client.got[k].Payload(); string(q) != fmt.Sprintf("question %05d", k) || string(a) != fmt.Sprintf("answer %05d", k) {
			t.Fatalf("connection %d: %q and %q", k, q, a)
		}
	}
	server.got, client.got = nil, nil
	each(func(k int, out packet.Tuple) {
		switch k % 3 {
		case 0: // both close
			w.branch.from("lan", seg(out, ack|fin, 114, 512, ""))
			w.hub.from("dc", seg(out.Reverse(), ack|fin, 512, 115, ""))
		case 1: // the client closes, the server goes on and closes later
			w.branch.from("lan", seg(out, ack|fin, 114, 512, ""))
			w.hub.from("dc", seg(out.Reverse(), ack, 512, 115, "late"))
			w.hub.from("dc", seg(out.Reverse(), ack|fin, 516, 115, ""))
		default:
			w.hub.from("dc", seg(out.Reverse(), packet.FlagRST|ack, 512, 114, ""))
		}
	})
	w.s.advance(11e9)
	w.branch.empty(t)
	w.hub.empty(t)
}
