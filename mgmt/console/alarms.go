package console

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"waymark/svr/event"
	"waymark/svr/router/ctl"
	"waymark/svr/router/eventfile"
)

// othersEvents are the event files of processes beside the router: init's, the
// agent's (docs/run-files.md).
const othersEvents = "*-events.jsonl"

// askAlarms asks the router for alarms or events and adds those that the box's
// other processes told, in the order of their time. With some of those, a router
// that does not answer is no error: that it ended is one of the alarms.
func askAlarms(ctx context.Context, run string, req ctl.Request, row func(json.RawMessage) error) (ctl.End, error) {
	table, err := ctl.Find(req.Show)
	if err != nil {
		return ctl.End{}, err
	}
	files, _ := filepath.Glob(filepath.Join(run, othersEvents)) // the pattern is right
	if len(files) == 0 {
		return ctl.AskContext(ctx, run, req, row)
	}
	m := merger{table: table, enc: ctl.NewEncoder(table, req.Detail)}
	end, err := ctl.AskContext(ctx, run, req, m.own)
	if err != nil && !errors.Is(err, ctl.ErrNoRouter) {
		return end, err
	}
	for _, name := range files {
		if err := m.others(eventfile.Read(name)); err != nil {
			return end, err
		}
	}
	end.Rows, end.Shelved = len(m.rows), end.Shelved+m.shelved
	sort.SliceStable(m.rows, func(i, j int) bool { return m.rows[i].Time.Compare(m.rows[j].Time) < 0 })
	for _, r := range m.rows {
		if err := row(r.line); err != nil {
			return end, err
		}
	}
	return end, nil
}

// timed is a row of a table with a column Time.
type timed struct {
	Time time.Time `json:"time"`
	line json.RawMessage
}

// merger gathers the rows of several processes.
type merger struct {
	table   *ctl.Table
	enc     *ctl.Encoder
	rows    []timed
	shelved int
}

// own takes a row of the router.
func (m *merger) own(line json.RawMessage) error {
	r := timed{line: slices.Clone(line)}
	err := json.Unmarshal(line, &r)
	m.rows = append(m.rows, r)
	return err
}

// others takes the newest events of another process, or what is active after
// them.
func (m *merger) others(list []event.Record) error {
	values := ctl.EventValues
	if alarms := strings.HasPrefix(m.table.What, ctl.Alarms); alarms {
		list, values = eventfile.Active(list), ctl.AlarmValues
	}
	for _, r := range list[max(0, len(list)-event.DefaultEvents):] {
		v := values(m.table.What, &r)
		if v == nil {
			if m.table.What == ctl.Alarms {
				m.shelved++
			}
			continue
		}
		line, err := m.enc.Append(nil, v...)
		if err != nil {
			return err
		}
		m.rows = append(m.rows, timed{r.Time, line})
	}
	return nil
}

// isEvents tells whether a table lists events.
func isEvents(t *ctl.Table) bool {
	return t.What == ctl.Events || strings.HasPrefix(t.What, ctl.Events+" ")
}

// age reads how long ago something was: 45m, 12h, 1d, 1mo of 30 days.
func age(text string) (time.Duration, error) {
	for unit, d := range map[string]time.Duration{"mo": 30 * 24 * time.Hour, "d": 24 * time.Hour} {
		number, ok := strings.CutSuffix(text, unit)
		if n, err := strconv.Atoi(number); ok && err == nil && n >= 0 && n <= 1000 {
			return time.Duration(n) * d, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, errors.New("write 45s, 45m, 12h, 1d or 1mo")
	}
	return d, nil
}

func isAge(text string) error { _, err := age(text); return err }

// between tells which rows of events lie between two ages, which were checked;
// nil: neither was given.
func between(from, to string) func(json.RawMessage) bool {
	if from == "" && to == "" {
		return nil
	}
	now := time.Now()
	oldest, _ := age(from)
	newest, _ := age(to)
	return func(line json.RawMessage) bool {
		var r timed
		if json.Unmarshal(line, &r) != nil {
			return true
		}
		return (from == "" || !r.Time.Before(now.Add(-oldest))) && !r.Time.After(now.Add(-newest))
	}
}
