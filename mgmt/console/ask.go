package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"waymark/mgmt/box"
	"waymark/svr/router/ctl"
)

// Ask asks the router as ctl.AskContext does. To `show system` it adds what
// init tells; where init runs, a router that does not answer is a row too. To
// alarms and events it adds those of the box's other processes.
func Ask(ctx context.Context, run string, req ctl.Request, row func(json.RawMessage) error) (ctl.End, error) {
	if req.Show == ctl.Alarms || req.Show == ctl.AlarmsShelved || strings.HasPrefix(req.Show, ctl.Events) {
		return askAlarms(ctx, run, req, row)
	}
	if req.Show == "entitlement" {
		return askEntitlement(ctx, run, req, row)
	}
	if req.Show != "system" {
		return ctl.AskContext(ctx, run, req, row)
	}
	state, stateErr := box.Read(run)
	if errors.Is(stateErr, fs.ErrNotExist) {
		return ctl.AskContext(ctx, run, req, row)
	}
	if stateErr != nil {
		return ctl.End{}, stateErr
	}
	merged := func(r json.RawMessage) error {
		r, err := state.System(r)
		if err != nil {
			return err
		}
		return row(r)
	}
	end, err := ctl.AskContext(ctx, run, req, merged)
	if errors.Is(err, ctl.ErrNoRouter) {
		return ctl.End{Rows: 1}, merged(nil)
	}
	return end, err
}

// askEntitlement shows what the agent tells, whether the router runs or not.
func askEntitlement(ctx context.Context, run string, req ctl.Request, row func(json.RawMessage) error) (ctl.End, error) {
	rows, err := box.Entitlement(run, time.Now())
	if err != nil {
		return ctl.End{}, err
	}
	for _, r := range rows {
		if err := row(r); err != nil {
			return ctl.End{}, err
		}
	}
	end, err := ctl.AskContext(ctx, run, req, row)
	if errors.Is(err, ctl.ErrNoRouter) && len(rows) > 0 {
		err = nil
	}
	end.Rows += len(rows)
	return end, err
}

// rowsDefault bounds a table on a terminal, as the vendor's consoles do.
const rowsDefault = 50

// errEnough ends an answer whose rows fill the table.
var errEnough = errors.New("enough rows")

// show writes a table to out, at most rows of it.
func show(ctx context.Context, out io.Writer, run string, req ctl.Request, rows int) (ctl.End, error) {
	return showOf(ctx, out, run, req, rows, nil)
}

// showOf is show of those rows that count; nil: all.
func showOf(ctx context.Context, out io.Writer, run string, req ctl.Request, rows int, counts func(json.RawMessage) bool) (ctl.End, error) {
	table, err := ctl.Find(req.Show)
	if err != nil {
		return ctl.End{}, err
	}
	p := ctl.Printer{Table: table, Detail: req.Detail}
	began, n := time.Now(), 0
	end, err := Ask(ctx, run, req, func(row json.RawMessage) error {
		if counts != nil && !counts(row) {
			return nil
		}
		if n++; n > rows {
			return errEnough
		}
		return p.Add(row)
	})
	more := errors.Is(err, errEnough)
	if err != nil && !more {
		return end, routerWords(err)
	}
	if err := p.Flush(out, end, began); err != nil {
		return end, err
	}
	if more {
		_, err = fmt.Fprintf(out, "There are more: `rows N` shows N of them.\n")
		return end, err
	}
	return end, nil
}

// routerWords says in a person's words why the router does not answer.
func routerWords(err error) error {
	switch {
	case errors.Is(err, ctl.ErrNoRouter):
		return fmt.Errorf("the router is not running (%w)", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the router does not answer (%w)", err)
	}
	return err
}

// nameWithin bounds the wait for the router's name.
const nameWithin = time.Second

// learnName asks the router what the box is called; the prompt can do without.
func (s *session) learnName(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, nameWithin)
	defer cancel()
	end, err := ctl.AskContext(ctx, s.o.Run, ctl.Request{Show: "system"}, func(json.RawMessage) error { return nil })
	if err == nil {
		s.name = end.Node
	}
}

// boxName is what the box is called where nothing must go wrong.
func (s *session) boxName(ctx context.Context) string {
	s.learnName(ctx)
	if s.name != "" {
		return s.name
	}
	if state, err := box.Read(s.o.Run); err == nil && state.AssetID != "" {
		return state.AssetID
	}
	return "waymark"
}
