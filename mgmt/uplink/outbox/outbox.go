package outbox

import (
	"context"
	"fmt"
	"sync"

	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/queue"
)

// Outbox brings a board to one conductor. It implements client.Outbox: one
// goroutine calls those methods.
type Outbox struct {
	board *Board
	name  string
	read  *queue.Reader

	// Versions of the board that the conductor has.
	addrs, samples, config uint64
	full                   bool // it had all addresses since it was connected

	epoch  string         // that read reads
	settle func()         // what is so once the last report is kept
	from   uint64         // event after which the last batch began
	events *uplink.Events // the last report, if it is events

	mu      sync.Mutex // guards what follows, which tables show
	pending bool       // an address was not acknowledged yet
}

// For makes the outbox of a conductor; name tells it apart in the queue.
func (b *Board) For(name string) *Outbox {
	return &Outbox{board: b, name: name, read: b.q.Reader(0), pending: true}
}

// Resume is client.Outbox's.
func (o *Outbox) Resume(at uplink.Position) {
	o.full, o.settle, o.events = false, nil, nil
	o.addrs, o.config = 0, 0
	q := o.board.q
	switch {
	case at.Epoch != q.Epoch():
		o.read.Seek(0)
	case at.Seq > q.Last():
		// It has events that this disk does not know: it went back in time.
		if err := q.Renew(); err != nil {
			return // Next tells
		}
		o.read.Seek(0)
	default:
		q.Acked(o.name, at.Seq)
		o.read.Seek(at.Seq)
	}
	o.epoch = q.Epoch()
}

// Next is client.Outbox's. Addresses go first: packets of others wait for them.
func (o *Outbox) Next(ctx context.Context) (uplink.Message, error) {
	for {
		changed, grown := o.board.signals()
		m, err := o.take()
		if m != nil || err != nil {
			return m, err
		}
		select {
		case <-changed:
		case <-grown:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take returns what is to be reported now, or nil.
func (o *Outbox) take() (uplink.Message, error) {
	o.events = nil
	if u, v := o.board.addresses(o.addrs, !o.full); !o.full || len(u.Addresses) > 0 {
		o.setPending(true)
		o.settle = func() { o.full, o.addrs = true, v; o.setPending(false) }
		return u, nil
	}
	if s, v := o.board.configAfter(o.config); s != nil {
		o.settle = func() { o.config = v }
		return s, nil
	}
	if epoch := o.board.q.Epoch(); epoch != o.epoch { // another conductor knew better
		o.read.Seek(0)
		o.epoch = epoch
	}
	e, err := o.read.Batch()
	if err != nil {
		return nil, fmt.Errorf("report events: %w", err)
	}
	if e != nil {
		last := e.Events[len(e.Events)-1].Seq
		o.events, o.from = e, e.Events[0].Seq-e.Lost-1
		o.settle = func() { o.board.q.Acked(o.name, last) }
		return e, nil
	}
	if s, v := o.board.entitlement(o.samples); s != nil {
		o.settle = func() { o.samples = v }
		return s, nil
	}
	return nil, nil
}

// Settle is client.Outbox's.
func (o *Outbox) Settle(r *uplink.Refused) {
	switch {
	case r == nil || r.Final:
		o.settle()
	case o.events != nil:
		o.read.Seek(o.from)
	}
}

func (o *Outbox) setPending(v bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.pending = v
}

// AddressesPending tells whether the conductor lacks an address.
func (o *Outbox) AddressesPending() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.pending
}
