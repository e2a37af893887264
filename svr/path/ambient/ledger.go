// Package ambient keeps the ledger of what a box sends and hears for its own
// sake: per interface, per peer or conductor, and per channel, how many events
// and how many bytes. An event is one packet, its bytes those of IP, both
// directions together. Beside it stands what the profile predicts, and what the
// vendor's settings would cost. It reads no clock.
package ambient

import (
	"cmp"
	"sort"
	"sync"
	"sync/atomic"
)

// The channels of the router. Other processes have their own.
const (
	BFD       = "bfd"            // BFD itself
	KeepAlive = "nat-keep-alive" // what keeps a binding of a NAT
	NATProbe  = "nat-probe"      // what finds out how long it lasts
	LinkTest  = "link-test"      // bursts that measure
	DHCP      = "dhcp"
)

// Month is the time that costs are told for, in seconds: 30 days.
const Month = 30 * 86400

// Key names a row.
type Key struct {
	Interface string `json:"interface"`
	Subject   string `json:"peer-or-conductor"` // empty: nobody in particular
	Channel   string `json:"channel"`
}

// Counter counts one row. Any goroutine; nil counts nothing.
type Counter struct{ events, bytes atomic.Uint64 }

// Add notes one event of so many bytes of IP.
func (c *Counter) Add(bytes int) {
	if c != nil {
		c.events.Add(1)
		c.bytes.Add(uint64(bytes))
	}
}

// Row is one row of the ledger.
type Row struct {
	Key
	Events  uint64 `json:"events"`
	Bytes   uint64 `json:"bytes"`
	Seconds int64  `json:"seconds"` // that it was counted for
	// Predicted is what 30 days cost by plan, of rows that other processes tell;
	// 0: they have none.
	Predicted int64 `json:"predicted-30d,omitempty"`
}

// PerEvent returns the mean bytes of an event, 0 without any.
func (r *Row) PerEvent() float64 {
	if r.Events == 0 {
		return 0
	}
	return float64(r.Bytes) / float64(r.Events)
}

// Daily returns the events of a day at the pace so far.
func (r *Row) Daily() float64 { return float64(r.Events) * 86400 / float64(max(r.Seconds, 1)) }

// Monthly returns the bytes of 30 days at the pace so far.
func (r *Row) Monthly() float64 { return float64(r.Bytes) * Month / float64(max(r.Seconds, 1)) }

// Ledger is all rows of a process. Safe for any goroutine.
type Ledger struct {
	mu   sync.Mutex // guards the rest
	rows map[Key]*Counter
}

// NewLedger makes an empty one.
func NewLedger() *Ledger { return &Ledger{rows: map[Key]*Counter{}} }

// Counter returns the counter of a row, which it makes; nil for a nil ledger.
func (l *Ledger) Counter(k Key) *Counter {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.rows[k]
	if c == nil {
		c = &Counter{}
		l.rows[k] = c
	}
	return c
}

// Rows returns every row in order, counted for so many seconds.
func (l *Ledger) Rows(seconds int64) []Row {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := make([]Row, 0, len(l.rows))
	for k, c := range l.rows {
		list = append(list, Row{Key: k, Events: c.events.Load(), Bytes: c.bytes.Load(), Seconds: seconds})
	}
	Sort(list)
	return list
}

// Sort puts rows into the order in which they are shown.
func Sort(list []Row) {
	sort.Slice(list, func(i, j int) bool {
		a, b := &list[i], &list[j]
		return cmp.Or(cmp.Compare(a.Interface, b.Interface), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.Channel, b.Channel)) < 0
	})
}
