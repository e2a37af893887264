package ctl

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// right tells whether cells of the column stand at its right edge.
func (c Column) right() bool {
	return c.Kind == Number || c.Kind == Decimal || c.Kind == Percent
}

// text returns the lines of a cell.
func (c Column) text(v json.RawMessage) ([]string, error) {
	if len(v) == 0 || string(v) == "null" {
		return []string{c.empty()}, nil
	}
	if c.Kind == List {
		var list []string
		if err := json.Unmarshal(v, &list); err != nil {
			return nil, err
		}
		if len(list) == 0 {
			list = []string{c.empty()}
		}
		return list, nil
	}
	s, err := c.line(v)
	return []string{s}, err
}

func (c Column) empty() string {
	if c.Empty != "" {
		return c.Empty
	}
	return "-"
}

func (c Column) line(v json.RawMessage) (string, error) {
	switch c.Kind {
	case Text:
		var s string
		err := json.Unmarshal(v, &s)
		return s, err
	case Time:
		var t time.Time
		err := json.Unmarshal(v, &t)
		return t.UTC().Format("2006-01-02 15:04:05"), err
	case Number, Bool:
		return string(v), nil
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil {
		return "", err
	}
	switch c.Kind {
	case Decimal:
		return fmt.Sprintf("%.2f", f), nil
	case Percent:
		return fmt.Sprintf("%.1f %%", f), nil
	case Clock:
		return clock(int64(f)), nil
	case Span:
		return span(int64(f)), nil
	}
	return string(v), nil
}

// clock writes seconds as the table of sessions does.
func clock(s int64) string {
	return fmt.Sprintf("%d days %2d:%02d:%02d", s/86400, s/3600%24, s/60%60, s%60)
}

// span writes seconds as the table of peers does: 12d4h31m, 5m20s.
func span(s int64) string {
	switch {
	case s >= 86400:
		return fmt.Sprintf("%dd%dh%dm", s/86400, s/3600%24, s/60%60)
	case s >= 3600:
		return fmt.Sprintf("%dh%dm", s/3600, s/60%60)
	case s >= 60:
		return fmt.Sprintf("%dm%ds", s/60, s%60)
	}
	return fmt.Sprintf("%ds", s)
}
