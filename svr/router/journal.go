package router

import (
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"waymark/svr/event"
	"waymark/svr/router/eventfile"
)

// journal is the router's log of events with its file. Safe for any goroutine.
type journal struct {
	log  *slog.Logger
	mu   sync.Mutex // guards the rest
	ev   *event.Log
	file *eventfile.File
}

func openJournal(set *Settings, router, node string) (*journal, error) {
	f, last, err := eventfile.Open(filepath.Join(set.RunDir, EventsFile))
	if err != nil {
		return nil, err
	}
	return &journal{log: set.Log, file: f, ev: event.New(event.Config{
		Router: router, Node: node, Process: "router", First: last + 1,
	})}, nil
}

// set raises or clears an alarm.
func (j *journal) set(a event.Alarm, wrong bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if rec, told := j.ev.Set(time.Now(), a, wrong); told {
		j.write(rec)
	}
}

// level raises the alarm of a pool at 90 % and clears it at 80 %.
func (j *journal) level(a event.Alarm, used, capacity int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if rec, told := j.ev.Level(time.Now(), a, uint64(used), uint64(capacity)); told {
		j.write(rec)
	}
}

// tell notes an event.
func (j *journal) tell(e event.Event) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.write(j.ev.Tell(time.Now(), e))
}

// write appends a record to the file; mu is held. A file that cannot be
// written must not stop a router.
func (j *journal) write(r event.Record) {
	j.log.Info("event", "type", r.Type, "severity", string(r.Severity), "source", r.Source, "message", r.Message)
	if err := j.file.Append(r); err != nil {
		j.log.Warn("cannot write event", "error", err)
	}
}

func (j *journal) active() []event.Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ev.Active()
}

func (j *journal) events() []event.Record {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ev.Events()
}

func (j *journal) stats() event.Stats {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.ev.Stats()
}

func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file.Close()
}
