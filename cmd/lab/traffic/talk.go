package traffic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"time"

	"waymark/cmd/lab/world"
)

// Talked is what connections to an echo server did.
type Talked struct {
	Connections int     `json:"connections"`
	Broken      int     `json:"broken"` // connections that failed, or brought other bytes
	Messages    int     `json:"messages"`
	GapMs       float64 `json:"gap-ms"` // longest time without an answer on any of them
	Error       string  `json:"error"`  // of the first that broke
}

// Talking is what `_talk` prints once every connection had an answer.
const Talking = "talking"

// talk ADDRESS COUNT BYTES MS opens so many connections to an echo server and
// sends a message of so many bytes on each, again and again: when the answer
// came, and so many ms passed. It ends at an interrupt.
func talk(args []string) (any, error) {
	n, err := numbers(args)
	if err != nil {
		return nil, err
	}
	end := make(chan os.Signal, 1)
	signal.Notify(end, os.Interrupt)
	t := talker{size: n[1], every: time.Duration(n[2]) * time.Millisecond, stop: make(chan struct{})}
	t.Connections = n[0]
	var begun, done sync.WaitGroup
	begun.Add(n[0])
	for range n[0] {
		c, err := dialSoon(args[0])
		if err != nil {
			return nil, err
		}
		done.Go(func() { t.converse(c, sync.OnceFunc(begun.Done)) })
	}
	begun.Wait()
	fmt.Fprintln(os.Stdout, Talking)
	<-end
	close(t.stop)
	done.Wait()
	return t.Talked, nil
}

// dialSoon tries for a while: paths may only just come up.
func dialSoon(addr string) (c net.Conn, err error) {
	for end := time.Now().Add(endLimit); ; time.Sleep(100 * time.Millisecond) {
		if c, err = net.DialTimeout("tcp", addr, endLimit); err == nil || time.Now().After(end) {
			return c, err
		}
	}
}

// talker is what the connections share.
type talker struct {
	size  int
	every time.Duration
	stop  chan struct{}

	mu sync.Mutex // guards Talked
	Talked
}

// endLimit is how long the last answer may take.
const endLimit = 20 * time.Second

// converse sends and reads until stop; first is called after the first answer,
// or when there will be none.
func (t *talker) converse(c net.Conn, first func()) {
	defer c.Close()
	defer first()
	out, in := bytes.Repeat([]byte("waymark "), t.size/8+1)[:t.size], make([]byte, t.size)
	last := time.Now()
	tick := time.NewTicker(t.every)
	defer tick.Stop()
	for {
		err := c.SetDeadline(time.Now().Add(endLimit))
		if err == nil {
			_, err = c.Write(out)
		}
		if err == nil {
			_, err = io.ReadFull(c, in)
		}
		if err == nil && !bytes.Equal(in, out) {
			err = fmt.Errorf("other bytes came back")
		}
		t.note(&last, err)
		first()
		if err != nil {
			return
		}
		select {
		case <-t.stop:
			return
		case <-tick.C:
		}
	}
}

// note takes the end of one exchange.
func (t *talker) note(last *time.Time, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		if t.Broken++; t.Broken == 1 {
			t.Error = err.Error()
		}
		return
	}
	now := time.Now()
	if t.Messages++; t.Messages > t.Connections { // not the time that it takes to begin
		t.GapMs = max(t.GapMs, float64(now.Sub(*last).Microseconds())/1000)
	}
	*last = now
}

// Conversation is a running `_talk`.
type Conversation struct{ *world.Proc }

// Talk starts count connections from within a namespace to the echo server at
// addr, each with a message of so many bytes every so often, and returns when
// all have begun. The program has to call Main.
func Talk(w *world.World, ns, addr string, count, size int, every time.Duration) (*Conversation, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find own program: %w", err)
	}
	p, err := w.Start(ns, self, "_talk", addr, strconv.Itoa(count), strconv.Itoa(size), strconv.Itoa(int(every.Milliseconds())))
	if err != nil {
		return nil, err
	}
	if err := p.WaitOutput(Talking, 2*startLimit); err != nil {
		_ = p.Stop() // the first error is the one to tell
		return nil, err
	}
	return &Conversation{p}, nil
}

// End ends the connections and tells how they were.
func (c *Conversation) End() (t Talked, err error) {
	if err := c.Signal(os.Interrupt); err != nil {
		return t, fmt.Errorf("end talk: %w", err)
	}
	<-c.Done()
	_, result, _ := strings.Cut(c.Output(), Talking)
	if err := json.Unmarshal([]byte(result), &t); err != nil {
		return t, fmt.Errorf("read result of talk: %w: %s", err, c.Output())
	}
	return t, nil
}
