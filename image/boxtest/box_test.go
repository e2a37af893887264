package boxtest

import (
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"waymark/cmd/lab/world"
	"waymark/image/vm"
	"waymark/image/vm/vmtest"
	"waymark/net/netns"
)

// comesUp boots the box and takes it through everything that it is for, while a
// stranger on the WAN looks for an open port.
func (s *site) comesUp(t *testing.T, name string, c vm.Config) {
	t.Helper()
	scan := startScan(t, s.NS(world.ISPFiber), "branch", "203.0.113.2")
	s.power(t, name, c)
	var boot struct{ Board, Version, Reason string }
	e := s.await(t, "boot")
	if err := e.Detail(&boot); err != nil || boot.Board != name || boot.Version != "1.2.3" || boot.Reason != "power-on" {
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
	if lease := s.waymark(t, "show", "dhcp"); !strings.Contains(lease, "100.64.0.2") {
		t.Errorf("no lease on the LTE port:\n%s", lease)
	}
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
	s.comesUp(t, "qemu-x86_64", vm.Config{})
	wire := s.connect(t)
	wire.say(t, "before")
	s.signal(t, "router", int(syscall.SIGKILL))
	s.await(t, "ended")
	wire.say(t, "killed")
	s.await(t, "started")
	s.await(t, "forwarding")
	wire.say(t, "back")
	s.fetch(t)
	var alarm struct{ Type, Source, Message string }
	for n := 2; n <= 10; n++ {
		s.signal(t, "router", int(syscall.SIGKILL))
		s.await(t, "ended")
		if n < 10 {
			s.await(t, "started")
		}
	}
	s.awaitDetail(t, "alarm", &alarm, func() bool { return alarm.Source == "router" })
	if alarm.Type != "add" || !strings.Contains(alarm.Message, "again and again") {
		t.Errorf("alarm: %+v", alarm)
	}
	if state := s.readFile(t, "init.json"); !strings.Contains(state, `"phase": "crash-loop"`) {
		t.Errorf("state of init:\n%s", state)
	}
	wire.say(t, "nobody but the kernel")
}

// What hangs is reset by the watchdog, what breaks starts again by itself, and
// after each the box says why it started.
func TestBoxARM64(t *testing.T) {
	s := newSite(t)
	s.comesUp(t, "qemu-arm64", vm.Config{Cmdline: "waymark.watchdog=5s", Disks: []string{dataDisk(t, s)}})
	var late struct{ Late []string }
	s.signal(t, "router", int(syscall.SIGSTOP))
	s.awaitDetail(t, "starving", &late, func() bool { return true })
	if len(late.Late) != 1 || late.Late[0] != "router" {
		t.Errorf("starving: %v", late)
	}
	s.startsBecause(t, "watchdog", "no progress of router")
	s.order(t, map[string]any{"do": "panic"})
	s.await(t, "panic")
	s.startsBecause(t, "panic", "init panicked: drill")
	s.order(t, map[string]any{"do": "reboot"})
	s.startsBecause(t, "reboot", "drill")
}

// startsBecause waits for the next boot and for its reason.
func (s *site) startsBecause(t *testing.T, reason, detail string) {
	t.Helper()
	var boot struct{ Reason, Detail string }
	e := s.await(t, "boot")
	if err := e.Detail(&boot); err != nil || boot.Reason != reason || boot.Detail != detail {
		t.Errorf("boot: %s, %v, want because of %s, %s", e.Line, err, reason, detail)
	}
	if state := s.readFile(t, "init.json"); !strings.Contains(state, `"why": "`+reason+`"`) {
		t.Errorf("state of init:\n%s", state)
	}
}
