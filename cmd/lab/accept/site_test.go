package accept

import (
	"fmt"
	"net"
	"testing"
	"time"

	"waymark/cmd/lab/world"
	"waymark/net/netns"
)

// patience bounds everything that happens sooner or later on a machine that
// others use as well. It is no figure of any row.
const patience = 60 * time.Second

// site is a world with routers in it.
type site struct {
	*testing.T
	w           *world.World
	branch, hub *world.Router
}

// newWorld builds a world and removes it at the end.
func newWorld(t *testing.T, o world.Options) *site {
	t.Helper()
	w, err := world.New(o)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, w: w}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// newSite builds the standard world and starts branch1 and hub1 with the
// configuration; no configuration means acme.json as it is.
func newSite(t *testing.T, config []byte, flags ...string) *site {
	t.Helper()
	s := newWorld(t, world.Options{})
	s.startBoth(config, flags...)
	return s
}

func (s *site) startBoth(config []byte, flags ...string) {
	s.Helper()
	if config == nil {
		config = world.Acme()
	}
	s.hub = s.start("hub1", world.Hub, config, flags...)
	s.branch = s.start("branch1", world.Branch, config, flags...)
	s.up(s.branch, "fiber")
	s.up(s.hub, "")
}

// start starts a router; its log is told if the test fails.
func (s *site) start(name, ns string, config []byte, flags ...string) *world.Router {
	s.Helper()
	r, err := s.w.StartRouter(name, ns, config, flags...)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() {
		if s.Failed() {
			s.Logf("log of %s:\n%s", name, r.Output())
		}
	})
	return r
}

// up waits until the router's peer paths over an interface are up ("": those
// with an address).
func (s *site) up(r *world.Router, iface string) {
	s.Helper()
	err := r.PeersUp(patience, func(row map[string]any) bool {
		if iface == "" {
			return row["reason"] != "no-address"
		}
		return row["network-interface"] == iface
	})
	if err != nil {
		s.Fatal(err)
	}
}

// in is the same site for a subtest: what it opens ends with the subtest.
func (s *site) in(t *testing.T) *site {
	c := *s
	c.T = t
	return &c
}

// must ends the test on an error.
func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// inside runs fn in a namespace of the world; sockets that it opens stay there.
func (s *site) inside(ns string, fn func() error) error {
	return netns.Do(s.w.NS(ns), fn)
}

// exec runs a command that must succeed.
func (s *site) exec(ns string, cmd ...string) string {
	s.Helper()
	out, err := s.w.Exec(ns, cmd...)
	if err != nil {
		s.Fatal(err)
	}
	return out
}

// listen opens a TCP port in a namespace until the test ends.
func (s *site) listen(ns, addr string) *net.TCPListener {
	s.Helper()
	var l net.Listener
	err := s.inside(ns, func() (err error) {
		l, err = net.Listen("tcp", addr)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// socket opens a UDP socket in a namespace until the test ends.
func (s *site) socket(ns, addr string) *net.UDPConn {
	s.Helper()
	var c net.PacketConn
	err := s.inside(ns, func() (err error) {
		c, err = net.ListenPacket("udp", addr)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { c.Close() })
	return c.(*net.UDPConn)
}

// dial opens a connected socket in a namespace until the test ends. Every
// operation on it fails after patience.
func (s *site) dial(ns, network, addr string) net.Conn {
	s.Helper()
	c, err := s.tryDial(ns, network, addr, patience)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(func() { c.Close() })
	return c
}

func (s *site) tryDial(ns, network, addr string, limit time.Duration) (c net.Conn, err error) {
	err = s.inside(ns, func() (err error) {
		c, err = (&net.Dialer{Timeout: limit}).Dial(network, addr)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(patience))
}

// pair is both ends of a TCP connection.
type pair struct{ client, server *net.TCPConn }

// connect dials a listener of the test from a namespace and accepts.
func (s *site) connect(ns string, l *net.TCPListener) pair {
	s.Helper()
	p, err := s.tryConnect(ns, l)
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(p.close)
	return p
}

func (s *site) tryConnect(ns string, l *net.TCPListener) (p pair, err error) {
	c, err := s.tryDial(ns, "tcp", l.Addr().String(), patience)
	if err != nil {
		return p, err
	}
	deadline := time.Now().Add(patience)
	if err := l.SetDeadline(deadline); err != nil {
		return p, err
	}
	server, err := l.AcceptTCP()
	if err != nil {
		c.Close()
		return p, fmt.Errorf("accept what %v dialled: %w", c.LocalAddr(), err)
	}
	return pair{client: c.(*net.TCPConn), server: server}, server.SetDeadline(deadline)
}

func (p pair) close() {
	p.client.Close()
	p.server.Close()
}

// swap turns the roles round: whoever answered becomes the first to speak.
func (p pair) swap() pair { return pair{client: p.server, server: p.client} }

// stats returns the router's counters by name.
func (s *site) stats(r *world.Router) map[string]int {
	s.Helper()
	var rows []struct {
		Metric string `json:"metric"`
		Value  int    `json:"value"`
	}
	s.must(r.ShowJSON(&rows, "stats"))
	m := map[string]int{}
	for _, row := range rows {
		m[row.Metric] = row.Value
	}
	return m
}

// pool is a line of `show capacity`.
type pool struct {
	Resource string `json:"resource"`
	Entries  int    `json:"entries"`
	Capacity int    `json:"capacity"`
	Highest  int    `json:"highest"`
	Refused  int    `json:"refused"`
}

// capacity returns a line of `show capacity`.
func (s *site) capacity(r *world.Router, resource string) pool {
	s.Helper()
	var rows []pool
	s.must(r.ShowJSON(&rows, "capacity"))
	for _, row := range rows {
		if row.Resource == resource {
			return row
		}
	}
	s.Fatalf("show capacity has no %q", resource)
	return pool{}
}
