package event

import (
	"cmp"
	"sort"
	"strconv"
	"time"
)

// The default bounds of a Log.
const (
	DefaultEvents = 1024
	DefaultAlarms = 512
)

// Config names the process that tells, and the bounds.
type Config struct {
	Router, Node, Process string
	Events                int    // size of the ring, 0 = DefaultEvents
	Alarms                int    // most alarms active at once, 0 = DefaultAlarms
	First                 uint64 // n of the first ID, 0 = 1; a restarted process goes on with it
	// Damp holds alarms that flap (damp.go); Tick has to be called then.
	Damp bool
}

// Stats are the figures of a Log for "show capacity".
type Stats struct {
	Events, EventCapacity int
	Alarms, AlarmCapacity int
	HighestAlarms         int
	Refused               uint64 // alarms for which there was no room
	Told                  uint64 // events since the start
}

// alarm is an active one and the source that its events name.
type alarm struct {
	Record
	eventSource string
	over        time.Time // since when a held one is over; zero: it is not
}

// Log keeps the newest events and the active alarms. One goroutine.
type Log struct {
	cfg     Config
	ring    []Record // event n is at (n-first) mod cap
	next    uint64   // n of the next event
	active  map[string]alarm
	flaps   map[string]flap      // of keys raised lately
	waits   map[string]time.Time // since when SetAfter sees what is wrong
	shelves []Shelf
	maint   bool // everything is shelved
	highest int
	refused uint64
}

// New makes an empty log; its memory is bounded from here on.
func New(cfg Config) *Log {
	if cfg.Events <= 0 {
		cfg.Events = DefaultEvents
	}
	if cfg.Alarms <= 0 {
		cfg.Alarms = DefaultAlarms
	}
	cfg.First = max(cfg.First, 1)
	cfg.Router, cfg.Node, cfg.Process = clean(cfg.Router), clean(cfg.Node), clean(cfg.Process)
	return &Log{
		cfg:    cfg,
		ring:   make([]Record, 0, cfg.Events),
		next:   cfg.First,
		active: make(map[string]alarm, cfg.Alarms),
		flaps:  map[string]flap{},
		waits:  map[string]time.Time{},
	}
}

// Raise makes an alarm active and tells an add event. It returns the record and
// true; if the key is active already it returns the record that is, and false:
// nothing is told or changed. Without room the alarm is refused and counted,
// the record is empty; raising it again later is right.
func (l *Log) Raise(at time.Time, a Alarm) (Record, bool) {
	key := cleanKey(a.Key)
	if old, ok := l.active[key]; ok {
		if !old.over.IsZero() {
			l.again(at, key, old)
		}
		return old.Record, false
	}
	if len(l.active) >= l.cfg.Alarms {
		l.refused++
		return Record{}, false
	}
	l.noteFlap(at, key)
	r := Record{
		Source: clean(cmp.Or(a.EventSource, a.Source)), Category: a.Category, Severity: a.Severity,
		Message: clean(a.Message), Kind: KindAlarm, Type: TypeAdd,
	}
	r.Shelf = l.judge(&r)
	r = l.tell(at, r)
	r.Source = clean(a.Source)
	l.active[key] = alarm{Record: r, eventSource: clean(cmp.Or(a.EventSource, a.Source))}
	l.highest = max(l.highest, len(l.active))
	return r, true
}

// Clear ends an alarm and tells a clear event, which it returns with true. If
// the key is not active it does nothing and returns false; so it does with one
// that flaps, which Tick ends.
func (l *Log) Clear(at time.Time, key string) (Record, bool) {
	key = cleanKey(key)
	a, ok := l.active[key]
	if !ok {
		return Record{}, false
	}
	if l.held(at, key) {
		if a.over.IsZero() {
			a.over = at
			l.active[key] = a
		}
		return Record{}, false
	}
	return l.end(at, key, a), true
}

// end tells that an alarm is over.
func (l *Log) end(at time.Time, key string, a alarm) Record {
	delete(l.active, key)
	r := a.Record
	r.Source, r.Type = a.eventSource, TypeClear
	return l.tell(at, r)
}

// Set raises the alarm when wrong is true and clears it when false, for
// conditions that are looked at again and again. It returns the event that was
// told, if any.
func (l *Log) Set(at time.Time, a Alarm, wrong bool) (Record, bool) {
	if wrong {
		return l.Raise(at, a)
	}
	return l.Clear(at, a.Key)
}

// Tell notes an event that is no alarm and returns its record.
func (l *Log) Tell(at time.Time, e Event) Record {
	return l.tell(at, Record{
		Source: clean(e.Source), Category: e.Category, Severity: e.Severity,
		Message: clean(e.Message), Kind: e.Kind, Type: clean(e.Type), Addresses: e.Addresses,
	})
}

// tell stamps r and puts it into the ring in place of the oldest.
func (l *Log) tell(at time.Time, r Record) Record {
	r.Seq = l.next
	r.ID = l.cfg.Node + "." + l.cfg.Router + ":" + strconv.FormatUint(l.next, 10)
	r.Time = at.UTC().Truncate(time.Millisecond)
	r.Router, r.Node, r.Process = l.cfg.Router, l.cfg.Node, l.cfg.Process
	if r.Kind == KindAlarm && r.Type == TypeAdd {
		r.Alarm = r.ID
	}
	if len(l.ring) < l.cfg.Events {
		l.ring = append(l.ring, r)
	} else {
		l.ring[l.slot(l.next)] = r
	}
	l.next++
	return r
}

func (l *Log) slot(n uint64) int { return int((n - l.cfg.First) % uint64(l.cfg.Events)) }

// Active returns the active alarms, the one raised first first.
func (l *Log) Active() []Record {
	all := make([]Record, 0, len(l.active))
	for _, a := range l.active {
		all = append(all, a.Record)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Seq < all[j].Seq })
	return all
}

// Events returns the events still in the ring, the oldest first.
func (l *Log) Events() []Record { return l.Since(0) }

// Since returns the events with Seq above seq that are still in the ring, the
// oldest first. A first Seq above seq+1 means that some were overwritten.
func (l *Log) Since(seq uint64) []Record {
	if seq >= l.next-1 {
		return nil
	}
	from := max(l.next-uint64(len(l.ring)), seq+1)
	all := make([]Record, 0, l.next-from)
	for n := from; n < l.next; n++ {
		all = append(all, l.ring[l.slot(n)])
	}
	return all
}

// Stats returns the figures of the log.
func (l *Log) Stats() Stats {
	return Stats{
		Events: len(l.ring), EventCapacity: l.cfg.Events,
		Alarms: len(l.active), AlarmCapacity: l.cfg.Alarms,
		HighestAlarms: l.highest, Refused: l.refused, Told: l.next - l.cfg.First,
	}
}
