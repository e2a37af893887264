package tty_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"waymark/mgmt/console/tty"
)

// stream is a terminal in memory: what is typed comes by a channel, what is
// written is kept, unless the gate is closed.
type stream struct {
	keys chan string
	gate chan struct{} // closed: writes pass
	end  sync.Once
	dead chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

func newStream(open bool) *stream {
	s := &stream{keys: make(chan string, 64), gate: make(chan struct{}), dead: make(chan struct{})}
	if open {
		close(s.gate)
	}
	return s
}

func (s *stream) Read(p []byte) (int, error) {
	select {
	case k, ok := <-s.keys:
		if !ok {
			return 0, io.EOF
		}
		return copy(p, k), nil
	case <-s.dead:
		return 0, io.EOF
	}
}

func (s *stream) Write(p []byte) (int, error) {
	select {
	case <-s.gate:
	case <-s.dead:
		return 0, io.ErrClosedPipe
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(p)
}

func (s *stream) Close() error { s.end.Do(func() { close(s.dead) }); return nil }

func (s *stream) text() string {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

func TestReadLine(t *testing.T) {
	for _, row := range []struct {
		name, keys, want string
		err              error
	}{
		{"plain", "show peers\r", "show peers", nil},
		{"rubbed out", "shoo\x7fw\r", "show", nil},
		{"interrupt at the prompt starts again", "reboot\x03", "", nil},
		{"end", "\x04", "", io.EOF},
		{"paste", "\x1b[200~show fib\r\x1b[201~", "show fib", nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStream(true)
				term := tty.New(s, tty.Config{})
				defer term.Close()
				s.keys <- row.keys
				line, err := term.ReadLine("box> ")
				if line != row.want || !errors.Is(err, row.err) {
					t.Errorf("%q gives %q, %v, want %q, %v", row.keys, line, err, row.want, row.err)
				}
				if !strings.Contains(s.text(), "box> ") {
					t.Errorf("no prompt in %q", s.text())
				}
			})
		})
	}
}

func TestSecretIsNotShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(true)
		term := tty.New(s, tty.Config{})
		defer term.Close()
		s.keys <- "hunter2\r"
		got, err := term.ReadSecret("secret: ")
		if err != nil || got != "hunter2" || strings.Contains(s.text(), "hunter2") || len(term.History()) != 0 {
			t.Errorf("read %q, %v; terminal shows %q; history %q", got, err, s.text(), term.History())
		}
	})
}

func TestIdleAndHangup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(true)
		term := tty.New(s, tty.Config{Idle: 10 * time.Minute})
		defer term.Close()
		began := time.Now()
		if _, err := term.ReadLine("> "); !errors.Is(err, tty.ErrIdle) || time.Since(began) != 10*time.Minute {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		close(s.keys)
		if _, err := term.ReadLine("> "); !errors.Is(err, tty.ErrHangup) {
			t.Errorf("hang-up: %v", err)
		}
		ctx, done := term.Interruptible(t.Context())
		defer done()
		<-ctx.Done() // a command on a dead line must not run on
	})
}

func TestInterruptReachesCommand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(true)
		term := tty.New(s, tty.Config{})
		defer term.Close()
		ctx, done := term.Interruptible(t.Context())
		s.keys <- strings.Repeat("x", 200)
		for range 30 { // more than is kept
			s.keys <- strings.Repeat("x", 250)
		}
		s.keys <- "\x03show\r"
		<-ctx.Done()
		synctest.Wait()
		done()
		if line, err := term.ReadLine("> "); line != "show" || err != nil {
			t.Errorf("after the interrupt: %q, %v", line, err)
		}
	})
}

// A terminal that takes nothing: the writer of much waits and is told, notices
// are dropped and counted, nobody else notices.
func TestBlockedTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(false)
		term := tty.New(s, tty.Config{Stall: time.Minute, Queue: 4096})
		defer term.Close()
		began := time.Now()
		if _, err := term.Write(bytes.Repeat([]byte("x"), 4096)); err != nil || time.Since(began) != 0 {
			t.Errorf("output that fits: %v after %v", err, time.Since(began))
		}
		synctest.Wait() // the writer holds a chunk
		if _, err := term.Write(bytes.Repeat([]byte("y"), 511)); err != nil {
			t.Error(err)
		}
		if term.Notify(strings.Repeat("notice", 10)) || time.Since(began) != 0 {
			t.Errorf("a notice found room after %v", time.Since(began))
		}
		_, err := term.Write(bytes.Repeat([]byte("z"), 8000))
		if !errors.Is(err, tty.ErrStalled) || time.Since(began) != time.Minute {
			t.Errorf("blocked write: %v after %v", err, time.Since(began))
		}
		if _, err := term.ReadLine("> "); !errors.Is(err, tty.ErrStalled) {
			t.Errorf("line of a stalled terminal: %v", err)
		}
	})
}

// A slow terminal is none that is blocked.
func TestSlowTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(false)
		term := tty.New(s, tty.Config{Stall: time.Minute, Queue: 1024})
		var done sync.WaitGroup
		defer done.Wait()
		defer term.Close()
		done.Go(func() {
			for range 20 {
				time.Sleep(50 * time.Second)
				select {
				case s.gate <- struct{}{}:
				case <-s.dead:
					return
				}
			}
		})
		if _, err := term.Write(bytes.Repeat([]byte("x"), 5000)); err != nil {
			t.Error(err)
		}
	})
}

func TestLostNoticesAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(false)
		term := tty.New(s, tty.Config{Queue: 600})
		defer term.Close()
		term.Write(bytes.Repeat([]byte("x"), 600))
		synctest.Wait()
		for range 5 {
			term.Notify(strings.Repeat("n", 300))
		}
		close(s.gate)
		synctest.Wait()
		if !term.Notify("link is up") {
			t.Error("a notice finds no room in an empty queue")
		}
		s.keys <- "\r"
		term.ReadLine("> ")
		if text := s.text(); !strings.Contains(text, "4 notices were lost") || !strings.Contains(text, "link is up") {
			t.Errorf("terminal shows %q", text)
		}
	})
}

func TestPager(t *testing.T) {
	for _, row := range []struct {
		name, keys string
		height     int
		want       int // lines shown
		asked      int
		err        error
	}{
		{"short", "", 24, 20, 0, nil},
		{"page", "  ", 11, 20, 1, nil},
		{"line by line", "\r\r\r ", 11, 20, 4, nil},
		{"enough", "q", 11, 10, 1, tty.ErrQuit},
		{"other keys", "xyz q", 11, 20, 1, nil},
		{"no pages", "", -1, 20, 0, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStream(true)
				term := tty.New(s, tty.Config{Height: row.height})
				defer term.Close()
				s.keys <- row.keys + "\x00"
				p := term.Page(t.Context())
				var err error
				for i := 0; i < 20 && err == nil; i++ {
					_, err = fmt.Fprintf(p, "line %d\n", i)
				}
				text := s.text()
				if got := strings.Count(text, "line "); got != row.want || strings.Count(text, "--More--") != row.asked || !errors.Is(err, row.err) {
					t.Errorf("%d lines, asked %d times, %v\n%q", got, strings.Count(text, "--More--"), err, text)
				}
			})
		})
	}
}

func TestPagerEndsWithContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(true)
		term := tty.New(s, tty.Config{Height: 3})
		defer term.Close()
		ctx, done := term.Interruptible(context.Background())
		defer done()
		go func() { time.Sleep(time.Second); s.keys <- "\x03" }()
		p := term.Page(ctx)
		var err error
		for i := 0; i < 20 && err == nil; i++ {
			_, err = fmt.Fprintf(p, "line %d\n", i)
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("interrupted page: %v", err)
		}
	})
}

func TestKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStream(true)
		term := tty.New(s, tty.Config{})
		defer term.Close()
		term.OnKey = func(line string, pos int, key rune) (string, int, bool) {
			switch key {
			case '?':
				fmt.Fprintf(term, "help for %q\n", line)
				return line, pos, true
			case '\t':
				return line + "ow", pos + 2, true
			}
			return "", 0, false
		}
		s.keys <- "sh?\t\r"
		line, err := term.ReadLine("> ")
		if line != "show" || err != nil || !strings.Contains(s.text(), "help for \"sh\"\r\n") {
			t.Errorf("%q, %v\n%q", line, err, s.text())
		}
		if h := term.History(); len(h) != 1 || h[0] != "show" {
			t.Errorf("history %q", h)
		}
	})
}
