package traffic

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"time"

	"waymark/cmd/lab/world"
)

// Streamed is what a stream of datagrams sent and heard of answers.
type Streamed struct {
	Sent     int `json:"sent"`
	Answered int `json:"answered"`
}

// streamTick is how often a stream sends what is due.
const streamTick = 2 * time.Millisecond

// stream ADDRESS MBIT SECONDS BYTES: datagrams of so many bytes to a
// UDP responder, from one socket at an even rate. The first ones are single, and
// repeated until they are answered, so that the session is established before the
// rest follows.
func stream(args []string) (any, error) {
	n, err := numbers(args)
	if err != nil {
		return nil, err
	}
	c, err := net.DialTimeout("udp", args[0], clientLimit)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	s := Streamed{}
	b := make([]byte, n[2])
	for range 10 {
		if err := s.greet(c, b); err != nil {
			return nil, err
		}
	}
	return s.pour(c, b, float64(n[0])*1e6/8/float64(n[2]), time.Duration(n[1])*time.Second)
}

// greet sends a datagram, and again every second, until an answer comes.
func (s *Streamed) greet(c net.Conn, b []byte) error {
	answer := make([]byte, 1<<16)
	for end := time.Now().Add(clientLimit); ; {
		if err := c.SetDeadline(time.Now().Add(time.Second)); err != nil {
			return err
		}
		if _, err := c.Write(b); err != nil {
			return err
		}
		s.Sent++
		_, err := c.Read(answer)
		if err == nil {
			s.Answered++
			return nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Now().After(end) {
			return err
		}
	}
}

// pour sends rate datagrams a second for a while, and counts answers until a second
// after the last of them.
func (s Streamed) pour(c net.Conn, b []byte, rate float64, during time.Duration) (Streamed, error) {
	answers := make(chan int)
	begin := time.Now()
	if err := c.SetDeadline(time.Time{}); err != nil {
		return s, err
	}
	go func() {
		n, buf := 0, make([]byte, 1<<16)
		for {
			if _, err := c.Read(buf); err != nil {
				answers <- n
				return
			}
			n++
		}
	}()
	tick := time.NewTicker(streamTick)
	defer tick.Stop()
	sent := 0
	for now := range tick.C {
		past := min(now.Sub(begin), during)
		for ; float64(sent) < rate*past.Seconds(); sent++ {
			if _, err := c.Write(b); err != nil {
				return s, fmt.Errorf("send: %w", err)
			}
		}
		if past == during {
			break
		}
	}
	s.Sent += sent
	if err := c.SetReadDeadline(time.Now().Add(time.Second)); err != nil { // from the last one on, whenever that was
		return s, err
	}
	s.Answered += <-answers
	return s, nil
}

// Stream sends datagrams from within a namespace to the UDP responder at addr:
// mbit a second, each of so many bytes.
func Stream(ctx context.Context, w *world.World, ns, addr string, mbit, seconds, bytes int) (s Streamed, err error) {
	return s, run(ctx, w, ns, &s, "_stream", addr, strconv.Itoa(mbit), strconv.Itoa(seconds), strconv.Itoa(bytes))
}

// numbers are the three behind an address.
func numbers(args []string) (n [3]int, err error) {
	if len(args) != 4 {
		return n, errUsage
	}
	for i := range n {
		if n[i], err = strconv.Atoi(args[1+i]); err != nil || n[i] < 1 {
			return n, fmt.Errorf("%q: want a number from 1 on", args[1+i])
		}
	}
	return n, nil
}
