package pid1

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// port is a serial port that is written by a goroutine of its own: what it does
// not take in time is dropped, so that nobody waits for a terminal. Safe for any
// goroutine.
type port struct {
	f    *os.File
	text chan string
}

func openPort(device string, spawn func(func())) (*port, error) {
	f, err := os.OpenFile("/dev/"+device, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	p := &port{f: f, text: make(chan string, 256)}
	spawn(func() {
		for t := range p.text {
			_, _ = f.WriteString(t) // a port that is gone says nothing
		}
	})
	return p, nil
}

func (p *port) say(text string) {
	if p == nil {
		return
	}
	select {
	case p.text <- text:
	default:
	}
}

// say prints on the console.
func (i *Init) say(format string, args ...any) { i.console.say(fmt.Sprintf(format, args...)) }

// report is one line of the report port.
type report map[string]any

// tell writes a report. Safe for any goroutine.
func (i *Init) tell(r report) {
	if i.report == nil {
		return
	}
	r["t"] = math.Round(now().Seconds()*1000) / 1000
	line, err := json.Marshal(r)
	if err != nil {
		i.log.Error("cannot report", "error", err)
		return
	}
	i.report.say(string(line) + "\n")
}

// kernelLog writes into the kernel's ring, which survives every process and never
// makes anybody wait.
func kernelLog() *slog.Logger {
	f, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0)
	if err != nil {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(&ring{f: f, who: "init"}, &slog.HandlerOptions{
		ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{} // the ring has its own
			}
			return a
		},
	}))
}

// ring writes lines of one process into the kernel's ring, with a priority that
// their level says.
type ring struct {
	f   *os.File // nil: there is none
	who string
}

// lineMax is what the kernel takes of a line, with room for what it adds.
const lineMax = 900

// Write implements io.Writer for one whole line.
func (r *ring) Write(line []byte) (int, error) {
	text, priority := strings.TrimSpace(string(line)), 6
	switch {
	case strings.Contains(text, "level=ERROR"):
		priority = 3
	case strings.Contains(text, "level=WARN"):
		priority = 4
	}
	if len(text) > lineMax {
		text = text[:lineMax] + "…"
	}
	if r.f == nil {
		return len(line), nil
	}
	_, err := fmt.Fprintf(r.f, "<%d>%s: %s\n", priority, r.who, text)
	return len(line), err
}
