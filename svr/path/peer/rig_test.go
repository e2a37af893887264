package peer_test

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	"waymark/svr/path/ambient"
	"waymark/svr/path/bfd"
	"waymark/svr/path/peer"
	"waymark/svr/secure"
	"waymark/svr/wire"
)

const (
	ms  = int64(1e6)
	sec = int64(1e9)
	// epochOfTime is the wall clock at 0, ms since 1970.
	epochOfTime = int64(1779000000000)
)

var (
	branchAddr = netip.MustParseAddr("203.0.113.2")
	hubAddr    = netip.MustParseAddr("198.51.100.2")
)

// side is a router with one path.
type side struct {
	net      *network
	name     string
	set      *peer.Set
	path     *peer.Path
	addr     netip.Addr
	verdicts []peer.Verdict // as told
	talking  bool
	behind   bool
	shed     int // times that it was told of
	requests [][]byte
	mute     bool  // sends nothing, keeps nothing
	skew     int64 // of its wall clock, ms
	sent     []packet
	last     peer.Drop
	late     int64 // by so much what arrives is read later
	undated  bool  // and nobody knows when it arrived
	starts   uint32
	ledger   *ambient.Ledger
}

type packet struct {
	scratch uint8 // port at which it arrives
	at      int64
	to      *side
	from    netip.AddrPort // as it arrives
	data    []byte
}

// network is two sides on a fake clock.
type network struct {
	t           testing.TB
	now         int64
	delay       int64
	branch, hub *side
	wire        []packet
	cut         [2]bool // branch to hub, hub to branch
	fits        [2]int  // longest IP packet that passes, 0: any
	nat         netip.AddrPort
	gate        *gate // a NAT with timers before the branch, nil: none
	learned     bool  // the hub knows no address of the branch
	record      []packet
	lose        int // one of so many packets of a way, 0: none
	loseWay     int
	random      uint64
	wanted      bool // traffic on metered links asks for link tests
	tune        func(*peer.PathConfig)
}

func newNetwork(t testing.TB, change ...func(*network)) *network {
	t.Helper()
	n := &network{t: t, now: 100 * sec, delay: 10 * ms}
	for _, c := range change {
		c(n)
	}
	n.branch = &side{net: n, name: "branch1", addr: branchAddr}
	n.hub = &side{net: n, name: "hub1", addr: hubAddr}
	n.start(n.branch)
	n.start(n.hub)
	return n
}

func keys(t testing.TB) *peer.Keys {
	hmac := slices.Repeat([]byte{7}, 32)
	cipher, err := secure.New(secure.Config{Name: "internal", Encrypt: true, Cipher: secure.CBC256,
		Key: slices.Repeat([]byte{9}, 32), Mode: secure.ModeTimeBased, Digest: secure.DigestSHA256128, HMACKey: hmac})
	if err != nil {
		t.Fatal(err)
	}
	k, err := peer.NewKeys(hmac, cipher)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// start makes a side anew, as after a kill.
func (n *network) start(s *side) {
	s.starts++
	other, remote := "hub1", hubAddr
	if s == n.hub {
		other, remote = "branch1", branchAddr
	}
	if n.learned && s == n.hub {
		remote = netip.Addr{}
	}
	s.set = peer.NewSet(peer.Config{Router: s.name, Node: "node1", Software: "test", Out: s, Ledger: s.ledger,
		IV: secure.NewIVSource([32]byte{byte(s.starts)}), Recv: []*peer.Keys{keys(n.t)}})
	cfg := peer.PathConfig{ID: 0, If: 0, Interface: "wan", Peer: other, PeerInterface: "wan", Send: keys(n.t), Remote: remote,
		Hold: peer.HoldConfig{Down: 5 * sec, Max: 3600 * sec},
		BFD: bfd.Config{Local: binary.BigEndian.Uint32([]byte(other)) + s.starts, DesiredTx: 1e6, RequiredRx: 1e6, Multiplier: 3,
			Repeats: 2, Passive: !remote.IsValid(), Seed: uint64(s.starts)*7 + uint64(len(other))}}
	copy(cfg.Epoch[:], s.name)
	cfg.Epoch[7] = byte(s.starts)
	if n.tune != nil {
		n.tune(&cfg)
	}
	s.path = s.set.Add(cfg, n.now)
	s.set.SetLocal(0, s.addr, s.wall(), n.now)
	s.set.SetMTU(0, 1500, n.now)
}

func (s *side) wall() int64 { return epochOfTime + s.net.now/ms + s.skew }

// Transmit implements peer.Output.
func (s *side) Transmit(o *peer.Sending) {
	if s.mute || s.net.gate != nil && s.net.gate.closes(s, o) {
		return
	}
	n := s.net
	p := packet{at: n.now + n.delay, to: n.hub, data: slices.Clone(o.Data), from: netip.AddrPortFrom(o.Local, o.Port)}
	way := 0
	if s == n.hub {
		p.to, way = n.branch, 1
	}
	s.sent = append(s.sent, packet{at: n.now, data: p.data, from: o.To})
	if n.nat.IsValid() {
		if s == n.branch {
			p.from = n.nat
		} else if o.To != n.nat {
			return // no binding
		}
	}
	if n.gate != nil && !n.gate.pass(s, o, &p) {
		return
	}
	if n.lose > 0 && n.loseWay == way {
		n.random = n.random*6364136223846793005 + 1442695040888963407
		if int(n.random>>33)%n.lose == 0 {
			return
		}
	}
	if size := len(o.Data) + 28; n.fits[way] > 0 && size > n.fits[way] {
		return
	}
	if !n.cut[way] {
		n.wire = append(n.wire, p)
	}
}

// Changed implements peer.Output.
func (s *side) Changed(p *peer.Path) {
	v, _ := p.Verdict()
	if len(s.verdicts) == 0 || s.verdicts[len(s.verdicts)-1] != v {
		s.verdicts = append(s.verdicts, v)
	}
}

// Requested implements peer.Output.
func (s *side) Requested(_ *peer.Path, request []byte) {
	s.requests = append(s.requests, slices.Clone(request))
}

// Talking implements peer.Output.
func (s *side) Talking(*peer.Path, int64) bool { return s.talking }

// Behind implements peer.Output.
func (s *side) Behind(*peer.Path, int64) bool { return s.behind }

// Shedding implements peer.Output.
func (s *side) Shedding(*peer.Path, int64) { s.shed++ }

// run lets time pass: packets arrive, sides wake when they asked to.
func (n *network) run(d int64) {
	n.t.Helper()
	end := n.now + d
	for i := 0; ; i++ {
		next := min(n.branch.set.Next(), n.hub.set.Next())
		for _, p := range n.wire {
			next = min(next, p.at+p.to.late)
		}
		if next > end {
			break
		}
		if i > 1_000_000 {
			n.t.Fatal("time stands still")
		}
		n.now = max(n.now, next)
		n.deliver()
		n.branch.set.Advance(n.now)
		n.hub.set.Advance(n.now)
	}
	n.now = end
}

func (n *network) deliver() {
	for i := 0; i < len(n.wire); {
		if p := n.wire[i]; p.at+p.to.late <= n.now {
			n.wire = slices.Delete(n.wire, i, i+1)
			n.record = append(n.record, p)
			p.to.receive(p)
			continue
		}
		i++
	}
}

// receive hands a packet in; the data is the receiver's to overwrite.
func (s *side) receive(p packet) peer.Drop {
	d := peer.Datagram{If: 0, To: netip.AddrPortFrom(s.addr, wire.BFDPort), From: p.from, Hops: 64,
		Data: slices.Clone(p.data), Wall: s.wall(), Scratch: p.scratch, At: p.at}
	if s.undated {
		d.At = 0
	}
	s.last = s.set.Receive(&d, s.net.now)
	return s.last
}

func (s *side) is(want peer.Verdict) {
	s.net.t.Helper()
	if got, _ := s.path.Verdict(); got != want {
		s.net.t.Fatalf("at %d ms %s is %v, want %v; told %v", s.net.now/ms, s.name, got, want, s.verdicts)
	}
}

func (n *network) up() *network {
	n.t.Helper()
	n.run(5 * sec)
	n.branch.is(peer.Up)
	n.hub.is(peer.Up)
	return n
}

// stayedUp says whether nothing but Up was told since forgetVerdicts.
func (s *side) stayedUp() bool {
	return !slices.ContainsFunc(s.verdicts, func(v peer.Verdict) bool { return v != peer.Up })
}

func (s *side) forgetVerdicts() { s.verdicts = nil }

func formOf(t testing.TB, b []byte) wire.Form {
	t.Helper()
	var f wire.Frame
	if err := wire.ParseFrame(b, &f); err != nil {
		t.Fatal(err)
	}
	return f.Form
}
