package rtnl

import (
	"errors"
	"fmt"
	"sync"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Watcher delivers the kernel's notifications of some groups.
type Watcher struct {
	nl   *netlink.Conn
	done sync.WaitGroup
}

// Watch joins the groups (unix.RTNLGRP_…) in the calling thread's network
// namespace and calls fn for each message from a goroutine of its own, until
// Close. lost is called after the kernel dropped notifications because we were
// too slow: the caller must read the whole state again.
func Watch(groups []uint32, fn func(m netlink.Message), lost func()) (*Watcher, error) {
	nl, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return nil, fmt.Errorf("dial rtnetlink: %w", err)
	}
	for _, g := range groups {
		if err := nl.JoinGroup(g); err != nil {
			nl.Close()
			return nil, fmt.Errorf("join rtnetlink group %d: %w", g, err)
		}
	}
	_ = nl.SetReadBuffer(1 << 20) // fewer losses; the default works as well
	w := &Watcher{nl: nl}
	w.done.Go(func() { w.loop(fn, lost) })
	return w, nil
}

func (w *Watcher) loop(fn func(netlink.Message), lost func()) {
	for {
		msgs, err := w.nl.Receive()
		switch {
		case errors.Is(err, unix.ENOBUFS):
			lost()
		case err != nil:
			return
		}
		for _, m := range msgs {
			fn(m)
		}
	}
}

// Close ends the watch; after it returned, fn is not called again. It must not
// be called from fn.
func (w *Watcher) Close() error {
	err := w.nl.Close()
	w.done.Wait()
	return err
}
