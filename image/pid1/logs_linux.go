package pid1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"waymark/image/logfile"
	"waymark/net/keep"
)

// logDir has the logs of the box's processes (docs/run-files.md). Below the data
// partition a folder of the same name has what was kept at the last end.
const logDir = RunDir + "/log"

// logs are the open logs by process; the loop's.
type logs map[string]*logfile.File

// of returns the log of a process, nil, which takes everything, if there can be none.
func (l logs) of(name string) *logfile.File {
	f := l[name]
	if f == nil {
		var err error
		if f, err = logfile.Open(logDir, name); err != nil {
			return nil
		}
		l[name] = f
	}
	return f
}

// openLog opens init's own log: the kernel's ring, and a file. Nobody waits for
// either.
func (i *Init) openLog() {
	i.logs = logs{}
	ring := kernelLog()
	f, err := logfile.Open(logDir, "init")
	if err != nil {
		i.log = ring
		i.log.Warn("no log files", "error", err)
		return
	}
	i.log = slog.New(slog.NewMultiHandler(ring.Handler(), slog.NewTextHandler(f, nil)))
}

// keepLogs copies the newest lines of every log to the data partition, for after
// the boot.
func (i *Init) keepLogs(why string) {
	if i.data == nil {
		return
	}
	err := logfile.Keep(logDir, filepath.Join(i.data.root, "log"), why, func(name string, b []byte) error { return keep.Replace(name, b, 0o600) })
	if err != nil {
		i.log.Error("cannot keep logs", "error", err)
	}
}

// restoreLogs gives back what was kept at the last end.
func (i *Init) restoreLogs() {
	if i.data == nil {
		return
	}
	if err := logfile.Restore(filepath.Join(i.data.root, "log"), logDir); err != nil {
		i.log.Warn("logs of the boot before are lost", "error", err)
	}
}

// listen relays what a process says to its log and to the kernel's ring. Neither
// makes it wait.
func listen(r *os.File, who string, log io.Writer) {
	to := &ring{who: who}
	if f, err := os.OpenFile("/dev/kmsg", os.O_WRONLY, 0); err == nil {
		defer f.Close()
		to.f = f
	}
	relay(r, log, to)
}

// relay copies lines until whoever writes them, and all that it started, are gone.
func relay(r *os.File, to ...io.Writer) {
	defer r.Close()
	in := bufio.NewReaderSize(r, logfile.LineMax)
	for {
		line, _, err := in.ReadLine() // longer lines come in parts
		if err != nil {
			return
		}
		for _, w := range to {
			_, _ = w.Write(line) // what one does not take the others have
		}
	}
}

// followKernel copies what the kernel itself says into its log, for as long as
// the box runs.
func (i *Init) followKernel(log io.Writer) {
	f, err := os.Open("/dev/kmsg")
	if err != nil {
		i.log.Warn("the kernel's words are in its ring alone", "error", err)
		return
	}
	defer f.Close()
	b := make([]byte, 8<<10) // a record is never longer (linux/printk: CONSOLE_EXT_LOG_MAX)
	for {
		n, err := f.Read(b)
		if errors.Is(err, syscall.EPIPE) {
			continue // we were too slow; the next record is the oldest that is left
		}
		if err != nil {
			i.log.Warn("the kernel's words are lost", "error", err)
			return
		}
		if line, ok := kernelLine(b[:n]); ok {
			_, _ = log.Write(line)
		}
	}
}

// kernelLine is a record of /dev/kmsg as people read it, if the kernel itself said
// it: "PRIORITY,NUMBER,MICROSECONDS,FLAGS;TEXT" (Documentation/ABI/testing/dev-kmsg).
func kernelLine(record []byte) (line []byte, ok bool) {
	head, text, ok := bytes.Cut(record, []byte{';'})
	fields := strings.Split(string(head), ",")
	if !ok || len(fields) < 3 {
		return nil, false
	}
	priority, err := strconv.Atoi(fields[0])
	const perFacility = 8 // the kernel's own is the first
	if err != nil || priority >= perFacility {
		return nil, false
	}
	micros, err := strconv.ParseUint(fields[2], 10, 64)
	if err != nil {
		return nil, false
	}
	text, _, _ = bytes.Cut(text, []byte{'\n'}) // behind it come the device's properties
	return fmt.Appendf(nil, "[%5d.%06d] %s", micros/1e6, micros%1e6, text), true
}
