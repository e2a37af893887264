package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"time"

	"waymark/cmd/lab/world"
)

// Which way a session goes shows in the address that the branch sends it from.
const fiberSource = "203.0.113.2"

// failover pulls the fiber while a client pings the data center, and plugs it
// in again: the session goes on by lte and comes back, and the longest silence
// around each move is printed.
func failover(ctx context.Context, l *lab) (figure string, err error) {
	ping, err := l.w.Start(world.Client, "ping", "-n", "-D", "-i", "0.01", "-w", "55", "10.20.0.5")
	if err != nil {
		return "", err
	}
	defer ping.Stop() // if it has not ended yet
	if err := l.goesBy(ctx, fiberSource, true); err != nil {
		return "", err
	}
	time.Sleep(time.Second)
	cut := time.Now()
	if err := l.w.Carrier(world.ISPFiber, "branch", false); err != nil {
		return "", err
	}
	away := l.goesBy(ctx, fiberSource, false)
	time.Sleep(time.Second)
	if err := l.w.Carrier(world.ISPFiber, "branch", true); err != nil {
		return "", err
	}
	plugged := time.Now()
	if away != nil {
		return "", fmt.Errorf("fiber is cut: %w", away)
	}
	if err := l.goesBy(ctx, fiberSource, true); err != nil {
		return "", fmt.Errorf("fiber is back: %w", err)
	}
	back := time.Now()
	time.Sleep(time.Second)
	if err := ping.Signal(os.Interrupt); err != nil { // it prints what it has and ends
		return "", err
	}
	<-ping.Done()
	replies := pingTimes(ping.Output())
	gapAway, gapBack := longest(replies, cut, plugged), longest(replies, plugged, back.Add(time.Second))
	if gapAway == 0 || gapBack == 0 || gapAway > 3*time.Second || gapBack > time.Second {
		return "", fmt.Errorf("silent for %v at the cut and %v at the return, %d answers", gapAway, gapBack, len(replies))
	}
	return fmt.Sprintf("fiber cut: by lte with a gap of %.0f ms; fiber back: used again %.1f s later, gap %.0f ms",
		ms(gapAway), back.Sub(plugged).Seconds(), ms(gapBack)), nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// goesBy waits until the ping's session leaves from an address, or from another.
func (l *lab) goesBy(ctx context.Context, source string, same bool) error {
	return world.Until(15*time.Second, "the session to go its way", func() (bool, error) {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		var rows []map[string]any
		if err := l.branch.ShowJSON(&rows, "sessions"); err != nil {
			return false, err
		}
		for _, r := range rows {
			if r["dir"] == "fwd" && r["proto"] == "icmp" && r["dest-ip"] == "10.20.0.5" && (r["out-src-ip"] == source) == same {
				return true, nil
			}
		}
		return false, nil
	})
}

// pingLine is an answer in the output of ping -D.
var pingLine = regexp.MustCompile(`(?m)^\[(\d+\.\d+)\] \d+ bytes from`)

func pingTimes(out string) (list []time.Time) {
	for _, m := range pingLine.FindAllStringSubmatch(out, -1) {
		if s, err := strconv.ParseFloat(m[1], 64); err == nil {
			list = append(list, time.UnixMicro(int64(s*1e6)))
		}
	}
	return list
}

// longest is the longest time between two answers that follow each other, of
// those that touch a span.
func longest(list []time.Time, from, to time.Time) (gap time.Duration) {
	for i := 1; i < len(list); i++ {
		if list[i].After(from) && list[i-1].Before(to) {
			gap = max(gap, list[i].Sub(list[i-1]))
		}
	}
	return gap
}
