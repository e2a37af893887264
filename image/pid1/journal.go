package pid1

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"waymark/image/supervise"
	"waymark/svr/event"
	"waymark/svr/router/eventfile"
)

// Files of init in the run directory.
const (
	EventsFile = "init-events.jsonl"
	StateFile  = "init.json" // State
)

// journal is init's log of events with its file. The loop's.
type journal struct {
	ev   *event.Log
	file *eventfile.File
}

func (i *Init) openJournal() error {
	if err := os.MkdirAll(RunDir, 0o755); err != nil {
		return err
	}
	f, last, err := eventfile.Open(filepath.Join(RunDir, EventsFile))
	if err != nil {
		return err
	}
	router, node, _ := strings.Cut(i.routerName(), " ")
	i.journal = &journal{file: f, ev: event.New(event.Config{Router: router, Node: node, Process: "init", First: last + 1})}
	i.note(event.Event{Kind: event.KindSystem, Type: "system.started", Category: event.System, Severity: event.Info,
		Source: "init", Message: "System started: " + i.reason.String()})
	return nil
}

// note tells an event.
func (i *Init) note(e event.Event) { i.write(i.journal.ev.Tell(time.Now(), e)) }

// alarm raises or clears one.
func (i *Init) alarm(a event.Alarm, wrong bool) {
	if r, told := i.journal.ev.Set(time.Now(), a, wrong); told {
		i.write(r)
		i.tell(report{"event": "alarm", "type": r.Type, "source": r.Source, "message": r.Message})
	}
}

func (i *Init) write(r event.Record) {
	i.log.Info("event", "type", r.Type, "severity", string(r.Severity), "source", r.Source, "message", r.Message)
	if err := i.journal.file.Append(r); err != nil {
		i.log.Error("cannot write event", "error", err)
	}
}

// crashLoop is the alarm of a service that ends again and again.
func crashLoop(s supervise.State) event.Alarm {
	return event.Alarm{Category: event.Process, Severity: event.Critical, Source: s.Name, Key: "crash-loop\x00" + s.Name,
		Message: fmt.Sprintf("Process %s ends again and again and is left alone (last: %s)", s.Name, s.Last)}
}

// stuck is the alarm of those who make no progress.
func stuck(late []string) event.Alarm {
	return event.Alarm{Category: event.Process, Severity: event.Critical, Source: "watchdog", Key: "stuck",
		Message: "No progress of " + strings.Join(late, ", ") + ": the watchdog is not fed"}
}
