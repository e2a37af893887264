package agent

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"waymark/svr/event"
	"waymark/svr/router/eventfile"
)

// journal is the agent's own log of events, a file as the other processes have.
// Safe for any goroutine.
type journal struct {
	*eventfile.Journal
	log *slog.Logger
}

func openJournal(run string, log *slog.Logger) (*journal, error) {
	if err := os.MkdirAll(run, 0o755); err != nil {
		return nil, fmt.Errorf("open events: %w", err)
	}
	file, err := eventfile.OpenJournal(filepath.Join(run, eventsFile), event.Config{Router: "box", Node: "agent", Process: "agent"}, log)
	if err != nil {
		return nil, err
	}
	j := &journal{file, log}
	j.tell(event.Event{Kind: event.KindSystem, Type: "system.started", Category: event.Process, Severity: event.Info,
		Source: "agent", Message: "Process agent is now active"})
	return j, nil
}

// tell notes an event.
func (j *journal) tell(e event.Event) { j.Tell(e) }

// connectivity raises or clears the vendor's alarm about a conductor.
func (j *journal) connectivity(conductor string, ok bool) {
	j.Set(event.NoConnectivity(conductor), !ok)
}

func (j *journal) close() {
	if err := j.Close(); err != nil {
		j.log.Warn("cannot close events", "err", err)
	}
}
