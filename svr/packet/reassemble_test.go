package packet_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	. "waymark/svr/packet"
)

const second = int64(1e9)

// piece is one fragment of a payload.
type piece struct {
	at   int
	more bool
	b    []byte
}

// pieces cuts b into pieces of random lengths.
func pieces(r *rand.Rand, b []byte) []piece {
	var out []piece
	for at := 0; at < len(b); {
		n := 8 * (1 + r.IntN(1+len(b)/24))
		n = min(n, len(b)-at)
		out = append(out, piece{at, at+n < len(b), b[at : at+n]})
		at += n
	}
	return out
}

// randomBytes makes n bytes.
func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestReassembleAnyOrder(t *testing.T) {
	r := rng()
	re := NewReassembler[int](ReassemblerConfig{})
	for key := range 300 {
		want := randomBytes(r, 1+r.IntN(MaxLen))
		ps := pieces(r, want)
		r.Shuffle(len(ps), func(i, j int) { ps[i], ps[j] = ps[j], ps[i] })
		for i, p := range ps {
			if i == 0 && len(ps) > 1 { // a duplicate changes nothing
				if _, done, err := re.Add(1, key, p.at, p.more, p.b); done || err != nil {
					t.Fatal(done, err)
				}
			}
			got, done, err := re.Add(1, key, p.at, p.more, p.b)
			if err != nil || done != (i == len(ps)-1) {
				t.Fatalf("piece %d of %d: done %v, %v", i, len(ps), done, err)
			}
			if done && !bytes.Equal(got, want) {
				t.Fatal("bytes differ")
			}
		}
	}
	if used, _ := re.InUse(); used != 0 || re.Counters().Joined != 300 {
		t.Errorf("%d in use, %+v", used, re.Counters())
	}
}

func TestReassembleInterleaved(t *testing.T) {
	r := rng()
	re := NewReassembler[int](ReassemblerConfig{Memory: 4 << 20})
	var queue []struct {
		key int
		p   piece
	}
	want := map[int][]byte{}
	for key := range 64 {
		want[key] = randomBytes(r, 1000+r.IntN(30000))
		for _, p := range pieces(r, want[key]) {
			queue = append(queue, struct {
				key int
				p   piece
			}{key, p})
		}
	}
	r.Shuffle(len(queue), func(i, j int) { queue[i], queue[j] = queue[j], queue[i] })
	for _, q := range queue {
		got, done, err := re.Add(1, q.key, q.p.at, q.p.more, q.p.b)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			if !bytes.Equal(got, want[q.key]) {
				t.Fatal("bytes differ")
			}
			delete(want, q.key)
		}
	}
	if len(want) != 0 || re.Counters().Highest != 64 {
		t.Errorf("%d not joined, %+v", len(want), re.Counters())
	}
}

func TestReassembleErrors(t *testing.T) {
	b := make([]byte, 64)
	other := bytes.Repeat([]byte{1}, 64)
	for _, c := range []struct {
		name string
		ps   []piece
		want error // of the last piece
	}{
		{"odd offset", []piece{{4, true, b[:8]}}, ErrPieceMalformed},
		{"negative offset", []piece{{-8, true, b[:8]}}, ErrPieceMalformed},
		{"odd length", []piece{{0, true, b[:9]}}, ErrPieceMalformed},
		{"empty", []piece{{8, false, nil}}, ErrPieceMalformed},
		{"too long", []piece{{65528, false, b[:8]}}, ErrPieceLength},
		{"longest", []piece{{65528, false, b[:7]}}, nil},
		{"same place, other bytes", []piece{{0, true, b[:8]}, {0, true, other[:8]}}, ErrPieceOverlap},
		{"half over", []piece{{0, true, b[:16]}, {8, true, b[:16]}}, ErrPieceOverlap},
		{"inside, other bytes", []piece{{0, true, b[:32]}, {8, true, other[:8]}}, ErrPieceOverlap},
		{"inside, same bytes", []piece{{0, true, b[:32]}, {8, true, b[:8]}}, nil},
		{"around", []piece{{8, true, b[:8]}, {0, true, b[:32]}}, ErrPieceOverlap},
		{"last within", []piece{{8, false, b[:12]}, {16, true, b[:8]}}, ErrPieceLength},
		{"two ends", []piece{{8, false, b[:12]}, {16, false, b[:20]}}, ErrPieceLength},
		{"behind the end", []piece{{8, false, b[:12]}, {32, true, b[:8]}}, ErrPieceLength},
		{"end before others", []piece{{32, true, b[:8]}, {8, false, b[:8]}}, ErrPieceLength},
		{"more at the end", []piece{{16, false, b[:8]}, {8, true, b[:16]}}, ErrPieceLength},
		{"same end again", []piece{{8, false, b[:12]}, {8, false, b[:12]}}, nil},
		{"end grows by padding", []piece{{8, false, b[:12]}, {8, false, b[:16]}}, ErrPieceLength},
	} {
		re := NewReassembler[int](ReassemblerConfig{})
		for i, p := range c.ps {
			_, done, err := re.Add(1, 5, p.at, p.more, p.b)
			if i < len(c.ps)-1 && err != nil || done {
				t.Fatalf("%s: piece %d: %v %v", c.name, i, done, err)
			}
			if i == len(c.ps)-1 && !errors.Is(err, c.want) {
				t.Errorf("%s: got %v, want %v", c.name, err, c.want)
			}
		}
		if !errors.Is(c.want, ErrPieceOverlap) && !errors.Is(c.want, ErrPieceLength) {
			continue
		}
		if _, _, err := re.Add(2, 5, 0, true, b[:8]); !errors.Is(err, ErrPieceDropped) {
			t.Errorf("%s: afterwards got %v", c.name, err)
		}
		if _, _, err := re.Add(2+3*second, 5, 0, true, b[:8]); err != nil {
			t.Errorf("%s: after its lifetime got %v", c.name, err)
		}
		if n := re.Counters().Overlaps; n != 1 {
			t.Errorf("%s: %d given up", c.name, n)
		}
	}
}

func TestReassembleWhole(t *testing.T) {
	re := NewReassembler[int](ReassemblerConfig{MaxBytes: 20})
	b := make([]byte, 21)
	if got, done, err := re.Add(1, 1, 0, false, b[:20]); !done || err != nil || len(got) != 20 {
		t.Errorf("got %d %v %v", len(got), done, err)
	}
	if _, done, err := re.Add(1, 1, 0, false, b); done || !errors.Is(err, ErrPieceLength) {
		t.Errorf("too long: %v %v", done, err)
	}
}

func TestReassembleExpires(t *testing.T) {
	re := NewReassembler[int](ReassemblerConfig{})
	b := make([]byte, 8)
	re.Add(second, 1, 0, true, b)
	re.Add(2*second, 2, 0, true, b)
	re.Expire(3 * second)
	if used, capacity := re.InUse(); used != 2 || capacity != 64 {
		t.Fatalf("%d of %d in use", used, capacity)
	}
	re.Expire(3*second + 1)
	if used, _ := re.InUse(); used != 1 {
		t.Fatalf("%d in use", used)
	}
	if _, done, _ := re.Add(3*second+1, 1, 8, false, b); done {
		t.Error("joined with an expired piece")
	}
	if _, done, _ := re.Add(3*second+1, 2, 8, false, b); !done {
		t.Error("not joined within its lifetime")
	}
	if n := re.Counters().Expired; n != 1 {
		t.Errorf("%d expired", n)
	}
}

func TestReassembleOldestGivesWay(t *testing.T) {
	re := NewReassembler[int](ReassemblerConfig{Contexts: 4})
	b := make([]byte, 8)
	for key := range 5 {
		re.Add(int64(1+key), key, 0, true, b)
	}
	if _, done, _ := re.Add(9, 1, 8, false, b); !done {
		t.Error("a younger one gave way")
	}
	if _, done, _ := re.Add(9, 0, 8, false, b); done {
		t.Error("the oldest did not give way")
	}
	if n := re.Counters(); n.GaveWay != 1 || n.Highest != 4 {
		t.Errorf("%+v", n)
	}
}

// Memory for two packets of 64 KB: the third makes the oldest give way, pages
// are not lost however it ends.
func TestReassembleMemory(t *testing.T) {
	r := rng()
	re := NewReassembler[int](ReassemblerConfig{Memory: 128 << 10})
	whole := randomBytes(r, 65528)
	for key := range 200 {
		now := int64(key + 1)
		if _, _, err := re.Add(now, key, 0, true, whole[:32768]); err != nil {
			t.Fatal(err)
		}
		if _, _, err := re.Add(now, key, 32768, true, whole[32768:65520]); err != nil {
			t.Fatal(err)
		}
		if key%3 == 0 {
			if got, done, _ := re.Add(now, key, 65520, false, whole[65520:]); !done || !bytes.Equal(got, whole) {
				t.Fatal("not joined")
			}
		}
	}
	if n := re.Counters(); n.Joined != 67 || n.GaveWay == 0 {
		t.Errorf("%+v", n)
	}
	if used, _ := re.InUse(); used != 2 {
		t.Errorf("%d in use, want 2", used)
	}
}

// A flood of first pieces keeps within bounds and recovers.
func TestReassembleFlood(t *testing.T) {
	re := NewReassembler[int](ReassemblerConfig{})
	b := make([]byte, 1400)
	for i := range 100000 {
		re.Add(int64(i+1)*1000, i, 8*(i%8000), true, b[:8*(1+i%170)])
	}
	re.Expire(1 << 60)
	if used, _ := re.InUse(); used != 0 {
		t.Fatalf("%d in use", used)
	}
	want := randomBytes(rng(), MaxLen)
	for _, p := range pieces(rng(), want) {
		if got, done, err := re.Add(1<<60, 1, p.at, p.more, p.b); err != nil || done && !bytes.Equal(got, want) {
			t.Fatal("did not recover", err)
		}
	}
}
