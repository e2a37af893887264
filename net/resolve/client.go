package resolve

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

const (
	// askTimeout is how long one resolver has for its answer.
	askTimeout = 1500 * time.Millisecond
	// askTotal bounds a question to all of them.
	askTotal = 6 * time.Second
	// silentFor is how long one that did not answer is asked last.
	silentFor = 30 * time.Second
)

// ErrNoResolver: no network told one, and none is configured.
var ErrNoResolver = errors.New("no resolver")

// Client asks resolvers in turn. Safe for any goroutine.
type Client struct {
	mu        sync.Mutex // guards the rest
	upstreams []Upstream
	stats     map[Upstream]*Stats
}

// Stats are what a client knows of one resolver.
type Stats struct {
	Queries, Failures uint64
	Silent            time.Time     // last time it did not answer; zero: never
	RTT               time.Duration // of the last answer
}

// NewClient makes a client without resolvers.
func NewClient() *Client { return &Client{stats: map[Upstream]*Stats{}} }

// Use replaces the resolvers; what is known of those that stay is kept.
func (c *Client) Use(list []Upstream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.upstreams = slices.Clone(list)
	for up := range c.stats {
		if !slices.Contains(list, up) {
			delete(c.stats, up)
		}
	}
	for _, up := range list {
		if c.stats[up] == nil {
			c.stats[up] = &Stats{}
		}
	}
}

// Look returns the resolvers in order and what is known of them.
func (c *Client) Look() (list []Upstream, stats []Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, up := range c.upstreams {
		list, stats = append(list, up), append(stats, *c.stats[up])
	}
	return list, stats
}

// order is how resolvers are asked now: those that were silent lately last.
func (c *Client) order(now time.Time) (list []Upstream) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var silent []Upstream
	for _, up := range c.upstreams {
		if s := c.stats[up]; !s.Silent.IsZero() && now.Sub(s.Silent) < silentFor {
			silent = append(silent, up)
		} else {
			list = append(list, up)
		}
	}
	return append(list, silent...)
}

// Ask returns the first resolver's answer that is one: SERVFAIL and REFUSED of
// one resolver count only when no other says better.
func (c *Client) Ask(ctx context.Context, q Query) (*dnsmessage.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, askTotal)
	defer cancel()
	var poor *dnsmessage.Message
	err := error(ErrNoResolver)
	for _, up := range c.order(time.Now()) {
		m, e := c.ask(ctx, up, q)
		switch {
		case e == nil && m.RCode != dnsmessage.RCodeServerFailure && m.RCode != dnsmessage.RCodeRefused:
			return m, nil
		case e == nil:
			poor = m
		default:
			err = e
		}
		if ctx.Err() != nil {
			break
		}
	}
	if poor != nil {
		return poor, nil
	}
	return nil, err
}

func (c *Client) ask(ctx context.Context, up Upstream, q Query) (*dnsmessage.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	start := time.Now()
	m, err := Exchange(ctx, up, q)
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.stats[up]
	if s == nil {
		return m, err // it was taken away meanwhile
	}
	s.Queries++
	if err != nil {
		s.Failures++
		s.Silent = time.Now()
	} else {
		s.Silent, s.RTT = time.Time{}, time.Since(start)
	}
	return m, err
}
