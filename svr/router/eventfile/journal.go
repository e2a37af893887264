package eventfile

import (
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"waymark/svr/event"
)

// Journal is a process's log of events with its file. Safe for any goroutine.
type Journal struct {
	log  *slog.Logger
	mu   sync.Mutex // guards the rest
	ev   *event.Log
	file *File
}

// OpenJournal opens a log that goes on with the numbers in the file of that name;
// cfg.First is of no account. What is written goes to log as well.
func OpenJournal(name string, cfg event.Config, log *slog.Logger) (*Journal, error) {
	f, last, err := Open(name)
	if err != nil {
		return nil, err
	}
	cfg.First = last + 1
	return &Journal{log: log, file: f, ev: event.New(cfg)}, nil
}

// Change changes the log and writes the record that comes of it, if one does.
func (j *Journal) Change(change func(l *event.Log, now time.Time) (event.Record, bool)) (event.Record, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, told := change(j.ev, time.Now())
	if told {
		j.write(r)
	}
	return r, told
}

// Tell notes an event.
func (j *Journal) Tell(e event.Event) {
	j.Change(func(l *event.Log, now time.Time) (event.Record, bool) { return l.Tell(now, e), true })
}

// Set raises or clears an alarm; false: it was so before.
func (j *Journal) Set(a event.Alarm, wrong bool) (event.Record, bool) {
	return j.Change(func(l *event.Log, now time.Time) (event.Record, bool) { return l.Set(now, a, wrong) })
}

// Tick ends alarms that flapped and are quiet now.
func (j *Journal) Tick() {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.ev.Tick(time.Now()) {
		j.write(r)
	}
}

// Look gives the log to somebody who keeps nothing of it and tells nothing.
func (j *Journal) Look(look func(l *event.Log)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	look(j.ev)
}

// write appends a record; mu is held. A file that cannot be written must not stop
// a process.
func (j *Journal) write(r event.Record) {
	j.log.Info("event", "type", r.Type, "severity", string(r.Severity), "source", r.Source, "message", r.Message)
	if err := j.file.Append(r); err != nil && !errors.Is(err, os.ErrClosed) {
		j.log.Warn("cannot write event", "error", err)
	}
}

// Close closes the file; what is told after that is not written.
func (j *Journal) Close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.file.Close()
}
