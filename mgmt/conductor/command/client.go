package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/term"
)

// Run asks the conductor that serves dir and copies its answer to stdout. The
// terminal, where there is one, is the box's during `connect`.
func Run(ctx context.Context, dir string, words []string, asJSON bool, stdin *os.File, stdout io.Writer) error {
	if _, _, err := find(words); err != nil { // needs no conductor to be told
		return err
	}
	r := Request{Words: words, JSON: asJSON, User: user()}
	if len(words) == 3 && words[0] == "config" && words[1] == "load" {
		data, err := os.ReadFile(words[2])
		if err != nil {
			return fmt.Errorf("load configuration: %w", err)
		}
		r.File = data
	}
	if w, h, err := term.GetSize(int(stdin.Fd())); err == nil {
		r.Width, r.Height = w, h
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, Socket))
	if err != nil {
		return fmt.Errorf("reach the conductor: %w", err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	if _, err := c.Write(line(r)); err != nil {
		return fmt.Errorf("reach the conductor: %w", err)
	}
	return answer(c, stdin, stdout)
}

// answer prints what comes until it is done.
func answer(c net.Conn, stdin *os.File, stdout io.Writer) error {
	restore := func() {}
	defer func() { restore() }()
	d := json.NewDecoder(bufio.NewReader(c))
	for {
		var o Output
		if err := d.Decode(&o); err != nil {
			return fmt.Errorf("the conductor went away: %w", err)
		}
		switch {
		case o.Raw:
			restore = raw(c, stdin)
		case o.Done && o.Usage:
			return fmt.Errorf("%w: %s", ErrUsage, strings.TrimPrefix(o.Error, ErrUsage.Error()+": "))
		case o.Done && o.Error != "":
			return errors.New(o.Error)
		case o.Done:
			return nil
		}
		if _, err := stdout.Write(o.Data); err != nil {
			return err
		}
	}
}

// raw gives the terminal to the box until restore.
func raw(c net.Conn, stdin *os.File) (restore func()) {
	restore = func() {}
	fd := int(stdin.Fd())
	if was, err := term.MakeRaw(fd); err == nil {
		restore = func() { _ = term.Restore(fd, was) }
	}
	sizes := make(chan os.Signal, 1)
	signal.Notify(sizes, syscall.SIGWINCH)
	lines := make(chan Input)
	go func() {
		for i := range lines {
			if _, err := c.Write(line(i)); err != nil {
				return
			}
		}
	}()
	go func() {
		for range sizes {
			if w, h, err := term.GetSize(fd); err == nil {
				lines <- Input{Width: w, Height: h}
			}
		}
	}()
	go func() {
		buf := make([]byte, 1024)
		for {
			n, err := stdin.Read(buf)
			if n > 0 {
				lines <- Input{Data: append([]byte(nil), buf[:n]...)}
			}
			if err != nil {
				return
			}
		}
	}()
	return restore
}

// user is who types, for the history.
func user() string {
	for _, name := range []string{"SUDO_USER", "USER"} {
		if u := os.Getenv(name); u != "" {
			return u
		}
	}
	return fmt.Sprintf("uid %d", os.Getuid())
}
