// Package queue keeps the events of a box on its disk until every conductor has
// them. An event that Append has taken survives a power cut and keeps its
// number; what a conductor was given once it is never given under another
// number.
//
// The queue is a directory of segments, files that only grow. Each record is
// its length, the CRC-32C of the rest, and JSON: a Head first, which repeats
// what earlier segments told (cursors of the sources, active alarms), then
// Entries. A record that a power cut left unfinished ends its segment.
package queue

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"sync"
	"time"

	"waymark/mgmt/file"
	"waymark/mgmt/uplink"
	"waymark/svr/event"
)

// Limits of a queue; zero fields take the default.
type Limits struct {
	Segment int64 // bytes after which a new segment begins; 256 KiB
	Total   int64 // bytes of all segments; 8 MiB. Beyond, the oldest go, unread or not
}

// Cursor is how far a source was read: the number and time of its last event.
type Cursor struct {
	N    uint64    `json:"n"`
	Time time.Time `json:"time"`
}

// Head begins a segment.
type Head struct {
	Epoch   string                       `json:"epoch"`
	First   uint64                       `json:"first"` // Seq of the next event
	Cursors map[string]Cursor            `json:"cursors"`
	Alarms  map[string]map[string]Active `json:"alarms"` // by source and the alarm's id
}

// Active is an alarm that was added and not cleared.
type Active struct {
	Seq    uint64       `json:"seq"`
	Record event.Record `json:"record"`
}

// Entry is one event, or with Seq 0 only a new cursor.
type Entry struct {
	Seq    uint64       `json:"seq"`
	Alarm  uint64       `json:"alarm,omitempty"`
	Source string       `json:"source"`
	Cursor Cursor       `json:"cursor"`
	Record event.Record `json:"record"`
}

// maxActive bounds the active alarms of one source, as event.Log does.
const maxActive = 2 * event.DefaultAlarms

// Queue is an open queue. Safe for concurrent use.
type Queue struct {
	dir    string
	limits Limits

	mu       sync.Mutex // guards the rest
	segments []segment  // oldest first; the last one grows
	f        *os.File   // of the last one
	epoch    string
	next     uint64 // Seq of the next event
	cursors  map[string]Cursor
	alarms   map[string]map[string]Active
	acked    map[string]uint64 // by conductor
	grown    chan struct{}     // closed and made anew when events are appended
	broken   error             // the disk failed: nothing is taken until Open
}

// segment is one file: its events, first to next-1.
type segment struct {
	name        string
	first, next uint64
	size        int64
}

// Open opens the queue of a directory, making it. conductors are those that
// have to have an event before it goes; a queue without any keeps what fits.
func Open(dir string, limits Limits, conductors []string) (*Queue, error) {
	if limits.Segment == 0 {
		limits.Segment = 256 << 10
	}
	if limits.Total == 0 {
		limits.Total = 8 << 20
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	q := &Queue{dir: dir, limits: limits, grown: make(chan struct{}), acked: map[string]uint64{},
		cursors: map[string]Cursor{}, alarms: map[string]map[string]Active{}}
	for _, c := range conductors {
		q.acked[c] = 0
	}
	if err := q.load(); err != nil {
		return nil, fmt.Errorf("open queue: %w", err)
	}
	return q, nil
}

// load reads all segments. What is damaged ends the epoch: its numbers may have
// been given to events that are gone.
func (q *Queue) load() error {
	names, err := filepath.Glob(filepath.Join(q.dir, "*"+suffix))
	if err != nil {
		return err
	}
	slices.Sort(names)
	for i, name := range names {
		if err := q.loadSegment(name, i == len(names)-1); err != nil {
			if !errors.Is(err, errDamaged) {
				return err
			}
			return q.begin(names)
		}
	}
	if len(q.segments) == 0 {
		return q.begin(nil)
	}
	last := &q.segments[len(q.segments)-1]
	q.f, err = os.OpenFile(last.name, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	// What follows the last whole record is of a power cut.
	if err := errors.Join(q.f.Truncate(last.size), q.f.Sync()); err != nil {
		return err
	}
	_, err = q.f.Seek(last.size, 0)
	return err
}

// loadSegment reads one segment.
func (q *Queue) loadSegment(name string, last bool) error {
	s := segment{name: name}
	whole, err := walk(name, func(h *Head, e *Entry, end int64) error {
		if h != nil {
			if q.epoch != "" && (h.Epoch != q.epoch || h.First < q.next) {
				return errDamaged
			}
			q.epoch, q.next, s.first = h.Epoch, h.First, h.First
			q.cursors, q.alarms = h.Cursors, h.Alarms
			if q.cursors == nil || q.alarms == nil {
				return errDamaged
			}
		} else {
			if e.Seq != 0 && e.Seq < q.next {
				return errDamaged
			}
			q.note(e)
		}
		s.size = end
		return nil
	})
	if err != nil {
		return err
	}
	if s.size == 0 && last && len(q.segments) > 0 {
		return os.Remove(name) // begun, and the power went
	}
	if s.size == 0 || !whole && !last {
		return errDamaged
	}
	s.next = q.next
	q.segments = append(q.segments, s)
	return nil
}

// begin starts a new epoch in an empty directory.
func (q *Queue) begin(old []string) error {
	var id [16]byte
	rand.Read(id[:]) // never fails
	q.epoch, q.next = hex.EncodeToString(id[:]), 1
	q.cursors, q.alarms, q.segments = map[string]Cursor{}, map[string]map[string]Active{}, nil
	for _, name := range old {
		if err := os.Remove(name); err != nil {
			return err
		}
	}
	return q.rotate()
}

// note takes what an entry says into memory.
func (q *Queue) note(e *Entry) {
	if e.Cursor != (Cursor{}) {
		q.cursors[e.Source] = e.Cursor
	}
	if e.Seq == 0 {
		return
	}
	q.next = e.Seq + 1
	if e.Record.Kind != event.KindAlarm {
		return
	}
	list := q.alarms[e.Source]
	switch {
	case e.Record.Type == event.TypeClear:
		delete(list, e.Record.Alarm)
	case list == nil:
		q.alarms[e.Source] = map[string]Active{e.Record.Alarm: {e.Seq, e.Record}}
	case len(list) < maxActive:
		list[e.Record.Alarm] = Active{e.Seq, e.Record}
	}
}

// Epoch returns the name of the epoch.
func (q *Queue) Epoch() string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.epoch
}

// Renew begins a new epoch: somebody has events of this one that the queue never
// had, because its disk went back in time. Cursors stay.
func (q *Queue) Renew() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	var names []string
	for _, s := range q.segments {
		names = append(names, s.name)
	}
	cursors := q.cursors
	if err := q.begin(names); err != nil {
		q.broken = fmt.Errorf("begin epoch: %w", err)
		return q.broken
	}
	q.cursors = cursors
	for c := range q.acked {
		q.acked[c] = 0
	}
	return nil
}

// Last returns the number of the newest event; 0: there was none.
func (q *Queue) Last() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.next - 1
}

// Cursor returns how far a source was read.
func (q *Queue) Cursor(source string) Cursor {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.cursors[source]
}

// Active returns the alarms of a source that are active, oldest first.
func (q *Queue) Active(source string) []Active {
	q.mu.Lock()
	defer q.mu.Unlock()
	list := slices.Collect(maps.Values(q.alarms[source]))
	sort.Slice(list, func(i, j int) bool { return int64(list[i].Seq-list[j].Seq) < 0 })
	return list
}

// Item is one event of a source to be kept.
type Item struct {
	Record event.Record
	Cursor Cursor // zero: it is not the source's own
	// Lost counts events of the source before this one that nobody could read.
	Lost uint64
}

// Append keeps events of a source, all or none, and returns when they are on
// the disk.
func (q *Queue) Append(source string, items []Item) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.broken != nil {
		return q.broken
	}
	last := &q.segments[len(q.segments)-1]
	if last.size > q.limits.Segment {
		if err := q.rotate(); err != nil {
			return fmt.Errorf("keep events: %w", err)
		}
		last = &q.segments[len(q.segments)-1]
	}
	var buf []byte
	before := q.next
	for i := range items {
		e := q.entry(source, &items[i])
		var err error
		if buf, err = appendRecord(buf, record{Entry: e}); err != nil {
			q.broken = fmt.Errorf("keep events: %w", err)
			return q.broken
		}
		q.note(e)
	}
	n, err := q.f.Write(buf)
	if err = errors.Join(err, q.f.Sync()); err != nil || n != len(buf) {
		// What is on the disk nobody knows: the numbers may not be used again.
		q.broken = fmt.Errorf("keep events %d and later: %w", before, err)
		return q.broken
	}
	last.size += int64(n)
	last.next = q.next
	close(q.grown)
	q.grown = make(chan struct{})
	return nil
}

// entry numbers an event. A clear is told which add it is for.
func (q *Queue) entry(source string, it *Item) *Entry {
	e := &Entry{Seq: q.next + it.Lost, Source: source, Cursor: it.Cursor, Record: it.Record}
	if len(e.Record.Message) > uplink.MaxEvent/2 {
		e.Record.Message = e.Record.Message[:uplink.MaxEvent/2]
	}
	if e.Record.Kind == event.KindAlarm {
		e.Alarm = e.Seq
		if e.Record.Type == event.TypeClear {
			e.Alarm = q.alarms[source][e.Record.Alarm].Seq
		}
	}
	return e
}

// rotate begins a new segment and lets go of what is not needed any more.
func (q *Queue) rotate() error {
	name := filepath.Join(q.dir, fmt.Sprintf("%020d%s", q.next, suffix))
	if len(q.segments) > 0 && q.segments[len(q.segments)-1].name == name {
		return nil // nothing but cursors in it
	}
	buf, err := appendRecord(nil, record{Head: &Head{Epoch: q.epoch, First: q.next, Cursors: q.cursors, Alarms: q.alarms}})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(buf)
	if err = errors.Join(err, f.Sync(), file.SyncDir(q.dir)); err != nil {
		return errors.Join(err, f.Close(), os.Remove(name))
	}
	if q.f != nil {
		_ = q.f.Close() // it is on the disk
	}
	q.f = f
	q.segments = append(q.segments, segment{name: name, first: q.next, next: q.next, size: int64(len(buf))})
	return q.trim()
}

// trim removes segments that every conductor has, and the oldest while there
// are too many bytes. The last one stays.
func (q *Queue) trim() error {
	total := int64(0)
	for _, s := range q.segments {
		total += s.size
	}
	for len(q.segments) > 1 && (q.done(&q.segments[0]) || total > q.limits.Total) {
		if err := os.Remove(q.segments[0].name); err != nil {
			return err
		}
		total -= q.segments[0].size
		q.segments = q.segments[1:]
	}
	return nil
}

// done tells that every conductor has all events of a segment.
func (q *Queue) done(s *segment) bool {
	for _, seq := range q.acked {
		if seq+1 < s.next {
			return false
		}
	}
	return len(q.acked) > 0
}

// Acked notes that a conductor has all events up to seq of this epoch.
func (q *Queue) Acked(conductor string, seq uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.acked[conductor] = max(seq, q.acked[conductor])
}

// Forget notes that a conductor is none any more.
func (q *Queue) Forget(conductor string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.acked, conductor)
}

// Grown returns a channel that is closed when events are appended.
func (q *Queue) Grown() <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.grown
}

// Close closes the queue.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.broken = os.ErrClosed
	return q.f.Close()
}
