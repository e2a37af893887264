package router

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"waymark/svr/event"
)

// eventsMax bounds EventsFile in bytes; then it becomes EventsOld.
const eventsMax = 512 << 10

// eventFile appends events as JSON lines and keeps two files of bounded size.
type eventFile struct {
	dir  string
	f    *os.File
	size int64
}

// openEventFile opens the file for appending and returns the number of the last
// event that is in it, 0 for none.
func openEventFile(dir string) (*eventFile, uint64, error) {
	last := max(lastEvent(filepath.Join(dir, EventsOld)), lastEvent(filepath.Join(dir, EventsFile)))
	e := &eventFile{dir: dir}
	return e, last, e.open()
}

func (e *eventFile) open() error {
	f, err := os.OpenFile(filepath.Join(e.dir, EventsFile), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
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
func (e *eventFile) endLine() error {
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

func (e *eventFile) append(r event.Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	line = append(line, '\n')
	if e.size+int64(len(line)) > eventsMax {
		if err := e.rotate(); err != nil {
			return err
		}
	}
	n, err := e.f.Write(line)
	e.size += int64(n)
	return err
}

func (e *eventFile) rotate() error {
	err := errors.Join(e.f.Close(), os.Rename(filepath.Join(e.dir, EventsFile), filepath.Join(e.dir, EventsOld)))
	if err = errors.Join(err, e.open()); err != nil {
		return fmt.Errorf("rotate events: %w", err)
	}
	return nil
}

func (e *eventFile) close() error { return e.f.Close() }

// lastEvent returns the highest event number of a file; a file that is not
// there or cut has what can be read of it.
func lastEvent(name string) (last uint64) {
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
