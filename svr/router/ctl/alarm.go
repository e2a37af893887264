package ctl

import (
	"strings"

	"waymark/svr/event"
)

// Names of tables about alarms and events.
const (
	Alarms        = "alarms"
	AlarmsShelved = "alarms shelved"
	Events        = "events" // and, of one kind, "events KIND"
)

// AlarmValues are the values of an active alarm's row in Alarms or
// AlarmsShelved; nil: it belongs to the other one.
func AlarmValues(what string, a *event.Record) []any {
	last := a.Process
	if what == AlarmsShelved {
		last = a.Shelf
	}
	if (what == AlarmsShelved) != (a.Shelf != "") {
		return nil
	}
	return []any{a.ID, a.Time.UTC(), a.Severity, a.Source, a.Category, a.Message, last}
}

// EventValues are the values of an event's row in Events or the table of one
// kind; nil: it is of another.
func EventValues(what string, e *event.Record) []any {
	if _, kind, one := strings.Cut(what, " "); one && kind != string(e.Kind) {
		return nil
	}
	var shelved, alarm any
	if e.Kind == event.KindAlarm {
		shelved = "not-shelved"
		if e.Shelf != "" {
			shelved = "shelved"
		}
	}
	if e.Alarm != "" {
		alarm = e.Alarm
	}
	return []any{e.Router, e.Node, e.Type, e.Time.UTC(), e.Severity, e.Source, e.Category, e.Message, shelved,
		e.ID, e.Kind, e.Process, alarm}
}
