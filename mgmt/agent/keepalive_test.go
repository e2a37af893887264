package agent

import (
	"context"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"waymark/net/resolve"
)

// How often a box asks follows the way out: its price and its NAT's memory.
func TestKeepaliveFollowsTheWay(t *testing.T) {
	const s = time.Second
	live := func(metered bool, lifetime int) *resolve.File {
		return &resolve.File{WANs: []resolve.WAN{{Interface: "lte", Metered: metered, NATLifetime: lifetime}, {Interface: "x", Metered: !metered, NATLifetime: 7}}}
	}
	for name, row := range map[string]struct {
		told      time.Duration
		wans      *resolve.File
		ssh, salt time.Duration
	}{
		"no way":             {0, nil, 5 * s, 30 * s},
		"by cable":           {0, live(false, 0), 5 * s, 30 * s},
		"metered, unlearned": {0, live(true, 0), 300 * s, 120 * s},
		"a short memory":     {0, live(true, 30), 180 * s, 120 * s},
		"160 s":              {0, live(true, 160), 180 * s, 128 * s},
		"250 s":              {0, live(true, 250), 200 * s, 200 * s},
		"the longest looked": {0, live(true, 300), 240 * s, 240 * s},
		"as told":            {20 * s, live(true, 300), 20 * s, 20 * s},
	} {
		a := &uplinks{set: &Settings{Keepalive: row.told}, wans: row.wans}
		if ssh, salt := a.keepalive(), a.saltIdle(); ssh != row.ssh || salt != row.salt {
			t.Errorf("%s: %v and %v, want %v and %v", name, ssh, salt, row.ssh, row.salt)
		}
	}
}

// Connections to masters are probed as the way asks for, those that stand too;
// what they cost is counted, after their end as well.
func TestWires(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go io.Copy(c, c)
		}
	}()
	w := newWires(30 * time.Second)
	open := func() *wire {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c, err := w.dial(ctx, "master", "tcp", l.Addr().String())
		if err == nil {
			_, err = c.Write(make([]byte, 1000))
		}
		if err == nil {
			_, err = io.ReadFull(c, make([]byte, 1000))
		}
		if err != nil {
			t.Fatal(err)
		}
		return c.(*wire)
	}
	probed := func(what string, c *wire, idle, interval int) {
		t.Helper()
		raw, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		_ = raw.Control(func(fd uintptr) { // its error is that of the look
			gotIdle, err1 := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE)
			gotInterval, err2 := syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL)
			if err1 != nil || err2 != nil || gotIdle != idle || gotInterval != interval {
				t.Errorf("%s: %d and %d s (%v, %v), want %d and %d", what, gotIdle, gotInterval, err1, err2, idle, interval)
			}
		})
	}
	first := open()
	probed("at first", first, 30, 10)
	w.keep(120 * time.Second)
	probed("on a metered way", first, 120, 20)
	probed("a new one there", open(), 120, 20)
	both := w.costs()["master"]
	if both.Packets < 10 || both.Bytes < 4000 || both.Bytes > 6000 {
		t.Errorf("two connections cost %+v", both)
	}
	first.Close()
	first.Close()
	if after := w.costs()["master"]; after.Packets < both.Packets || after.Bytes > both.Bytes+200 || len(w.live) != 1 {
		t.Errorf("%+v before an end, %+v after it, %d live", both, after, len(w.live))
	}
}
