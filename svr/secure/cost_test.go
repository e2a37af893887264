package secure

import "testing"

// countingHash counts the bytes hashed and the digests finished.
type countingHash struct {
	savedHash
	bytes, sums int
}

func (c *countingHash) Write(b []byte) (int, error) {
	c.bytes += len(b)
	return c.savedHash.Write(b)
}

func (c *countingHash) Sum(b []byte) []byte {
	c.sums++
	return c.savedHash.Sum(b)
}

// TestForgedPacketIsBounded holds the bound that lateSearch promises, without
// and with a late peer beside the attacker.
func TestForgedPacketIsBounded(t *testing.T) {
	const packets, size = 64 * lateEvery, 1000
	for _, known := range []int32{0, 7} {
		p, err := New(Config{Mode: ModeTimeBased, Digest: DigestSHA256128, HMACKey: make([]byte, 16)})
		if err != nil {
			t.Fatal(err)
		}
		c := &countingHash{savedHash: p.mac.h}
		p.mac.h = c
		msg, forged := make([]byte, size), make([]byte, 16)
		late := p.AppendDigest(nil, msg, 2000+2*int64(known))
		c.bytes, c.sums = 0, 0
		for i := range packets {
			if known != 0 && i%lateEvery == 0 {
				p.late.offset = known
				if got := p.Verify(msg, late, 2000); got != Late {
					t.Fatalf("late packet: %v", got)
				}
				continue
			}
			if got := p.Verify(msg, forged, 2000); got != Bad {
				t.Fatalf("forged packet: %v", got)
			}
		}
		finishes := packets*6 + packets/lateEvery*28
		if known == 0 {
			finishes = packets*3 + packets/lateEvery*28
		}
		if got, most := c.sums, 2*finishes; got > most { // inner and outer hash
			t.Errorf("offset %d: %d sums, want at most %d", known, got, most)
		}
		if got, most := c.bytes, packets*size+finishes*(4+32); got > most {
			t.Errorf("offset %d: %d bytes hashed, want at most %d", known, got, most)
		}
	}
}

// TestFullSearchIsRare holds that no pattern of packets triggers more searches.
func TestFullSearchIsRare(t *testing.T) {
	p, err := New(Config{Mode: ModeTimeBased, Digest: DigestSHA1, HMACKey: make([]byte, 16)})
	if err != nil {
		t.Fatal(err)
	}
	c := &countingHash{savedHash: p.mac.h}
	msg, forged := make([]byte, 10), make([]byte, 20)
	good := p.AppendDigest(nil, msg, 2000)
	p.mac.h = c
	searches := 0
	for i := range 10 * lateEvery {
		c.sums = 0
		p.Verify(msg, forged, int64(2000+i*1_000_000)) // clocks that jump
		if c.sums > 6 {
			searches++
		}
		p.Verify(msg, good, 2000)
	}
	if searches != 10 {
		t.Errorf("%d searches, want 10", searches)
	}
}

// TestPadLength compares with a plain check over every last byte and every
// single wrong byte.
func TestPadLength(t *testing.T) {
	for last := range 256 {
		for wrong := -1; wrong < 15; wrong++ {
			var block [16]byte
			for i := range block {
				if i >= 16-min(last, 16) || i == 15 {
					block[i] = byte(last)
				}
			}
			if wrong >= 0 {
				block[wrong] ^= 0x41
			}
			want := last >= 1 && last <= 16 && (wrong < 0 || wrong < 16-last)
			n, ok := padLength(block[:])
			if ok != want || (ok && n != last) {
				t.Errorf("% x: %d, %v, want %v", block, n, ok, want)
			}
		}
	}
}

// TestCounterRunsOut holds that a counter never wraps.
func TestCounterRunsOut(t *testing.T) {
	g, err := NewGCM(make([]byte, 16), make([]byte, SaltSize))
	if err != nil {
		t.Fatal(err)
	}
	g.sent = ^uint64(0) - 1
	buf := make([]byte, 1, 64)
	last, err := g.Seal(buf, 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Open(last); err != nil {
		t.Errorf("open with the last counter: %v", err)
	}
	for range 2 {
		if out, err := g.Seal(buf, 1); err != ErrCounter || out != nil {
			t.Errorf("past the last counter: %x, %v", out, err)
		}
	}
}
