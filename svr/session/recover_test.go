package session_test

import (
	"bytes"
	"testing"

	"waymark/svr/packet"
	"waymark/svr/session"
)

// talk is a TCP connection between two hosts of acme, as much of it as
// recovery needs: both ends repeat what was not acknowledged.
type talk struct {
	s         *sim
	out       packet.Tuple
	near, far *node // routers of the caller and of the called host
	nearIf    string
	farIf     string
	seq, ack  uint32 // of the caller
	caller    *host
	called    *host
}

func newTalk(s *sim, near, far *node, nearIf, farIf, src, dst string) *talk {
	c := &talk{s: s, near: near, far: far, nearIf: nearIf, farIf: farIf, seq: 1000, ack: 5000}
	c.out = tuple(packet.ProtoTCP, src, dst)
	c.caller, c.called = s.host(c.out.SrcAddr().String()), s.host(c.out.DstAddr().String())
	near.from(nearIf, tcp(c.out, packet.FlagSYN, c.seq-1, 0, nil))
	far.from(farIf, tcp(c.out.Reverse(), packet.FlagSYN|packet.FlagACK, c.ack-1, c.seq, nil))
	near.from(nearIf, tcp(c.out, packet.FlagACK, c.seq, c.ack, nil))
	return c
}

// upload sends data from the caller until the called host has it; false after
// 3 s of repeating.
func (c *talk) upload(data string) bool {
	return c.push(c.near, c.nearIf, c.called, tcp(c.out, packet.FlagACK|packet.FlagPSH, c.seq, c.ack, []byte(data)), data) &&
		c.grow(&c.seq, len(data))
}

// download is the other direction.
func (c *talk) download(data string) bool {
	return c.push(c.far, c.farIf, c.caller, tcp(c.out.Reverse(), packet.FlagACK|packet.FlagPSH, c.ack, c.seq, []byte(data)), data) &&
		c.grow(&c.ack, len(data))
}

func (c *talk) grow(n *uint32, by int) bool {
	*n += uint32(by)
	c.s.advance(10e6)
	// Both sides acknowledge what they have.
	c.node(c.near.name).from(c.nearIf, tcp(c.out, packet.FlagACK, c.seq, c.ack, nil))
	c.node(c.far.name).from(c.farIf, tcp(c.out.Reverse(), packet.FlagACK, c.ack, c.seq, nil))
	return true
}

func (c *talk) node(name string) *node { return c.s.nodes[name] }

func (c *talk) push(n *node, ifc string, to *host, p packet.Packet, data string) bool {
	deadline := c.s.now + 3e9
	for rto := int64(200e6); c.s.now < deadline; rto *= 2 {
		had := len(to.got)
		c.node(n.name).from(ifc, p)
		for _, g := range to.got[had:] {
			if bytes.Equal(g.Payload(), []byte(data)) {
				return true
			}
		}
		c.s.advance(min(rto, deadline-c.s.now))
	}
	return false
}

// TestColdRestart: either router loses everything, whoever opened the
// connection and whoever speaks next; it goes on within 3 s (row 5).
func TestColdRestart(t *testing.T) {
	for _, row := range []struct {
		name              string
		reverse           bool // opened from behind the hub
		restart           string
		upload, encrypted bool
	}{
		{"branch restarts, client uploads", false, "branch1", true, false},
		{"branch restarts, client downloads", false, "branch1", false, false},
		{"hub restarts, client uploads", false, "hub1", true, false},
		{"hub restarts, client downloads", false, "hub1", false, false},
		{"branch restarts, server opened, uploads", true, "branch1", true, false},
		{"branch restarts, server opened, downloads", true, "branch1", false, false},
		{"hub restarts, server opened, uploads", true, "hub1", true, false},
		{"hub restarts, server opened, downloads", true, "hub1", false, false},
		{"encrypted, branch restarts, uploads", false, "branch1", true, true},
		{"encrypted, branch restarts, downloads", false, "branch1", false, true},
		{"encrypted, hub restarts, uploads", false, "hub1", true, true},
		{"encrypted, hub restarts, downloads", false, "hub1", false, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, branch, hub := acme(t)
			a := parseConfig(t, "testdata/acme.json")
			var c *talk
			switch {
			case row.encrypted:
				c = newTalk(s, branch, hub, "lan", "dc", "192.168.1.77:40000", "10.20.0.80:8443")
			case row.reverse:
				c = newTalk(s, hub, branch, "dc", "lan", "10.20.0.5:40000", "192.168.1.77:22")
			default:
				c = newTalk(s, branch, hub, "lan", "dc", "192.168.1.77:40000", "10.20.0.5:80")
			}
			if !c.upload("before") || !c.download("before too") {
				t.Fatal("no connection to begin with")
			}
			s.boot(a, row.restart, true)
			first, then := c.upload, c.download
			if !row.upload {
				first, then = then, first
			}
			explain := func() string { return s.nodes["branch1"].explain() + "\n" + s.nodes["hub1"].explain() }
			if !first("after the restart") {
				t.Fatalf("did not go on within 3 s\n%s", explain())
			}
			if !then("and back") || !first("more") || !then("and more") {
				t.Fatalf("did not go on in both directions\n%s", explain())
			}
			for _, n := range s.nodes {
				if n.e.Live() != 1 {
					t.Errorf("%s has %d sessions, want 1", n.name, n.e.Live())
				}
			}
			if row.encrypted {
				return
			}
			s.advance(300e6)
			for _, n := range s.nodes {
				before := n.count(session.MetadataAdded)
				first("quiet")
				then("now")
				if got := n.count(session.MetadataAdded); got != before {
					t.Errorf("%s still sends metadata", n.name)
				}
			}
		})
	}
}

// TestOneTryIsEnough: a host that tries once, 0.3 s after the restart, is
// heard: its packet opens the session when the second of waiting is over.
func TestOneTryIsEnough(t *testing.T) {
	for _, restart := range []string{"branch1", "hub1"} {
		s, branch, hub := acme(t)
		c := newTalk(s, branch, hub, "lan", "dc", "192.168.1.77:40000", "10.20.0.5:80")
		if !c.upload("before") || !c.download("before too") {
			t.Fatal("no connection to begin with")
		}
		s.boot(parseConfig(t, "testdata/acme.json"), restart, true)
		s.advance(300e6)
		n, ifc, to := c.near, c.nearIf, c.called
		p := tcp(c.out, packet.FlagACK|packet.FlagPSH, c.seq, c.ack, []byte("once"))
		if restart == "hub1" {
			n, ifc, to = c.far, c.farIf, c.caller
			p = tcp(c.out.Reverse(), packet.FlagACK|packet.FlagPSH, c.ack, c.seq, []byte("once"))
		}
		had := len(to.got)
		c.node(n.name).from(ifc, p)
		s.advance(1200e6)
		if len(to.got) <= had || string(to.got[len(to.got)-1].Payload()) != "once" {
			t.Errorf("%s restarts: the packet did not arrive\n%s\n%s", restart,
				s.nodes["branch1"].explain(), s.nodes["hub1"].explain())
		}
	}
}

// TestColdRestartTwice: a router that opened a session for the answers of another one
// forgets that as well. What the peer still sends is as the first one was: encrypted,
// though the service that the answers call is clear. No host hears anything else.
func TestColdRestartTwice(t *testing.T) {
	s, branch, hub := acme(t)
	a := parseConfig(t, "testdata/acme.json")
	c := newTalk(s, branch, hub, "lan", "dc", "192.168.1.77:40000", "10.20.0.80:8443")
	if !c.upload("before") || !c.download("before too") {
		t.Fatal("no connection to begin with")
	}
	explain := func() string { return s.nodes["branch1"].explain() + "\n" + s.nodes["hub1"].explain() }
	for _, step := range []struct {
		what string
		say  func(string) bool
	}{{"the server speaks first", c.download}, {"the client speaks first", c.upload}} {
		s.boot(a, "hub1", true)
		had := len(c.called.got)
		if !step.say(step.what) || !c.upload("up") || !c.download("down") {
			t.Fatalf("%s: did not go on\n%s", step.what, explain())
		}
		for _, g := range c.called.got[had:] {
			if text := string(g.Payload()); text != "" && text != "up" && text != step.what {
				t.Errorf("%s: the server heard %q", step.what, text)
			}
		}
	}
	if n := s.nodes["hub1"].count(session.SessionsRecovered); n == 0 {
		t.Error("the hub was not told of its session: nothing was tested")
	}
}
