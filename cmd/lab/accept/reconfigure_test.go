package accept

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"waymark/cmd/lab/world"
	"waymark/net/netns"
)

// A user changes the configuration of a live router: what is free interrupts
// nothing, addresses move under the sessions of others, what needs a restart
// takes the router's process along and not the box, and what is not confirmed
// goes back.
func TestReconfigure(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	file := s.w.Path("branch1.json")
	c := newTerminal(s, world.Branch, "-run", s.branch.Run, "-config", file)
	c.expect("admin@node1.branch1# ")
	conn := s.echo()
	defer conn.Close()

	edit := func(want string, lines ...string) {
		t.Helper()
		c.command("configure")
		for _, line := range lines {
			if out := c.command(line); strings.Contains(out, "Error") {
				t.Errorf("%s: %s", line, out)
			}
		}
		if out := c.command("commit now"); !strings.Contains(out, want) {
			t.Errorf("commit of %q: no %q in\n%s", lines, want, out)
		}
		c.command("exit")
		s.echoes(conn)
	}
	edit("took it: free", "authority router branch1 description office", "top")

	node := "authority router branch1 node node1"
	edit("took it: re-address", node+" device-interface lan network-interface lan address 192.168.1.254 prefix-length 24", "top")
	s.exec(world.Client, "ping", "-n", "-c", "1", "-W", "5", "192.168.1.254")
	if out := s.exec(world.Branch, "ip", "-br", "address", "show", "lan0"); !strings.Contains(out, "192.168.1.254/24") {
		t.Errorf("lan0 has %s", out)
	}

	// A restart: the same process id, new tables, sessions as the lane allows.
	pid := s.branch.PID()
	edit("takes it: restart (other tenants)", "authority tenant lab", "top")
	s.started(s.branch, 2)
	s.up(s.branch, "fiber")
	s.echoes(conn)
	if s.branch.PID() != pid {
		t.Error("another process")
	}

	// Not confirmed: the keeper brings the old one back, by a restart again.
	c.command("configure")
	c.command("delete authority tenant lab")
	if out := c.command("commit within 10"); !strings.Contains(out, "It goes back in 10 s") {
		t.Errorf("commit: %s", out)
	}
	c.command("exit")
	s.must(s.branch.WaitOutput("commit not confirmed in time: undone", patience))
	s.started(s.branch, 4) // the commit was the third
	c.command("page off")
	s.up(s.branch, "fiber")
	s.must(world.Until(patience, "the old configuration", func() (bool, error) {
		out := c.command("show config running")
		return strings.Contains(out, "lab"), nil
	}))
	s.echoes(conn)
	c.types("exit\r")
	if err := c.ended(); err != nil {
		t.Error(err)
	}
}

// started waits until a router has begun for the nth time.
func (s *site) started(r *world.Router, n int) {
	s.Helper()
	s.must(world.Until(patience, "start of the router", func() (bool, error) {
		return strings.Count(r.Output(), `msg="router runs"`) == n, nil
	}))
}

// echo opens a TCP session from the client to a server behind the hub.
func (s *site) echo() net.Conn {
	s.Helper()
	var l net.Listener
	s.must(s.inside(world.Server, func() (err error) { l, err = net.Listen("tcp", "10.20.0.5:7777"); return err }))
	s.Cleanup(func() { l.Close() })
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		buf := make([]byte, 100)
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			if _, err := c.Write(buf[:n]); err != nil {
				return
			}
		}
	}()
	var conn net.Conn
	s.must(netns.Do(s.w.NS(world.Client), func() (err error) {
		conn, err = net.DialTimeout("tcp", "10.20.0.5:7777", patience)
		return err
	}))
	s.echoes(conn)
	return conn
}

// echoes fails unless the session still carries data both ways.
func (s *site) echoes(conn net.Conn) {
	s.Helper()
	s.must(conn.SetDeadline(deadline()))
	if _, err := fmt.Fprint(conn, "ping"); err != nil {
		s.Fatal(err)
	}
	buf := make([]byte, 4)
	if n, err := conn.Read(buf); err != nil || string(buf[:n]) != "ping" {
		s.Fatal(errors.Join(err, fmt.Errorf("echo %q", buf[:n])))
	}
}
