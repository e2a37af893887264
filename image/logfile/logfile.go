// Package logfile keeps what processes say in files of bounded size, of which
// the newest lines can be kept where they outlive a reboot.
//
// A log is NAME.log and, when that has become full, NAME.log.1 with the lines
// before. Writers never wait for a reader, and what a full file system does not
// take is dropped and counted.
package logfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Bounds of a log, in bytes.
const (
	Max     = 128 << 10 // of NAME.log, and of NAME.log.1
	LineMax = 4 << 10   // of a line; the rest of a longer one is left out
	KeptMax = 32 << 10  // of what is kept of a log
)

// Suffix ends the name of a log, OldSuffix follows it in that of the lines before.
const (
	Suffix    = ".log"
	OldSuffix = ".1"
)

// File is an open log. Safe for concurrent use, because what a process has
// started may speak on beside its successor.
type File struct {
	name string

	mu   sync.Mutex // guards what follows
	f    *os.File   // nil: it could not be opened anew
	size int64
	lost int // lines since the last one that was written
}

// Open opens the log of a name for appending, and makes its directory.
func Open(dir, name string) (*File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	l := &File{name: filepath.Join(dir, name+Suffix)}
	return l, l.open()
}

func (l *File) open() error {
	f, err := os.OpenFile(l.name, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return fmt.Errorf("open log: %w", err)
	}
	l.f, l.size = f, info.Size()
	return nil
}

// Write implements io.Writer for one line, with or without its end. It reports
// success whatever becomes of the line: nobody shall fail for want of a log. A
// nil File has no lines.
func (l *File) Write(line []byte) (int, error) {
	n := len(line)
	if l == nil {
		return n, nil
	}
	line = bytes.TrimRight(line, "\r\n")
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lost > 0 {
		l.append(fmt.Appendf(nil, "-- %d lines lost --\n", l.lost))
	}
	if l.append(append(line[:min(len(line), LineMax):min(len(line), LineMax)], '\n')) {
		l.lost = 0
	} else {
		l.lost++
	}
	return n, nil
}

// append writes a line, and exchanges the files first when this one is full.
func (l *File) append(line []byte) bool {
	if l.size+int64(len(line)) > Max || l.f == nil {
		if l.rotate() != nil {
			return false
		}
	}
	n, err := l.f.Write(line)
	l.size += int64(n)
	return err == nil
}

func (l *File) rotate() error {
	var err error
	if l.f != nil {
		err = errors.Join(l.f.Close(), os.Rename(l.name, l.name+OldSuffix))
		l.f = nil
	}
	return errors.Join(err, l.open())
}

// Close closes the log.
func (l *File) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	return l.f.Close()
}

// Keep copies the newest lines of every log in dir to the directory to, and says
// at their end why. Files that were kept before are replaced, each as a whole.
func Keep(dir, to, why string, replace func(name string, b []byte) error) error {
	names, err := filepath.Glob(filepath.Join(dir, "*"+Suffix))
	if err == nil {
		err = os.MkdirAll(to, 0o700)
	}
	for _, name := range names {
		lines, e := newest(name, KeptMax)
		if e == nil {
			lines = fmt.Appendf(lines, "-- kept: %s --\n", strings.ReplaceAll(why, "\n", " "))
			e = replace(filepath.Join(to, filepath.Base(name)), lines)
		}
		err = errors.Join(err, e)
	}
	if err != nil {
		return fmt.Errorf("keep logs: %w", err)
	}
	return nil
}

// newest returns the last whole lines of a log, at most n bytes.
func newest(name string, n int) ([]byte, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if len(b) < n {
		before, err := os.ReadFile(name + OldSuffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		b = append(before, b...)
	}
	if len(b) <= n {
		return b, nil
	}
	_, b, _ = bytes.Cut(b[len(b)-n-1:], []byte{'\n'}) // a line that is cut goes
	return b, nil
}

// Restore gives back what was kept as the lines before those of this boot. A log
// that has lines before already keeps them.
func Restore(kept, dir string) error {
	names, err := filepath.Glob(filepath.Join(kept, "*"+Suffix))
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	for _, name := range names {
		to := filepath.Join(dir, filepath.Base(name)+OldSuffix)
		if _, e := os.Lstat(to); e == nil {
			continue
		}
		b, e := os.ReadFile(name)
		if e == nil {
			e = os.WriteFile(to, b[:min(len(b), Max)], 0o600)
		}
		err = errors.Join(err, e)
	}
	if err != nil {
		return fmt.Errorf("restore logs: %w", err)
	}
	return nil
}
