package router

import (
	"path/filepath"
	"time"

	"waymark/svr/event"
	"waymark/svr/router/eventfile"
)

// journal is the router's log of events with its file. Safe for any goroutine.
type journal struct{ *eventfile.Journal }

func openJournal(set *Settings, router, node string) (*journal, error) {
	j, err := eventfile.OpenJournal(filepath.Join(set.RunDir, EventsFile),
		event.Config{Router: router, Node: node, Process: "router", Damp: true}, set.Log)
	if err != nil {
		return nil, err
	}
	return &journal{j}, nil
}

// set raises or clears an alarm.
func (j *journal) set(a event.Alarm, wrong bool) { j.Set(a, wrong) }

// setAfter raises an alarm when it was wrong for so long; for those who look
// again and again.
func (j *journal) setAfter(a event.Alarm, wrong bool, after time.Duration) {
	j.Change(func(l *event.Log, now time.Time) (event.Record, bool) { return l.SetAfter(now, a, wrong, after) })
}

// level raises the alarm of a pool at 90 % and clears it at 80 %.
func (j *journal) level(a event.Alarm, used, capacity int) {
	j.Change(func(l *event.Log, now time.Time) (event.Record, bool) {
		return l.Level(now, a, uint64(used), uint64(capacity))
	})
}

// above raises an alarm at one value and clears it at a lower one.
func (j *journal) above(a event.Alarm, value, raise, clear int64) {
	j.Change(func(l *event.Log, now time.Time) (event.Record, bool) { return l.Above(now, a, value, raise, clear) })
}

// aboveAfter is above for a value that has to stay there for so long.
func (j *journal) aboveAfter(a event.Alarm, value, raise, clear int64, after time.Duration) {
	j.Change(func(l *event.Log, now time.Time) (event.Record, bool) {
		return l.AboveAfter(now, a, value, raise, clear, after)
	})
}

// tick ends alarms that flapped and are quiet now.
func (j *journal) tick() { j.Tick() }

// shelve says which alarms are hidden from now on.
func (j *journal) shelve(maintenance bool, shelves []event.Shelf) {
	j.Look(func(l *event.Log) { l.Shelve(maintenance, shelves) })
}

// tell notes an event.
func (j *journal) tell(e event.Event) { j.Tell(e) }

// wrong counts the active alarms that are not shelved.
func (j *journal) wrong() (n int) {
	for _, a := range j.active() {
		if a.Shelf == "" {
			n++
		}
	}
	return n
}

func (j *journal) active() (list []event.Record) {
	j.Look(func(l *event.Log) { list = l.Active() })
	return list
}

func (j *journal) events() (list []event.Record) {
	j.Look(func(l *event.Log) { list = l.Events() })
	return list
}

func (j *journal) stats() (s event.Stats) {
	j.Look(func(l *event.Log) { s = l.Stats() })
	return s
}

func (j *journal) close() error { return j.Close() }
