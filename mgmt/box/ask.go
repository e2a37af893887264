package box

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// Things that init does.
const (
	Reboot       = "reboot"
	FactoryReset = "factory-reset"
	// Configure: the running configuration, or which router of it the box is,
	// was exchanged; the router is to run with it.
	Configure = "configure"
)

// Request is the one JSON line of a connection to Socket.
type Request struct {
	Do  string `json:"do"`
	Why string `json:"why"` // for the log and the next LastBootReason
}

// Reply is init's answer: a JSON line.
type Reply struct {
	Error string `json:"error,omitempty"` // empty: it will be done at once
}

// Errors of Ask.
var (
	ErrNoInit  = errors.New("no init of Waymark runs here")
	ErrRefused = errors.New("init refused")
)

const (
	askLimit   = 10 * time.Second
	toldLimit  = 2 * time.Second
	requestMax = 4096
)

// Doer prepares what is asked. What it returns does it, once whoever asked has heard
// that it will be done and said so in turn, or had two seconds for that: a console
// ends with its box, and is not to end in the middle of a word. It may be nil.
type Doer func(ctx context.Context, r Request) (do func(), err error)

// Ask has init do something. Init waits for told, if it is not nil, a little while.
func Ask(ctx context.Context, run string, r Request, told func()) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", filepath.Join(run, Socket))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return ErrNoInit
	}
	if err != nil {
		return fmt.Errorf("ask init: %w", err)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	var a Reply
	if err = json.NewEncoder(c).Encode(r); err == nil {
		err = json.NewDecoder(c).Decode(&a)
	}
	if err != nil {
		return fmt.Errorf("ask init to %s: %w", r.Do, err)
	}
	if a.Error != "" {
		return fmt.Errorf("%w: %s", ErrRefused, a.Error)
	}
	if told != nil {
		told()
	}
	return nil
}

// Serve answers requests in a run directory until ctx ends. The socket is its
// owner's alone.
func Serve(ctx context.Context, run string, do Doer) error {
	name := filepath.Join(run, Socket)
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("serve requests: %w", err)
	}
	l, err := net.Listen("unix", name)
	if err != nil {
		return fmt.Errorf("serve requests: %w", err)
	}
	defer l.Close()
	if err := os.Chmod(name, 0o600); err != nil {
		return fmt.Errorf("serve requests: %w", err)
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	var done sync.WaitGroup
	defer done.Wait()
	for {
		c, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("serve requests: %w", err)
		}
		done.Go(func() { answer(ctx, c, do) })
	}
}

// answer serves one connection.
func answer(ctx context.Context, c net.Conn, do Doer) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(askLimit))
	line, err := bufio.NewReaderSize(c, requestMax).ReadSlice('\n')
	if err != nil {
		return
	}
	var r Request
	var then func()
	if err = json.Unmarshal(line, &r); err == nil {
		switch r.Do {
		case Reboot, FactoryReset, Configure:
			then, err = do(ctx, r)
		default:
			err = fmt.Errorf("unknown request %q", r.Do)
		}
	}
	var a Reply
	if err != nil {
		a.Error = err.Error()
	}
	_ = json.NewEncoder(c).Encode(a) // whoever left does not hear it
	if err == nil && then != nil {
		_ = c.SetDeadline(time.Now().Add(toldLimit))
		_, _ = io.Copy(io.Discard, c) // ends as whoever asked hangs up
		then()
	}
}
