package vm

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Event is one line of the report port.
type Event struct {
	Name string  `json:"event"`
	T    float64 `json:"t"` // seconds since the kernel started
	// Line is the whole line, with what belongs to this event alone.
	Line json.RawMessage `json:"-"`
	// At is when the line was read.
	At time.Time `json:"-"`
}

// Detail decodes the event's line into to.
func (e *Event) Detail(to any) error { return json.Unmarshal(e.Line, to) }

// Reports are the events of a machine in their order, over all its boots.
type Reports struct {
	stream *Stream
	// Guarded by the stream's lock:
	events []Event
	parsed int // bytes of the stream that were cut into lines
	next   int // first event that no Await has passed
}

func newReports(s *Stream) *Reports { return &Reports{stream: s} }

// parse turns the lines that are complete into events; what is no JSON object of
// ours, as firmware prints before a kernel runs, is none.
func (r *Reports) parse() {
	for {
		n := bytes.IndexByte(r.stream.said[r.parsed:], '\n')
		if n < 0 {
			return
		}
		line := bytes.TrimSpace(r.stream.said[r.parsed : r.parsed+n])
		r.parsed += n + 1
		e := Event{Line: bytes.Clone(line), At: time.Now()}
		if json.Unmarshal(line, &e) == nil && e.Name != "" {
			r.events = append(r.events, e)
		}
	}
}

// Await returns the next event of one of the names, passing others by. An event
// "panic" that is not among the names ends the wait with an error; so do the
// context and the machine's end.
func (r *Reports) Await(ctx context.Context, names ...string) (found Event, err error) {
	panicked := false
	err = r.stream.await(ctx, func() bool {
		r.parse()
		for ; r.next < len(r.events); r.next++ {
			found = r.events[r.next]
			panicked = found.Name == "panic" && !slices.Contains(names, "panic")
			if panicked || slices.Contains(names, found.Name) {
				r.next++
				return true
			}
		}
		return false
	})
	switch {
	case err != nil:
		return Event{}, fmt.Errorf("await report of %s: %w", strings.Join(names, ", "), err)
	case panicked:
		return found, fmt.Errorf("await report of %s: %s", strings.Join(names, ", "), found.Line)
	}
	return found, nil
}

// Events returns all events so far.
func (r *Reports) Events() []Event {
	r.stream.mu.Lock()
	defer r.stream.mu.Unlock()
	r.parse()
	return slices.Clone(r.events)
}

// Said returns everything that was said on the report port.
func (r *Reports) Said() []byte { return r.stream.Said() }

// Write writes to the report port, whose other end may take orders.
func (r *Reports) Write(b []byte) (int, error) { return r.stream.Write(b) }
