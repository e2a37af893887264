package link_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"waymark/net/link"
	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/net/rtnl"
)

func inside(t *testing.T, fn func(c *rtnl.Conn) error) {
	t.Helper()
	ns, far := nstest.New(t), nstest.New(t)
	nstest.Veth(t, netns.End{NS: ns, Name: "v0", MAC: [6]byte{2, 1, 2, 3, 4, 5}, MTU: 1400}, netns.End{NS: far, Name: "v1"})
	nstest.In(t, ns, func() error {
		c, err := rtnl.Dial()
		if err != nil {
			return err
		}
		defer c.Close()
		return fn(c)
	})
}

func TestLookup(t *testing.T) {
	inside(t, func(c *rtnl.Conn) error {
		l, err := link.ByName(c, "v0")
		if err != nil {
			return err
		}
		want := link.Link{Index: l.Index, Name: "v0", Kind: "veth", Type: 1, MAC: [6]byte{2, 1, 2, 3, 4, 5}, MTU: 1400,
			Up: true, Carrier: true, Oper: link.OperUp, Changes: l.Changes}
		if l != want || !l.Usable() || l.Changes == 0 {
			return fmt.Errorf("by name: got %+v, want %+v", l, want)
		}
		if l, err = link.ByIndex(c, want.Index); err != nil || l != want {
			return fmt.Errorf("by index: got %+v, %w", l, err)
		}
		list, err := link.List(c)
		if err != nil || len(list) < 2 {
			return fmt.Errorf("list: got %+v, %w", list, err)
		}
		if _, err := link.ByName(c, "nothere"); !errors.Is(err, link.ErrNotFound) {
			return fmt.Errorf("unknown name: got %v", err)
		}
		if _, err := link.ByIndex(c, 99999); !errors.Is(err, link.ErrNotFound) {
			return fmt.Errorf("unknown index: got %v", err)
		}
		return nil
	})
}

func TestChangeAndWatch(t *testing.T) {
	inside(t, func(c *rtnl.Conn) error {
		l, err := link.ByName(c, "v0")
		if err != nil {
			return err
		}
		events := make(chan link.Change, 64)
		w, err := link.Watch(func(e link.Change) { events <- e })
		if err != nil {
			return err
		}
		defer w.Close()
		for _, step := range []struct {
			what string
			do   func() error
			seen func(link.Change) bool
		}{
			{"mtu", func() error { return link.SetMTU(c, l.Index, 1300) }, func(e link.Change) bool { return e.Link.MTU == 1300 }},
			{"down", func() error { return link.SetUp(c, l.Index, false) }, func(e link.Change) bool { return !e.Link.Up && !e.Link.Usable() }},
			{"up", func() error { return link.SetUp(c, l.Index, true) }, func(e link.Change) bool { return e.Link.Usable() }},
		} {
			if err := step.do(); err != nil {
				return err
			}
			if err := await(events, step.seen); err != nil {
				return fmt.Errorf("%s: %w", step.what, err)
			}
		}
		return nil
	})
}

func await(events chan link.Change, seen func(link.Change) bool) error {
	timeout := time.After(time.Minute)
	for {
		select {
		case e := <-events:
			if e.Link.Name == "v0" && seen(e) {
				return nil
			}
		case <-timeout:
			return errors.New("no notification")
		}
	}
}

func TestSetName(t *testing.T) {
	inside(t, func(c *rtnl.Conn) error {
		l, err := link.ByName(c, "v0")
		if err != nil {
			return err
		}
		if err := errors.Join(link.SetUp(c, l.Index, false), link.SetName(c, l.Index, "pp-fifteen-char")); err != nil {
			return err
		}
		if got, err := link.ByName(c, "pp-fifteen-char"); err != nil || got.Index != l.Index {
			return fmt.Errorf("renamed: %+v, %w", got, err)
		}
		if err := link.SetName(c, l.Index, "lo"); err == nil {
			return errors.New("two interfaces of one name")
		}
		return nil
	})
}
