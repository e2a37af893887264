package boxtest

import (
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"waymark/cmd/lab/world"
	"waymark/image/vm"
	"waymark/image/vm/vmtest"
	"waymark/net/netns"
	"waymark/svr/lane/lanetest/gen"
)

// comesUp boots the box and takes it through everything that it is for, while a
// stranger on the WAN looks for an open port.
func (s *site) comesUp(t *testing.T, name, reason string, c vm.Config) {
	t.Helper()
	scan := startScan(t, s.NS(world.ISPFiber), "branch", "203.0.113.2")
	s.power(t, name, c)
	var boot struct{ Board, Version, Reason string }
	e := s.await(t, "boot")
	if err := e.Detail(&boot); err != nil || boot.Board != name || boot.Version != "1.2.3" || boot.Reason != reason {
		t.Errorf("boot: %s, %v", e.Line, err)
	}
	var up struct {
		WAN []string
	}
	e = s.await(t, "wan-up")
	if err := e.Detail(&up); err != nil || len(up.WAN) == 0 {
		t.Errorf("wan-up: %s, %v", e.Line, err)
	}
	s.await(t, "forwarding")
	s.await(t, "healthy")
	s.until(t, "a lease on the LTE port", func() bool { return strings.Contains(s.waymark(t, "show", "dhcp"), "100.64.0.2") })
	s.fetch(t)
	s.svr(t)
	s.fastRises(t)
	scan.end(t)
	for _, e := range s.box.Report.Events() {
		t.Logf("%6.2f s  %s", e.T, e.Line)
	}
}

// echo is a connection that carries what is said both ways.
type echo struct{ client, server net.Conn }

// connect opens a connection from a LAN client to a server behind the hub.
func (s *site) connect(t *testing.T) *echo {
	t.Helper()
	e := &echo{}
	var l net.Listener
	inside(t, s.NS(world.Server), func() (err error) {
		l, err = net.Listen("tcp", "10.20.0.5:7000")
		return err
	})
	defer l.Close()
	inside(t, s.NS(world.Client), func() (err error) {
		e.client, err = net.DialTimeout("tcp", "10.20.0.5:7000", vmtest.Limit)
		return err
	})
	var err error
	if e.server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.client.Close(); e.server.Close() })
	return e
}

func inside(t *testing.T, ns string, fn func() error) {
	t.Helper()
	if err := netns.Do(ns, fn); err != nil {
		t.Fatal(err)
	}
}

// say sends a word each way and fails if it does not arrive.
func (e *echo) say(t *testing.T, word string) {
	t.Helper()
	for _, way := range []struct{ from, to net.Conn }{{e.client, e.server}, {e.server, e.client}} {
		b := make([]byte, len(word))
		way.to.SetReadDeadline(time.Now().Add(vmtest.Limit))
		if _, err := io.WriteString(way.from, word); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(way.to, b); err != nil || string(b) != word {
			t.Fatalf("said %q, heard %q, %v", word, b, err)
		}
	}
}

// An established session goes on while the router is killed, and when it is
// killed so often that it is left alone: then nothing but the kernel's lane runs.
func TestBoxAMD64(t *testing.T) {
	s := newSite(t)
	s.comesUp(t, "qemu-x86_64", "power-on", vm.Config{})
	s.overStick(t)
	wire := s.connect(t)
	wire.say(t, "before")
	s.signal(t, "router", int(syscall.SIGKILL))
	s.await(t, "ended")
	wire.say(t, "killed")
	s.await(t, "started")
	s.await(t, "forwarding")
	if system := s.waymark(t, "show", "system", "-json"); !strings.Contains(system, `"last-boot-reason":"power-on"`) {
		t.Errorf("show system:\n%s", system)
	}
	wire.say(t, "back")
	s.fetch(t)
	kills := 1
	var alarm struct{ Type, Source, Message string }
	for looping := false; !looping; kills++ {
		s.signal(t, "router", int(syscall.SIGKILL))
		s.await(t, "ended")
		looping = s.alarmed(t, "router", &alarm)
	}
	if kills < 10 || kills > 11 { // the first one counts only if it came within a minute
		t.Errorf("a crash loop after %d kills, want 10", kills)
	}
	if alarm.Type != "add" || !strings.Contains(alarm.Message, "again and again") {
		t.Errorf("alarm: %+v", alarm)
	}
	if state := s.readFile(t, "init.json"); !strings.Contains(state, `"state": "crash-loop"`) {
		t.Errorf("state of init:\n%s", state)
	}
	wire.say(t, "nobody but the kernel")
}

// A box whose factory reset was cut short comes up as from the factory, and gives
// its owner a secret. What hangs is reset by the watchdog, what breaks starts
// again by itself, and after each the box says why it started, keeps its logs and
// its secret; until it is reset to factory again.
func TestBoxARM64(t *testing.T) {
	s := newSite(t)
	gen.Tagger(t, s.NS(world.ISPLTE), "branch", lteTag)
	disk := dataDisk(t, s, usedData)
	s.comesUp(t, "qemu-arm64", "reboot", vm.Config{Cmdline: "waymark.watchdog=5s", Disks: []string{disk}})
	s.until(t, "a path over the tag", func() bool { return slices.Contains(s.peerPaths(t), "lte") })
	c := s.firstLogin(t)
	c.looksRound(t)
	var late struct{ Late []string }
	s.signal(t, "router", int(syscall.SIGSTOP))
	s.awaitDetail(t, "starving", &late, func() bool { return true })
	if len(late.Late) != 1 || late.Late[0] != "router" {
		t.Errorf("starving: %v", late)
	}
	s.startsBecause(t, "watchdog", "no progress of router")
	c.again(t)
	c.run(t, "log router lines 500", "-- kept: no progress of router --")
	c.run(t, "log init lines 500", "started")
	s.order(t, map[string]any{"do": "panic"})
	s.await(t, "panic")
	s.startsBecause(t, "panic", "init panicked: drill")
	c.again(t)
	c.run(t, "log init lines 500", "-- kept: init panicked: drill --")
	c.reboot(t)
	s.startsBecause(t, "reboot", "reboot: console on ttyAMA0")
	c.again(t)
	c.reset(t)
	s.startsBecause(t, "reboot", "factory-reset: console on ttyAMA0")
	if again := s.newSecret(t); again == c.secret {
		t.Error("the secret of before")
	}
	s.await(t, "forwarding")
	s.box.Close()
	if got := onDisk(t, disk, "/"); !slices.Contains(got, "update") || slices.Contains(got, "config") || slices.Contains(got, "left-by-others") {
		t.Errorf("after a factory reset: %q", got)
	}
	if got := onDisk(t, disk, "/update"); !slices.Contains(got, "update.json") {
		t.Errorf("what is known of updates: %q", got)
	}
}

// startsBecause waits for the next boot and for its reason.
func (s *site) startsBecause(t *testing.T, reason, detail string) {
	t.Helper()
	var boot struct{ Reason, Detail string }
	e := s.await(t, "boot")
	if err := e.Detail(&boot); err != nil || boot.Reason != reason || boot.Detail != detail {
		t.Errorf("boot: %s, %v, want because of %s, %s", e.Line, err, reason, detail)
	}
	if state := s.readFile(t, "init.json"); !strings.Contains(state, `"last-boot-reason": "`+reason) {
		t.Errorf("state of init:\n%s", state)
	}
}
