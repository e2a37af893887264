package seal_test

import (
	"bytes"
	"net/netip"
	"sync"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/seal"
	"waymark/svr/secure"
	"waymark/svr/wire"
)

const now = 1779000000

func policy(t testing.TB, encrypt bool, c secure.Cipher) *secure.Policy {
	t.Helper()
	cfg := secure.Config{Name: "s", Encrypt: encrypt, Cipher: c, Key: bytes.Repeat([]byte{7}, c.KeySize()),
		Mode: secure.ModeTimeBased, Digest: secure.DigestSHA256128, HMACKey: bytes.Repeat([]byte{9}, 32)}
	if c.GCM() {
		cfg.Mode = secure.ModeDisabled
	}
	p, err := secure.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// datagram makes one with n bytes of data, all of them fill.
func datagram(t testing.TB, n int, fill byte) packet.Packet {
	t.Helper()
	var p packet.Packet
	p.Reset(make([]byte, 2600), 256, 256, 0)
	b := packet.Build(&p, packet.MakeTuple(netip.MustParseAddrPort("192.0.2.1:16390"),
		netip.MustParseAddrPort("192.0.2.2:16391"), packet.ProtoUDP), 64, 0, n)
	for i := range b {
		b[i] = fill
	}
	p.Finish()
	return p
}

func clone(it seal.Item) seal.Item {
	it.Packet.Buf = bytes.Clone(it.Packet.Buf)
	return it
}

// What is sealed together is the same, byte by byte, as what is sealed alone, and
// opens again; packets without an order stay as they are.
func TestTogetherAsAlone(t *testing.T) {
	cbc, other, plain := policy(t, true, secure.CBC128), policy(t, true, secure.CBC256), policy(t, false, secure.CBC128)
	g, err := secure.NewGCM(bytes.Repeat([]byte{3}, 16), make([]byte, secure.SaltSize))
	if err != nil {
		t.Fatal(err)
	}
	gcm := policy(t, true, secure.GCM128)
	iv := secure.NewIVSource([32]byte{1})
	var events seal.Events
	for _, sizes := range [][]int{{1400}, {1400, 100}, {1, 15, 16, 17}, {1400, 1400, 1400, 9}} {
		for _, count := range []int{1, 2, 3, 11, 16, 17, 40, 96} {
			var alone, all []seal.Item
			for i := range count {
				it := seal.Item{Packet: datagram(t, sizes[i%len(sizes)], byte(i))}
				o := &it.Order
				o.Unix, o.Events = now+int64(i/30), &events
				switch i % 8 {
				case 5:
					o.Policy, o.Encrypt, o.Key = gcm, true, g
					o.Counter, _ = g.Take()
				case 6:
					o.Policy = plain
				case 7:
				case 4:
					o.Policy, o.Encrypt = other, true
					iv.Next(&o.IV)
				default:
					o.Policy, o.Encrypt = cbc, true
					iv.Next(&o.IV)
				}
				alone, all = append(alone, clone(it)), append(all, clone(it))
			}
			compare(t, alone, all)
		}
	}
	if events.NoRoom.Load() != 0 || events.FalsePositives.Load() != 0 {
		t.Errorf("no room %d, false positives %d, want none", events.NoRoom.Load(), events.FalsePositives.Load())
	}
}

// compare seals one list packet by packet, the other at once.
func compare(t *testing.T, alone, all []seal.Item) {
	t.Helper()
	var one, many seal.Sealer
	var list []*seal.Item
	for i := range all {
		list = append(list, &all[i])
		if alone[i].Order.Policy == nil {
			continue
		}
		before := alone[i].Packet.Len()
		want := before + alone[i].Order.Room(alone[i].Packet.End-alone[i].Packet.Data)
		if one.Seal(&alone[i]); alone[i].Packet.Len() != want {
			t.Fatalf("packet %d has %d bytes, want the %d that Room tells", i, alone[i].Packet.Len(), want)
		}
	}
	many.SealAll(list)
	for i := range all {
		if all[i].Failed || !bytes.Equal(all[i].Packet.IP(), alone[i].Packet.IP()) {
			t.Fatalf("%d packets: number %d differs from the one sealed alone", len(all), i)
		}
	}
}

// Ciphertext that begins like metadata gets the header that says it is none, and
// the digest covers it.
func TestFalsePositive(t *testing.T) {
	var events seal.Events
	g, err := secure.NewGCM(bytes.Repeat([]byte{3}, 16), make([]byte, secure.SaltSize))
	if err != nil {
		t.Fatal(err)
	}
	counter, err := g.Take()
	if err != nil {
		t.Fatal(err)
	}
	stream := g.SealAs(counter, make([]byte, 100), 8) // zeros, so the key stream itself
	p := datagram(t, 200, 0)
	for i, b := range cookie() {
		p.Payload()[i] = stream[i] ^ b
	}
	it := seal.Item{Packet: p, Order: seal.Order{Policy: policy(t, true, secure.GCM128), Encrypt: true, Key: g,
		Counter: counter, Unix: now, Events: &events}}
	new(seal.Sealer).Seal(&it)
	if n := it.Packet.End - it.Packet.Data; it.Failed || n != 200+secure.GCMOverhead+wire.HeaderSize ||
		!wire.FalsePositive(it.Packet.Payload()) || events.FalsePositives.Load() != 1 {
		t.Errorf("failed %t, %d bytes, %d counted: want a false positive", it.Failed, n, events.FalsePositives.Load())
	}
}

func cookie() []byte { return wire.AppendFalsePositive(make([]byte, 0, 64))[:8] }

// A packet without room behind it is lost and counted.
func TestNoRoom(t *testing.T) {
	var events seal.Events
	for _, encrypt := range []bool{true, false} {
		p := datagram(t, 100, 1)
		p.Buf = p.Buf[:p.End+8]
		it := seal.Item{Packet: p, Order: seal.Order{Policy: policy(t, encrypt, secure.CBC128), Encrypt: encrypt, Unix: now, Events: &events}}
		new(seal.Sealer).SealAll([]*seal.Item{&it})
		if !it.Failed {
			t.Errorf("encrypt %t: got sealed without room", encrypt)
		}
	}
	if got := events.NoRoom.Load(); got != 2 {
		t.Errorf("counted %d, want 2", got)
	}
}

// Two sealers share a policy and a key at the same time, while counters are taken.
func TestSideBySide(t *testing.T) {
	g, err := secure.NewGCM(bytes.Repeat([]byte{3}, 16), make([]byte, secure.SaltSize))
	if err != nil {
		t.Fatal(err)
	}
	var events seal.Events
	cbc, gcm := policy(t, true, secure.CBC128), policy(t, true, secure.GCM128)
	var lists [2][]*seal.Item
	var done sync.WaitGroup
	for w := range lists {
		for i := range 64 {
			it := &seal.Item{Packet: datagram(t, 900, byte(i)), Order: seal.Order{Policy: cbc, Encrypt: true, Unix: now, Events: &events}}
			if i%2 == 0 {
				it.Order.Policy, it.Order.Key = gcm, g
				it.Order.Counter, _ = g.Take()
			}
			lists[w] = append(lists[w], it)
		}
		done.Go(func() { new(seal.Sealer).SealAll(lists[w]) })
	}
	done.Wait()
	opener, err := secure.NewGCM(bytes.Repeat([]byte{3}, 16), make([]byte, secure.SaltSize))
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range lists {
		for i, it := range list {
			if i%2 != 0 {
				continue
			}
			if _, err := opener.Open(it.Packet.Payload()); err != nil {
				t.Fatalf("packet %d: %v", i, err)
			}
		}
	}
}

func TestNoAllocations(t *testing.T) {
	var s seal.Sealer
	var events seal.Events
	pol := policy(t, true, secure.CBC128)
	first := seal.Item{Packet: datagram(t, 1400, 1), Order: seal.Order{Policy: pol, Encrypt: true, Unix: now, Events: &events}}
	items, list := make([]seal.Item, 32), make([]*seal.Item, 32)
	for i := range items {
		items[i] = clone(first)
	}
	if got := testing.AllocsPerRun(100, func() {
		for i := range items {
			items[i].Packet.End, list[i] = first.Packet.End, &items[i]
		}
		s.SealAll(list)
	}); got != 0 {
		t.Errorf("%v allocations for a batch, want 0", got)
	}
}
