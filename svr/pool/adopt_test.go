package pool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// churnFile names the environment variable that turns the test binary into a
// writer which lives until it is killed.
const churnFile = "POOL_TEST_CHURN"

func TestMain(m *testing.M) {
	if path := os.Getenv(churnFile); path != "" {
		churn(path)
	}
	os.Exit(m.Run())
}

const (
	churnStable = 300
	churnSlots  = 1200
)

func mapFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size := MemorySize(TableConfig{Slots: churnSlots})
	return syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
}

// churn writes a table for ever. It says so when the stable directions stand.
func churn(path string) {
	mem, err := mapFile(path)
	if err != nil {
		panic(err)
	}
	tab, err := NewTable(mem, TableConfig{Slots: churnSlots, Seed: [16]byte{5}})
	if err != nil {
		panic(err)
	}
	for i := range uint32(churnStable) {
		k := key4(i)
		s, err := tab.Insert(k, tortureAction(k, i), i)
		if err != nil {
			panic(err)
		}
		tab.Count(s, uint64(i)+1, 1000, second)
	}
	fmt.Println("ready")
	for seed := uint64(0); ; seed++ {
		churnRound(tab, newRand(seed))
	}
}

// churnRound moves stable directions, and makes, updates and removes others.
func churnRound(tab *Table, rnd *rand.Rand) { churnRoundOf(tab, rnd, 100_000) }

func churnRoundOf(tab *Table, rnd *rand.Rand, steps int) {
	for range steps {
		now := tab.now + second/20
		tab.Advance(now)
		n := rnd.Uint32()
		k := key4(churnStable + n%500)
		if n>>20&3 == 0 {
			k = key6(n % 500)
		}
		switch s, ok := tab.Lookup(&k); {
		case n>>24&3 == 0:
			k = key4(n % churnStable)
			s, _ = tab.Lookup(&k) // slot 0 when there is none: the key is another's
			_, _ = tab.Move(s, tortureAction(k, n), now)
		case !ok:
			_, _ = tab.Insert(k, tortureAction(k, n), n)
		case n>>28&1 == 0:
			_ = tab.Update(s, tortureAction(k, n))
		default:
			tab.Remove(s, now)
		}
	}
}

// TestOpenAfterKill kills a busy writer again and again; whatever it was doing,
// the next owner finds a sound table with every direction that was not being
// made or removed, and works on with it.
func TestOpenAfterKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "table")
	for round := range 12 {
		mem := killedWriter(t, path, time.Duration(round*round)*300*time.Microsecond)
		tab, err := Open(mem, TableConfig{}, 50*second)
		if err != nil {
			t.Fatal(err)
		}
		checkTable(t, tab)
		checkStable(t, tab)
		churnRound(tab, newRand(99))
		checkTable(t, tab)
		checkStable(t, tab)
		if err := syscall.Munmap(mem); err != nil {
			t.Fatal(err)
		}
	}
}

// killedWriter returns the memory of a writer killed a while after it was ready.
func killedWriter(t *testing.T, path string, after time.Duration) []byte {
	t.Helper()
	size := int64(MemorySize(TableConfig{Slots: churnSlots}))
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), churnFile+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if n, err := out.Read(make([]byte, 16)); n == 0 {
		t.Errorf("writer: %v", err)
	}
	<-time.After(after) // any moment will do: the kill is the event
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	mem, err := mapFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return mem
}

func checkStable(t *testing.T, tab *Table) {
	t.Helper()
	for i := range uint32(churnStable) {
		k := key4(i)
		var a Action
		s, ok := tab.Get(&k, &a)
		if !ok || a.Hop != a.Flags || a.To.SrcPort != keyMark(k) {
			t.Fatalf("direction %d: found %v, action %+v", i, ok, a)
		}
		if p, b, _, _ := tab.Counters(s); p != uint64(i)+1 || b != 1000 {
			t.Fatalf("direction %d: counters %d %d", i, p, b)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	cfg := TableConfig{Slots: 64}
	for name, mem := range map[string][]byte{"nil": nil, "empty": alignedBytes(MemorySize(cfg)), "short": alignedBytes(64)} {
		if _, err := Open(mem, TableConfig{}, second); !errors.Is(err, ErrMemory) {
			t.Errorf("%s: got %v, want ErrMemory", name, err)
		}
	}
}

func TestOpenKeepsWhatWasWritten(t *testing.T) {
	cfg := TableConfig{Slots: 64, Seed: [16]byte{3}, Clock: 9 * second}
	mem := alignedBytes(MemorySize(cfg))
	old, err := NewTable(mem, cfg)
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := key4(1), key6(2), key4(3)
	_, _ = old.Insert(a, action(a, 1, false), 1)
	_, _ = old.Insert(b, action(b, 2, true), 2)
	s, _ := old.Insert(c, action(c, 3, false), 3)
	old.Remove(s, second)
	tab, err := Open(mem, TableConfig{}, second+second/2)
	if err != nil {
		t.Fatal(err)
	}
	if got := tab.Stats(); got.Directions != 2 || got.Used != 3 || got.Resting != 1 || got.Capacity != 64 || tab.clock != cfg.Clock {
		t.Errorf("stats: got %+v", got)
	}
	for k, want := range map[Key]Action{a: action(a, 1, false), b: action(b, 2, true)} {
		var got Action
		if s, ok := tab.Get(&k, &got); !ok || got != want || tab.Owner(s) != NoOwner {
			t.Errorf("%v: got %v %+v owner %d", k, ok, got, tab.Owner(s))
		}
	}
	checkTable(t, tab)
	if tab, err = Open(mem, TableConfig{}, 100*second); err != nil || tab.Stats().Resting != 0 {
		t.Errorf("what was removed long ago rests: %v, %+v", err, tab.Stats())
	}
}

// TestOpenAfterHalfAMove: both slots of a move that was cut short hold the key;
// one stays, with all that either counted.
func TestOpenAfterHalfAMove(t *testing.T) {
	for _, window := range []uint32{windowSize, 0} {
		cfg := TableConfig{Slots: 64, Seed: [16]byte{3}}
		mem := alignedBytes(MemorySize(cfg))
		old, err := NewTable(mem, cfg)
		if err != nil {
			t.Fatal(err)
		}
		k := key6(1)
		s, _ := old.Insert(k, action(k, 1, true), 1)
		old.Count(s, 5, 500, second)
		var img image
		a := action(k, 2, false)
		img.build(&k, &a)
		h := old.hashAt(s)
		old.window = window // 0: the other slot is in the overflow index
		to, _ := old.allocate(h, true)
		old.window = windowSize
		if window == 0 && old.direct(h, to.slot) {
			continue // a small table: the next free slot is in the window, too
		}
		old.settle(h, to, &img, 1)
		old.Count(to.slot, 7, 70, second)
		tab, err := Open(mem, TableConfig{}, 2*second)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := tab.Lookup(&k)
		if p, b, _, _ := tab.Counters(got); !ok || p != 7 || b != 500 {
			t.Errorf("window %d: found %v, %d packets, %d bytes", window, ok, p, b)
		}
		if st := tab.Stats(); st.Directions != 1 || st.Used != 2 || st.Resting != 2 {
			t.Errorf("window %d: %+v", window, st)
		}
		checkTable(t, tab)
	}
}

// TestOpenOfDamagedMemory: whatever the bytes behind the header say, Open and
// the life after it keep to the memory and to the lists.
func TestOpenOfDamagedMemory(t *testing.T) {
	cfg := TableConfig{Slots: 64, Seed: [16]byte{3}}
	mem := alignedBytes(MemorySize(cfg))
	for seed := range uint64(300) {
		clear(mem)
		old, err := NewTable(mem, cfg)
		if err != nil {
			t.Fatal(err)
		}
		churnRoundOf(old, newRand(seed), 200)
		rnd := newRand(seed + 1000)
		for range 1 + rnd.IntN(60) {
			at := int(old.base) + rnd.IntN(64*SlotSize)
			if rnd.IntN(3) == 0 {
				at = pageSize + rnd.IntN(int(old.buckets)*bucketSize)
			}
			mem[at] = byte(rnd.Uint32())
		}
		tab, err := Open(mem, TableConfig{}, 50*second)
		if err != nil {
			t.Fatal(err)
		}
		where := make([]int, tab.slots)
		resting := checkLists(t, tab, where)
		if st := tab.Stats(); st.Resting != resting || st.Used+resting+tab.free.n != st.Capacity {
			t.Fatalf("seed %d: stats %+v, %d resting, %d free", seed, st, resting, tab.free.n)
		}
		checkTable(t, tab)
		churnRoundOf(tab, newRand(seed), 200)
	}
}
