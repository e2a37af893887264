package console

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
	"unicode"

	"waymark/mgmt/console/cli"
	"waymark/svr/event"
)

// Logs in the run directory (docs/run-files.md).
const (
	logDir      = "log"  // NAME.log of each process, written by init
	logEnd      = ".log" // and NAME.log.1, the lines before
	events      = "events"
	eventsFile  = "events.jsonl"      // the router's
	initEvents  = "init-events.jsonl" // init's
	followEvery = 500 * time.Millisecond
)

var logArgs = []cli.Arg{
	{Name: "of", Help: "what to show (events)", Optional: true,
		Values: fixed(events, "what happened", "router", "log of the router", "init", "log of init", "agent", "log of the agent",
			"console", "log of the serial port's console", "kernel", "what the kernel said"),
		Check: oneOf(events, "router", "init", "agent", "console", "kernel")},
	{Name: "lines", Help: "how many of the newest (20)", Keyword: true, Check: number(0, 10000)},
	{Name: "follow", Help: "and what comes, until ^C", Keyword: true, Flag: true},
}

func (s *session) runLog(ctx context.Context, in *cli.Input) error {
	of, n := in.Get("of"), get(in, "lines", 20)
	if of == "" {
		of = events
	}
	list := openTails(s.logFiles(of))
	if len(list) == 0 {
		return fmt.Errorf("there is no log of %s in %s", of, s.o.Run)
	}
	defer closeTails(list)
	show := plainLine
	if of == events {
		show = eventLine
	}
	var lines []string
	for _, t := range list {
		newest, err := t.newest(n)
		if err != nil {
			return err
		}
		lines = append(lines, newest...)
	}
	if err := writeNewest(in.Out, lines, n, show); err != nil || !in.Has("follow") {
		return err
	}
	return follows(ctx, in.Out, list, show)
}

// logFiles are the files of one kind.
func (s *session) logFiles(of string) []string {
	if of == events {
		return []string{filepath.Join(s.o.Run, eventsFile), filepath.Join(s.o.Run, initEvents)}
	}
	return []string{filepath.Join(s.o.Run, logDir, of+logEnd)}
}

// writeNewest writes the last n lines of several files, by time where they
// tell it.
func writeNewest(w io.Writer, lines []string, n int, show func(string) (string, time.Time)) error {
	type line struct {
		text string
		at   time.Time
	}
	list := make([]line, len(lines))
	for i, l := range lines {
		list[i].text, list[i].at = show(l)
	}
	sort.SliceStable(list, func(i, j int) bool { return list[i].at.Compare(list[j].at) < 0 })
	for _, l := range list[max(0, len(list)-n):] {
		if _, err := fmt.Fprintln(w, l.text); err != nil {
			return err
		}
	}
	return nil
}

// follows writes what comes until ctx ends.
func follows(ctx context.Context, w io.Writer, list []*tail, show func(string) (string, time.Time)) error {
	every := time.NewTicker(followEvery)
	defer every.Stop()
	for {
		for _, t := range list {
			lines, err := t.more()
			if err != nil {
				return err
			}
			for _, l := range lines {
				text, _ := show(l)
				if _, err := fmt.Fprintln(w, text); err != nil {
					return err
				}
			}
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return nil // the user has seen enough
		}
	}
}

// plainLine is a line of a log as a terminal may have it.
func plainLine(line string) (string, time.Time) {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return '?'
		}
		return r
	}, line), time.Time{}
}

// eventLine is an event in one line.
func eventLine(line string) (string, time.Time) {
	var r event.Record
	if json.Unmarshal([]byte(line), &r) != nil {
		return plainLine(line)
	}
	text := fmt.Sprintf("%s  %-8s %-5s %-17s %s", r.Time.UTC().Format("2006-01-02 15:04:05"), r.Severity, r.Type, r.Category, r.Message)
	if r.Kind != event.KindAlarm {
		text = fmt.Sprintf("%s  %-8s %-5s %-17s %s", r.Time.UTC().Format("2006-01-02 15:04:05"), r.Severity, "event", r.Category, r.Message)
	}
	text, _ = plainLine(text)
	return text, r.Time
}

// openTails opens those files that are there.
func openTails(names []string) (list []*tail) {
	for _, name := range names {
		if f, err := os.Open(name); err == nil {
			list = append(list, &tail{name: name, f: f})
		}
	}
	return list
}

func closeTails(list []*tail) {
	for _, t := range list {
		t.f.Close()
	}
}
