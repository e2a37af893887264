// Package eventfile appends events to a file of a run directory, as JSON lines:
// two files of bounded size, of which one has the newest.
package eventfile

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"

	"waymark/svr/event"
)

// Max bounds the file in bytes; then it becomes the old one.
const Max = 512 << 10

// OldSuffix is what the name of the file with the events before has more.
const OldSuffix = ".1"

// File is one open file of events. One goroutine.
type File struct {
	name string
	f    *os.File
	size int64
}

// Open opens the file for appending and returns the number of the last event
// that is in it, 0 for none.
func Open(name string) (*File, uint64, error) {
	f := &File{name: name}
	return f, max(Last(name+OldSuffix), Last(name)), f.open()
}

func (e *File) open() error {
	f, err := os.OpenFile(e.name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("open events: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("open events: %w", err)
	}
	e.f, e.size = f, info.Size()
	return e.endLine()
}

// endLine ends the line that a killed router may have left unfinished.
func (e *File) endLine() error {
	var b [1]byte
	if e.size == 0 {
		return nil
	}
	if _, err := e.f.ReadAt(b[:], e.size-1); err != nil || b[0] == '\n' {
		return err
	}
	n, err := e.f.Write([]byte{'\n'})
	e.size += int64(n)
	return err
}

// Append writes one event, and exchanges the files first when this one is full.
func (e *File) Append(r event.Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if e.size+int64(len(line)) > Max {
		if err := e.rotate(); err != nil {
			return err
		}
	}
	n, err := e.f.Write(line)
	e.size += int64(n)
	return err
}

func (e *File) rotate() error {
	err := errors.Join(e.f.Close(), os.Rename(e.name, e.name+OldSuffix))
	if err = errors.Join(err, e.open()); err != nil {
		return fmt.Errorf("rotate events: %w", err)
	}
	return nil
}

// Close closes the file.
func (e *File) Close() error { return e.f.Close() }

// Last returns the highest event number of a file; a file that is not
// there or cut has what can be read of it.
func Last(name string) (last uint64) {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) || err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var r struct {
			ID string `json:"id"`
		}
		if json.Unmarshal(s.Bytes(), &r) != nil {
			continue
		}
		n, err := strconv.ParseUint(r.ID[strings.LastIndexByte(r.ID, ':')+1:], 10, 64)
		if err == nil {
			last = max(last, n)
		}
	}
	return last
}

// maxLine bounds a line that Read takes; Append writes shorter ones.
const maxLine = 16 << 10

// Read returns the events of a file and of the one before it, oldest first:
// what can be read of them.
func Read(name string) (list []event.Record) {
	for _, n := range []string{name + OldSuffix, name} {
		f, err := os.Open(n)
		if err != nil {
			continue
		}
		s := bufio.NewScanner(io.LimitReader(f, 2*Max))
		s.Buffer(make([]byte, 4096), maxLine)
		for s.Scan() {
			var r event.Record
			if json.Unmarshal(s.Bytes(), &r) == nil && r.ID != "" {
				list = append(list, r)
			}
		}
		f.Close()
	}
	return list
}

// Active returns the alarms that are active after these events of one process,
// the one raised first first. A process that started has none.
func Active(list []event.Record) (active []event.Record) {
	for _, r := range list {
		switch {
		case r.Kind == event.KindSystem && strings.HasSuffix(r.Type, "started"):
			active = nil
		case r.Kind == event.KindAlarm && r.Type == event.TypeAdd:
			active = append(active, r)
		case r.Kind == event.KindAlarm && r.Type == event.TypeClear:
			active = slices.DeleteFunc(active, func(a event.Record) bool { return a.ID == r.Alarm })
		}
	}
	return active
}
