// Package tail follows the events that a process of the box writes into its run
// directory (svr/router/eventfile) and puts each into the queue, once.
package tail

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"waymark/mgmt/uplink/queue"
	"waymark/svr/event"
	"waymark/svr/router/eventfile"
)

// Types of events with which a process begins. Its alarms of before are over:
// it raises anew what is still wrong.
var begins = map[string]bool{"system.router_started": true, "system.started": true}

// Follower follows one file. One goroutine.
type Follower struct {
	name   string
	source string
	q      *queue.Queue
	f      *os.File // nil: looks at both files first
	rest   []byte   // of a line that is not whole yet
}

// New follows the events file of that name; source names its process in the
// queue.
func New(name, source string, q *queue.Queue) *Follower {
	return &Follower{name: name, source: source, q: q}
}

// Poll takes what is new; n is how many events there were. A file that is not
// there has none.
func (t *Follower) Poll() (n int, err error) {
	if t.f == nil {
		return t.again()
	}
	items, err := t.read()
	if err == nil {
		err = t.take(items)
	}
	if err != nil {
		t.Close()
		return 0, fmt.Errorf("follow %s: %w", t.name, err)
	}
	if !t.current() {
		t.Close()
		more, err := t.again()
		return len(items) + more, err
	}
	return len(items), nil
}

// Close closes the file; Poll opens it again.
func (t *Follower) Close() {
	if t.f != nil {
		_ = t.f.Close() // it was only read
	}
	t.f, t.rest = nil, nil
}

// current tells that the open file still has the name and was not cut.
func (t *Follower) current() bool {
	a, errA := t.f.Stat()
	b, errB := os.Stat(t.name)
	if errA != nil || errB != nil || !os.SameFile(a, b) {
		return false
	}
	at, err := t.f.Seek(0, io.SeekCurrent)
	return err == nil && b.Size() >= at
}

// again looks at both files from their beginning and goes on behind the cursor.
func (t *Follower) again() (n int, err error) {
	f, err := os.Open(t.name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("follow events: %w", err)
	}
	t.f, t.rest = f, nil
	// The old file second: if they are exchanged between, it is the one that is open.
	old, err := t.before(f)
	if err == nil {
		var items []queue.Item
		if items, err = t.read(); err == nil {
			items = t.behind(append(old, items...))
			n, err = len(items), t.take(items)
		}
	}
	if err != nil {
		t.Close()
		return 0, fmt.Errorf("follow %s: %w", t.name, err)
	}
	return n, nil
}

// before reads the file with the events before those of f.
func (t *Follower) before(f *os.File) ([]queue.Item, error) {
	old, err := os.Open(t.name + eventfile.OldSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer old.Close()
	a, errA := f.Stat()
	b, errB := old.Stat()
	if err := errors.Join(errA, errB); err != nil || os.SameFile(a, b) {
		return nil, err
	}
	items, _, err := parse(old, nil)
	return items, err
}

// read reads whole lines that are new in the open file.
func (t *Follower) read() (items []queue.Item, err error) {
	items, t.rest, err = parse(t.f, t.rest)
	return items, err
}

// maxLine bounds a line; a longer one is none of ours and is skipped.
const maxLine = 64 << 10

// parse reads lines to the end; rest is the beginning of the first, and what
// follows the last line break comes back.
func parse(r io.Reader, rest []byte) (items []queue.Item, left []byte, err error) {
	b := bufio.NewReaderSize(r, 64<<10)
	for {
		part, err := b.ReadSlice('\n')
		rest = append(rest, part...)
		switch {
		case errors.Is(err, io.EOF):
			return items, rest[:min(len(rest), maxLine)], nil
		case errors.Is(err, bufio.ErrBufferFull):
			rest = rest[:min(len(rest), maxLine)]
			continue
		case err != nil:
			return items, rest, err
		}
		if it, ok := item(bytes.TrimSpace(rest)); ok {
			items = append(items, it)
		}
		rest = rest[:0]
	}
}

// item reads one line. What a killed process left of one is none.
func item(line []byte) (it queue.Item, ok bool) {
	if len(line) == 0 || json.Unmarshal(line, &it.Record) != nil {
		return it, false
	}
	id := it.Record.ID
	n, err := strconv.ParseUint(id[strings.LastIndexByte(id, ':')+1:], 10, 64)
	if err != nil || n == 0 {
		return it, false
	}
	it.Cursor = queue.Cursor{N: n, Time: it.Record.Time.UTC()}
	return it, true
}

// behind returns the items behind the cursor. A file that has numbers up to the
// cursor's, but not its event, is of another life: the box was restarted and
// the run directory emptied.
func (t *Follower) behind(items []queue.Item) []queue.Item {
	c := t.q.Cursor(t.source)
	if c.N == 0 || len(items) == 0 {
		return items
	}
	for i := range items {
		if items[i].Cursor.N == c.N && items[i].Cursor.Time.Equal(c.Time) {
			return items[i+1:]
		}
	}
	return items // other life, or what is missing is counted by take
}

// take puts items into the queue, in order. Gaps of their numbers are losses.
func (t *Follower) take(items []queue.Item) error {
	last := t.q.Cursor(t.source).N
	from := 0
	for i := range items {
		it := &items[i]
		if last > 0 && it.Cursor.N > last+1 {
			it.Lost = it.Cursor.N - last - 1
		}
		other := it.Cursor.N <= last
		last = it.Cursor.N
		if !other && !begins[it.Record.Type] {
			continue
		}
		// A life ends here.
		if err := t.put(items[from:i]); err != nil {
			return err
		}
		if err := t.put(t.over(it.Record.Time)); err != nil {
			return err
		}
		from = i
	}
	return t.put(items[from:])
}

// over are the ends of the alarms that are active.
func (t *Follower) over(at time.Time) (items []queue.Item) {
	for _, a := range t.q.Active(t.source) {
		r := a.Record
		r.Type, r.Time, r.ID = event.TypeClear, at, ""
		items = append(items, queue.Item{Record: r})
	}
	return items
}

// step bounds what the queue takes at once.
const step = 512

func (t *Follower) put(items []queue.Item) error {
	for len(items) > 0 {
		n := min(len(items), step)
		if err := t.q.Append(t.source, items[:n]); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}
