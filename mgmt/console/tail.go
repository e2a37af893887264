package console

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// tailMax bounds what is read of a log at once, in bytes.
const tailMax = 256 << 10

// tail reads the end of a file that grows and is replaced from time to time.
type tail struct {
	name string
	f    *os.File
	off  int64
}

// newest returns the last n whole lines, those of the file before it included
// when this one is short, and goes to the end.
func (t *tail) newest(n int) ([]string, error) {
	st, err := t.f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	t.off = max(0, st.Size()-tailMax)
	cut := t.off > 0
	lines, err := t.read()
	if err != nil {
		return nil, err
	}
	if cut && len(lines) > 0 {
		lines = lines[1:] // its beginning is not there
	}
	if len(lines) < n && !cut {
		lines = append(before(t.name+".1"), lines...)
	}
	return lines[max(0, len(lines)-n):], nil
}

// before returns the last lines of a file that has been put away.
func before(name string) []string {
	f, err := os.Open(name)
	if err != nil {
		return nil
	}
	defer f.Close()
	t := &tail{name: name, f: f}
	if st, err := f.Stat(); err == nil {
		t.off = max(0, st.Size()-tailMax)
	}
	cut := t.off > 0
	lines, err := t.read()
	if err != nil || len(lines) == 0 {
		return nil
	}
	if cut {
		lines = lines[1:]
	}
	return lines
}

// more returns the lines that came since, also when the file was replaced.
func (t *tail) more() ([]string, error) {
	lines, err := t.read()
	if err != nil || len(lines) > 0 {
		return lines, err
	}
	now, err := os.Stat(t.name)
	if err != nil {
		return nil, nil // between two files: the next one comes
	}
	st, err := t.f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	if os.SameFile(st, now) && st.Size() >= t.off {
		return nil, nil
	}
	f, err := os.Open(t.name)
	if err != nil {
		return nil, nil
	}
	t.f.Close()
	t.f, t.off = f, 0
	return t.read()
}

// read returns the whole lines from the offset on, at most tailMax bytes.
func (t *tail) read() ([]string, error) {
	buf := make([]byte, tailMax)
	n, err := t.f.ReadAt(buf, t.off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read log: %w", err)
	}
	end := bytes.LastIndexByte(buf[:n], '\n')
	if end < 0 && n == len(buf) {
		end = n - 1 // a line without end: as it is
	}
	if end < 0 {
		return nil, nil
	}
	t.off += int64(end) + 1
	return strings.Split(strings.TrimSuffix(string(buf[:end+1]), "\n"), "\n"), nil
}
