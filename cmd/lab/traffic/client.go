package traffic

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

var errUsage = errors.New("wrong number of arguments")

// get URL fetches one page over a connection of its own.
func get(args []string) (any, error) {
	if len(args) != 1 {
		return nil, errUsage
	}
	client := http.Client{Timeout: 2 * clientLimit, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       (&net.Dialer{Timeout: clientLimit}).DialContext,
	}}
	start := time.Now()
	resp, err := client.Get(args[0])
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read body of %s: %w", args[0], err)
	}
	return Page{Status: resp.StatusCode, Body: string(body), Seconds: time.Since(start).Seconds()}, nil
}

// put ADDRESS BYTES [MBIT] sends the pattern to a sink, no faster than told. Its
// sum is made before the clock starts; the sink makes its own while it reads.
func put(args []string) (any, error) {
	if len(args) != 2 && len(args) != 3 {
		return nil, errUsage
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("bytes %q: want a number from 0 on", args[1])
	}
	mbit := ""
	if len(args) == 3 {
		mbit = args[2]
	}
	return putOne(args[0], n, patternSum(n), mbit)
}

// putOne sends n bytes of the pattern, whose sum is given.
func putOne(addr string, n int64, sum, mbit string) (t Transfer, err error) {
	t.Sent = sum
	c, err := net.DialTimeout("tcp", addr, clientLimit)
	if err != nil {
		return t, err
	}
	defer c.Close()
	if mbit != "" {
		if err := pace(c.(*net.TCPConn), mbit); err != nil {
			return t, err
		}
	}
	start := time.Now()
	if _, err := io.CopyBuffer(struct{ io.Writer }{c}, newPattern(n), make([]byte, block)); err != nil {
		return t, fmt.Errorf("send: %w", err)
	}
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		return t, fmt.Errorf("half-close: %w", err)
	}
	if _, err := fmt.Fscan(c, &t.Bytes, &t.Arrived); err != nil {
		return t, fmt.Errorf("read the sink's sum: %w", err)
	}
	t.Seconds = time.Since(start).Seconds()
	return t, nil
}

// puts ADDRESS COUNT BYTES MBIT makes so many transfers at once, each no faster
// than told.
func puts(args []string) (any, error) {
	if len(args) != 4 {
		return nil, errUsage
	}
	count, err := strconv.Atoi(args[1])
	if err != nil || count < 1 {
		return nil, fmt.Errorf("count %q: want a number from 1 on", args[1])
	}
	n, err := strconv.ParseInt(args[2], 10, 64)
	if err != nil || n < 0 {
		return nil, fmt.Errorf("bytes %q: want a number from 0 on", args[2])
	}
	sum, list, errs := patternSum(n), make([]Transfer, count), make([]error, count)
	var done sync.WaitGroup
	for i := range list {
		done.Go(func() { list[i], errs[i] = putOne(args[0], n, sum, args[3]) })
	}
	done.Wait()
	return list, errors.Join(errs...)
}

// soMaxPacingRate is SO_MAX_PACING_RATE.
const soMaxPacingRate = 47

// pace holds a connection to so many Mbit/s.
func pace(c *net.TCPConn, mbit string) error {
	n, err := strconv.Atoi(mbit)
	if err != nil {
		return fmt.Errorf("rate %q: %w", mbit, err)
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(fd uintptr) {
		err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, soMaxPacingRate, n*1e6/8)
	}); e != nil {
		return e
	}
	return err
}

// ask ADDRESS COUNT sends questions one after another, each from a socket of its
// own as resolvers do, and waits for each answer.
func ask(args []string) (any, error) {
	if len(args) != 2 {
		return nil, errUsage
	}
	n, err := strconv.Atoi(args[1])
	if err != nil || n < 1 {
		return nil, fmt.Errorf("count %q: want a number from 1 on", args[1])
	}
	a := Answers{Asked: n}
	var times []time.Duration
	for i := range n {
		d, err := askOnce(args[0], fmt.Sprintf("question %d", i))
		if err != nil {
			if a.Answered == 0 && i >= 2 {
				return nil, err // nobody is there
			}
			continue
		}
		a.Answered++
		times = append(times, d)
	}
	if len(times) > 0 {
		slices.Sort(times)
		a.MedianMs = float64(times[len(times)/2].Microseconds()) / 1000
	}
	return a, nil
}

func askOnce(addr, question string) (time.Duration, error) {
	c, err := net.DialTimeout("udp", addr, clientLimit)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	start := time.Now()
	if err := c.SetDeadline(start.Add(clientLimit / 2)); err != nil {
		return 0, err
	}
	if _, err := c.Write([]byte(question)); err != nil {
		return 0, err
	}
	buf := make([]byte, 1<<16)
	n, err := c.Read(buf)
	if err != nil {
		return 0, err
	}
	if got, want := string(buf[:n]), "answer to "+question; got != want {
		return 0, fmt.Errorf("answer %q, want %q", got, want)
	}
	return time.Since(start), nil
}
