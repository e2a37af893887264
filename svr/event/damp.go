package event

import (
	"sort"
	"time"
)

// An alarm that was raised FlapRaises times within FlapWindow flaps: it stays
// active until nothing was wrong for FlapHold. A link that comes and goes every
// second then costs a handful of events and not thousands, and the operator
// sees one alarm that stays.
const (
	FlapRaises = 4
	FlapWindow = time.Minute
	FlapHold   = time.Minute
)

// flap counts how often a key was raised.
type flap struct {
	raises int
	since  time.Time // of the first that counts
	last   time.Time // that it was wrong anew
}

// noteFlap counts that a key is raised. With no room left it does not count:
// so many keys at once are bounded by the ring alone.
func (l *Log) noteFlap(at time.Time, key string) {
	if !l.cfg.Damp {
		return
	}
	f := l.flaps[key]
	if f.raises == 0 || at.Sub(f.since) > FlapWindow {
		f = flap{since: at}
	}
	if f.raises == 0 && len(l.flaps) >= 2*l.cfg.Alarms {
		return
	}
	f.raises++
	f.last = at
	l.flaps[key] = f
}

// again notes that a held alarm, thought to be over, is not.
func (l *Log) again(at time.Time, key string, a alarm) {
	a.over = time.Time{}
	l.active[key] = a
	f := l.flaps[key]
	f.last = at
	l.flaps[key] = f
}

// held tells whether a key flaps.
func (l *Log) held(at time.Time, key string) bool {
	f := l.flaps[key]
	return f.raises >= FlapRaises && at.Sub(f.last) < FlapHold
}

// Tick ends held alarms that nothing is wrong with any more and forgets old
// counts. Call it about every second. It returns the events that were told.
func (l *Log) Tick(at time.Time) (told []Record) {
	var over []string
	for key, a := range l.active {
		if !a.over.IsZero() && at.Sub(a.over) >= FlapHold {
			over = append(over, key)
		}
	}
	sort.Slice(over, func(i, j int) bool { return l.active[over[i]].Seq < l.active[over[j]].Seq })
	for _, key := range over {
		delete(l.flaps, key)
		told = append(told, l.end(at, key, l.active[key]))
	}
	for key, f := range l.flaps {
		if _, active := l.active[key]; !active && at.Sub(f.since) > FlapWindow {
			delete(l.flaps, key)
		}
	}
	return told
}

// SetAfter is Set for what is wrong only when it stays wrong for so long. It is
// to be called again and again; a single good look begins the wait anew.
func (l *Log) SetAfter(at time.Time, a Alarm, wrong bool, after time.Duration) (Record, bool) {
	key := cleanKey(a.Key)
	if !wrong {
		delete(l.waits, key)
		return l.Clear(at, key)
	}
	since, ok := l.waits[key]
	if !ok && len(l.waits) >= 2*l.cfg.Alarms {
		return Record{}, false // whoever looks again later finds room
	}
	if !ok {
		since = at
		l.waits[key] = at
	}
	if at.Sub(since) < after {
		return Record{}, false
	}
	return l.Raise(at, a)
}

// Above raises an alarm when a value reaches raise and clears it when the value
// is down to clear; in between nothing changes.
func (l *Log) Above(at time.Time, a Alarm, value, raise, clear int64) (Record, bool) {
	switch {
	case value >= raise:
		return l.Raise(at, a)
	case value <= clear:
		return l.Clear(at, a.Key)
	}
	return Record{}, false
}

// AboveAfter is Above for a value that has to stay at raise or above for so
// long. It is to be called again and again.
func (l *Log) AboveAfter(at time.Time, a Alarm, value, raise, clear int64, after time.Duration) (Record, bool) {
	if _, active := l.active[cleanKey(a.Key)]; active && value > clear {
		return Record{}, false
	}
	return l.SetAfter(at, a, value >= raise, after)
}
