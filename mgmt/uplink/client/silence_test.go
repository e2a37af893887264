package client_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"waymark/mgmt/uplink"
	"waymark/mgmt/uplink/client"
	"waymark/mgmt/uplink/uplinktest"
)

// A conductor that dies silently is found by the keepalive.
func TestKeepalive(t *testing.T) {
	store := uplinktest.New("box1")
	s := uplinktest.Start(t, "", quiet(store))
	var cut atomic.Bool
	r := newRig(t, s.Addr, func(c *client.Config) {
		c.Keepalive = func() time.Duration { return time.Second }
		c.Timing.Alive = 500 * time.Millisecond
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			if cut.Load() {
				return nil, errors.New("no way")
			}
			n, err := dial(ctx, addr)
			return gated{n, &cut}, err
		}
	})
	r.start(t)
	r.until(t, in(uplink.StateAccepted))
	r.keepalives(t, 2)
	cut.Store(true)
	down := r.until(t, func(s client.Status) bool { return !s.Connected })
	cut.Store(false)
	if !strings.Contains(down.Reason, client.ErrSilent.Error()) {
		t.Errorf("ended because: %s", down.Reason)
	}
	r.until(t, in(uplink.StateAccepted))
}

// gated loses what is written while cut is set.
type gated struct {
	net.Conn
	cut *atomic.Bool
}

func (g gated) Write(p []byte) (int, error) {
	if g.cut.Load() {
		return len(p), nil
	}
	return g.Conn.Write(p)
}

// A box whose way changed is back at once, without a wait, or soon where the new
// way does not carry at once.
func TestMoved(t *testing.T) {
	store := uplinktest.New("box1")
	s := uplinktest.Start(t, "", quiet(store))
	var lame atomic.Int32 // attempts that fail
	var lost atomic.Bool  // the next attempt hears nothing
	hanging := make(chan struct{})
	r := newRig(t, s.Addr, func(c *client.Config) {
		c.Timing.Spread, c.Timing.Longest = time.Hour, time.Hour
		c.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			if lame.Add(-1) >= 0 {
				return nil, syscall.ENETUNREACH
			}
			if lost.CompareAndSwap(true, false) {
				hanging <- struct{}{}
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return dial(ctx, addr)
		}
	})
	r.start(t)
	r.until(t, in(uplink.StateAccepted))
	r.Moved(func(net.Addr) bool { return true })
	r.keepalives(t, 1) // proves that it carries
	if !r.Status().Connected {
		t.Error("a connection that may stay was closed")
	}
	lame.Store(3)
	r.Moved(func(net.Addr) bool { return false })
	down := r.until(t, func(s client.Status) bool { return !s.Connected })
	if !strings.Contains(down.Reason, client.ErrMoved.Error()) {
		t.Errorf("ended because: %s", down.Reason)
	}
	r.until(t, in(uplink.StateAccepted))
	// An attempt on a way that is gone is not waited for.
	lost.Store(true)
	r.Moved(func(net.Addr) bool { return false })
	<-hanging
	r.Moved(func(net.Addr) bool { return true })
	r.until(t, func(s client.Status) bool { return !s.Connected })
	r.until(t, in(uplink.StateAccepted))
	// A conductor that ends is waited for, unless something changed.
	s.Stop(t)
	r.until(t, func(s client.Status) bool { return !s.Connected })
	uplinktest.Start(t, s.Addr, quiet(store))
	r.Kick()
	r.until(t, in(uplink.StateAccepted))
}

// keepalives waits until so many were answered.
func (r *rig) keepalives(t *testing.T, n uint64) {
	t.Helper()
	every, end := time.NewTicker(10*time.Millisecond), time.After(limit)
	defer every.Stop()
	for r.Traffic().Keepalives < n {
		select {
		case <-every.C:
		case <-end:
			t.Fatalf("%d keepalives, not %d", r.Traffic().Keepalives, n)
		}
	}
}
