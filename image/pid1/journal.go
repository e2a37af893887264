package pid1

import (
	"os"
	"path/filepath"
	"strings"

	"waymark/svr/event"
	"waymark/svr/router/eventfile"
)

// EventsFile is init's in the run directory, beside those of mgmt/box.
const EventsFile = "init-events.jsonl"

func (i *Init) openJournal() error {
	if err := os.MkdirAll(RunDir, 0o755); err != nil {
		return err
	}
	router, node, _ := strings.Cut(i.routerName(), " ")
	j, err := eventfile.OpenJournal(filepath.Join(RunDir, EventsFile), event.Config{Router: router, Node: node, Process: "init"}, i.log)
	if err != nil {
		return err
	}
	i.journal = j
	i.note(event.Event{Kind: event.KindSystem, Type: "system.started", Category: event.System, Severity: event.Info,
		Source: "init", Message: "System started: " + i.reason.String()})
	return nil
}

// note tells an event.
func (i *Init) note(e event.Event) { i.journal.Tell(e) }

// alarm raises or clears one.
func (i *Init) alarm(a event.Alarm, wrong bool) {
	if r, told := i.journal.Set(a, wrong); told {
		i.tell(report{"event": "alarm", "type": r.Type, "source": r.Source, "message": r.Message})
	}
}

// alarmTrial tells of an image that did not prove itself, until another did.
func (i *Init) alarmTrial() {
	st := i.slotStatus()
	i.alarm(event.TrialFailed(st.RefusedVersion, st.RefusedReason), st.RefusedVersion != "")
}
