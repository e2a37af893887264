package subject

import (
	"context"
	"fmt"
	"time"

	"waymark/bench/probe"
)

const (
	openWindow = 512                   // sessions that are being made at once
	openWait   = 50 * time.Millisecond // without an answer: the rest of the window is lost
)

// Open makes n sessions of one UDP packet each way, flows first on: each
// packet's answer is counted by replies. It returns how many were completed.
func Open(ctx context.Context, g *probe.Generator, replies *probe.Sink, first uint64, n int) (done uint64, err error) {
	start, err := replies.Count()
	if err != nil {
		return 0, err
	}
	for n > 0 && ctx.Err() == nil {
		window := min(n, openWindow)
		before, err := replies.Count()
		if err != nil {
			return 0, err
		}
		if err := g.Each(first, window, 0); err != nil {
			return 0, err
		}
		if err := answered(replies, before+uint64(window)); err != nil {
			return 0, err
		}
		first, n = first+uint64(window), n-window
	}
	if ctx.Err() != nil {
		return 0, ctx.Err()
	}
	end, err := replies.Count()
	return end - start, err
}

// answered waits until replies counts want, or nothing comes any more.
func answered(replies *probe.Sink, want uint64) error {
	last, since := uint64(0), time.Now()
	for {
		n, err := replies.Count()
		if err != nil {
			return fmt.Errorf("count answers: %w", err)
		}
		if n >= want || n == last && time.Since(since) > openWait {
			return nil
		}
		if n != last {
			last, since = n, time.Now()
		}
		time.Sleep(100 * time.Microsecond)
	}
}
