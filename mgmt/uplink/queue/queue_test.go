package queue

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"waymark/mgmt/uplink"
	"waymark/svr/event"
)

func items(from, n int) (list []Item) {
	for i := range n {
		k := from + i
		r := event.Record{ID: fmt.Sprintf("n.r:%d", k), Message: fmt.Sprint(k), Kind: event.KindSystem, Type: "system.x"}
		list = append(list, Item{Record: r, Cursor: Cursor{N: uint64(k), Time: time.Unix(int64(k), 0).UTC()}})
	}
	return list
}

func open(t *testing.T, dir string, l Limits) *Queue {
	t.Helper()
	q, err := Open(dir, l, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { q.Close() })
	return q
}

// all reads everything from seq on.
func all(t *testing.T, q *Queue, seq uint64) (list []uplink.Event, lost uint64) {
	t.Helper()
	r := q.Reader(seq)
	for {
		e, err := r.Batch()
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			return list, lost
		}
		if len(e.Events) > uplink.MaxEvents || e.Epoch != q.Epoch() {
			t.Fatalf("batch of %d, epoch %s", len(e.Events), e.Epoch)
		}
		list, lost = append(list, e.Events...), lost+e.Lost
	}
}

func inOrder(t *testing.T, list []uplink.Event, first, n int) {
	t.Helper()
	if len(list) != n {
		t.Fatalf("%d events, want %d", len(list), n)
	}
	for i, e := range list {
		if e.Seq != uint64(first+i) || e.Record.Message != fmt.Sprint(first+i) {
			t.Fatalf("event %d is %d %q", first+i, e.Seq, e.Record.Message)
		}
	}
}

func TestQueue(t *testing.T) {
	dir := t.TempDir()
	l := Limits{Segment: 8 << 10, Total: 1 << 20}
	q := open(t, dir, l)
	epoch := q.Epoch()
	q.Acked("a", 0)
	for i := 0; i < 1000; i += 50 {
		if err := q.Append("router", items(i+1, 50)); err != nil {
			t.Fatal(err)
		}
	}
	list, _ := all(t, q, 0)
	inOrder(t, list, 1, 1000)
	list, _ = all(t, q, 700)
	inOrder(t, list, 701, 300)
	// It is all there after the process, and goes on.
	q.Close()
	q = open(t, dir, l)
	q.Acked("a", 0)
	q.Acked("b", 0)
	if q.Epoch() != epoch || q.Last() != 1000 || q.Cursor("router").N != 1000 {
		t.Errorf("after a restart: epoch %s, last %d, cursor %+v", q.Epoch(), q.Last(), q.Cursor("router"))
	}
	if err := q.Append("router", items(1001, 200)); err != nil {
		t.Fatal(err)
	}
	list, _ = all(t, q, 0)
	inOrder(t, list, 1, 1200)
	// Events go when both conductors have them, not before.
	q.Acked("a", 1200)
	segments := func() int {
		if err := q.Append("router", items(int(q.Last())+1, 50)); err != nil {
			t.Fatal(err)
		}
		names, err := filepath.Glob(filepath.Join(dir, "*"+suffix))
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	if n := segments(); n < 10 {
		t.Errorf("%d segments left though b has nothing", n)
	}
	q.Acked("b", 1200)
	if n := segments(); n > 3 {
		t.Errorf("%d segments left though both have all", n)
	}
	if _, lost := all(t, q, 1200); lost != 0 {
		t.Errorf("%d lost", lost)
	}
}

// A queue that nobody empties stays within its bounds and tells what it dropped.
func TestFull(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir, Limits{Segment: 4 << 10, Total: 32 << 10})
	q.Acked("a", 0)
	for i := 0; i < 2000; i += 20 {
		if err := q.Append("router", items(i+1, 20)); err != nil {
			t.Fatal(err)
		}
	}
	var size int64
	names, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, n := range names {
		info, err := os.Stat(n)
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	if size > 64<<10 {
		t.Errorf("%d bytes", size)
	}
	list, lost := all(t, q, 0)
	if lost == 0 || int(lost)+len(list) != 2000 {
		t.Errorf("%d lost, %d there", lost, len(list))
	}
	inOrder(t, list, int(lost)+1, len(list))
}

// Power may go anywhere in an append: what was there before is there, what
// is there of the append is its beginning, and the queue goes on.
func TestPowerCut(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir, Limits{})
	if err := q.Append("router", items(1, 3)); err != nil {
		t.Fatal(err)
	}
	name := q.segments[0].name
	before, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Append("router", items(4, 2)); err != nil {
		t.Fatal(err)
	}
	epoch := q.Epoch()
	q.Close()
	after, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for cut := len(before); cut <= len(after); cut += 23 { // the disk is synced each time
		for _, fill := range []int{0, 100} { // a file may have grown before its bytes came
			if err := os.WriteFile(name, append(after[:cut:cut], make([]byte, fill)...), 0o600); err != nil {
				t.Fatal(err)
			}
			q, err := Open(dir, Limits{}, nil)
			if err != nil {
				t.Fatalf("cut at %d: %v", cut, err)
			}
			n := int(q.Last())
			if q.Epoch() != epoch || n < 3 || n > 5 || q.Cursor("router").N != uint64(n) {
				t.Fatalf("cut at %d: epoch %s, last %d, cursor %+v", cut, q.Epoch(), n, q.Cursor("router"))
			}
			if err := q.Append("router", items(n+1, 1)); err != nil {
				t.Fatal(err)
			}
			list, _ := all(t, q, 0)
			inOrder(t, list, 1, n+1)
			q.Close()
		}
	}
}

// What cannot be of a power cut begins a new epoch: numbers are never used again
// for other events.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir, Limits{Segment: 1 << 10})
	for i := range 10 {
		if err := q.Append("router", items(10*i+1, 10)); err != nil {
			t.Fatal(err)
		}
	}
	epoch := q.Epoch()
	q.Close()
	if err := os.Truncate(q.segments[1].name, q.segments[1].size-3); err != nil {
		t.Fatal(err)
	}
	q = open(t, dir, Limits{})
	if q.Epoch() == epoch || q.Last() != 0 {
		t.Errorf("epoch %s goes on, last %d", q.Epoch(), q.Last())
	}
	if err := q.Append("router", items(1, 1)); err != nil {
		t.Error(err)
	}
}

// An alarm's clear names its add, over restarts and segments.
func TestAlarms(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir, Limits{Segment: 1})
	add := Item{Record: event.Record{ID: "n.r:1", Alarm: "n.r:1", Kind: event.KindAlarm, Type: event.TypeAdd}, Cursor: Cursor{N: 1}}
	if err := q.Append("router", []Item{add}); err != nil {
		t.Fatal(err)
	}
	if err := q.Append("router", items(2, 5)); err != nil {
		t.Fatal(err)
	}
	q.Close()
	q = open(t, dir, Limits{Segment: 1})
	if a := q.Active("router"); len(a) != 1 || a[0].Seq != 1 {
		t.Errorf("active %+v", a)
	}
	clear := add
	clear.Record.ID, clear.Record.Type, clear.Cursor = "n.r:7", event.TypeClear, Cursor{N: 7}
	if err := q.Append("router", []Item{clear}); err != nil {
		t.Fatal(err)
	}
	list, _ := all(t, q, 6)
	if len(list) != 1 || list[0].Alarm != 1 || len(q.Active("router")) != 0 {
		t.Errorf("clear %+v, active %+v", list, q.Active("router"))
	}
	if err := q.Renew(); err != nil || q.Cursor("router").N != 7 || q.Last() != 0 {
		t.Errorf("renewed: %v, cursor %+v, last %d", err, q.Cursor("router"), q.Last())
	}
}
