package queue

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"

	"waymark/mgmt/uplink"
)

// suffix of a segment's name; before it is the number of its first event.
const suffix = ".queue"

// headLen is the length and the checksum before a record.
const headLen = 8

// maxRecord bounds a record in bytes: a Head with all alarms.
const maxRecord = 4 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged: a segment is not what a power cut leaves.
var errDamaged = errors.New("queue is damaged")

// record is what stands in a segment: one of the two.
type record struct {
	Head  *Head  `json:"head,omitempty"`
	Entry *Entry `json:"entry,omitempty"`
}

func appendRecord(dst []byte, r record) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return dst, err
	}
	if len(body) > maxRecord {
		return dst, fmt.Errorf("record of %d bytes", len(body))
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(body)))
	dst = binary.BigEndian.AppendUint32(dst, crc32.Checksum(body, castagnoli))
	return append(dst, body...), nil
}

// readRecord reads one record and its length with head. io.EOF: the segment
// ends here, or what follows is not whole.
func readRecord(r *bufio.Reader) (rec record, n int64, err error) {
	var head [headLen]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return rec, 0, end(err)
	}
	size := binary.BigEndian.Uint32(head[:])
	if size == 0 || size > maxRecord { // zeros: the file had grown and its bytes never came
		return rec, 0, io.EOF
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return rec, 0, end(err)
	}
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(head[4:]) {
		return rec, 0, io.EOF
	}
	if json.Unmarshal(body, &rec) != nil || (rec.Head == nil) == (rec.Entry == nil) {
		return rec, 0, errDamaged // it was written like that
	}
	return rec, headLen + int64(size), nil
}

// end takes a record that is cut for the end.
func end(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}

// walk calls see for each whole record of a segment with the offset behind it.
// whole tells that nothing follows them.
func walk(name string, see func(h *Head, e *Entry, end int64) error) (whole bool, err error) {
	f, err := os.Open(name)
	if err != nil {
		return false, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	r, at := bufio.NewReaderSize(f, 64<<10), int64(0)
	for {
		rec, n, err := readRecord(r)
		if errors.Is(err, io.EOF) {
			return at == info.Size(), nil
		}
		if err != nil {
			return false, err
		}
		if (rec.Head != nil) != (at == 0) {
			return false, errDamaged
		}
		at += n
		if err := see(rec.Head, rec.Entry, at); err != nil {
			return false, err
		}
	}
}

// Reader reads the events of a queue in order, for one conductor. One goroutine.
type Reader struct {
	q       *Queue
	next    uint64 // Seq of the event that is read next
	segment string // where it is, if the last read ended there
	offset  int64
}

// Reader returns a reader whose first event is the one after seq, or the first
// there is.
func (q *Queue) Reader(seq uint64) *Reader { return &Reader{q: q, next: seq + 1} }

// errFull ends a walk: the batch is full.
var errFull = errors.New("batch is full")

// Batch returns the next events, within the bounds of uplink.Events; nil: there
// are none now. They come again after Seek.
func (r *Reader) Batch() (*uplink.Events, error) {
	for {
		seg, last, epoch := r.place()
		if seg == nil {
			return nil, nil
		}
		e, err := r.read(seg, last)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it went to make room
		}
		if err != nil {
			return nil, fmt.Errorf("read queue: %w", err)
		}
		if e != nil {
			e.Epoch = epoch
		}
		return e, nil
	}
}

// read reads a batch from one segment, up to event last.
func (r *Reader) read(seg *segment, last uint64) (*uplink.Events, error) {
	e := &uplink.Events{}
	size, at := 0, r.offset
	err := r.scan(seg, func(entry *Entry, end int64, n int) error {
		switch have := len(e.Events); {
		case entry.Seq < r.next:
		case entry.Seq > last, have == uplink.MaxEvents, have > 0 && size+n > uplink.MaxBatch,
			have > 0 && entry.Seq != e.Events[have-1].Seq+1:
			return errFull
		default:
			if have == 0 {
				e.Lost = entry.Seq - r.next
			}
			e.Events = append(e.Events, uplink.Event{Seq: entry.Seq, Alarm: entry.Alarm, Record: entry.Record})
			size += n
		}
		at = end
		return nil
	})
	if err != nil && !errors.Is(err, errFull) || len(e.Events) == 0 {
		return nil, err
	}
	r.segment, r.offset = seg.name, at
	r.next = e.Events[len(e.Events)-1].Seq + 1
	return e, nil
}

// Seek has the next Batch begin after seq.
func (r *Reader) Seek(seq uint64) { r.next, r.segment, r.offset = seq+1, "", 0 }

// place finds the segment of the next event and the newest event that is safe.
func (r *Reader) place() (s *segment, last uint64, epoch string) {
	r.q.mu.Lock()
	defer r.q.mu.Unlock()
	for i := range r.q.segments {
		if s := r.q.segments[i]; s.next > r.next && s.next > s.first {
			return &s, s.next - 1, r.q.epoch
		}
	}
	return nil, 0, ""
}

// scan calls see for the entries of a segment from where the last read ended.
func (r *Reader) scan(s *segment, see func(e *Entry, end int64, n int) error) error {
	f, err := os.Open(s.name)
	if err != nil {
		return err
	}
	defer f.Close()
	if r.segment != s.name {
		r.offset = 0
	}
	at := r.offset
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return err
	}
	b := bufio.NewReaderSize(f, 64<<10)
	for at < s.size {
		rec, n, err := readRecord(b)
		if err != nil {
			return end(err)
		}
		at += n
		if rec.Entry == nil || rec.Entry.Seq == 0 {
			continue
		}
		if err := see(rec.Entry, at, int(n)); err != nil {
			return err
		}
	}
	return nil
}
