package lte

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/net/netns"
	"waymark/scripts/soak"
)

// patience bounds what happens sooner or later.
const patience = 60 * time.Second

func TestMain(m *testing.M) {
	if code, ok := traffic.Main(os.Args[1:]); ok {
		os.Exit(code)
	}
	if len(os.Args) == 4 && os.Args[1] == conductorIs {
		os.Exit(runConductor(os.Args[2], os.Args[3]))
	}
	os.Exit(m.Run())
}

// site is the example's network with its fiber cut: what works, works by LTE.
type site struct {
	*testing.T
	w           *world.World
	branch, hub *world.Router
	config      []byte
}

type row = map[string]any

// newSite starts both routers; prepare runs before them.
func newSite(t *testing.T, config []byte, prepare func(s *site)) *site {
	t.Helper()
	w, err := world.New(world.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{T: t, w: w, config: config}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	s.must(w.Carrier(world.ISPFiber, "branch", false))
	if prepare != nil {
		prepare(s)
	}
	s.hub = s.start("hub1", world.Hub)
	s.branch = s.start("branch1", world.Branch)
	s.lteUp()
	return s
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) start(name, ns string) *world.Router {
	s.Helper()
	r, err := s.w.StartRouter(name, ns, s.config)
	s.must(err)
	s.Cleanup(func() {
		if s.Failed() {
			s.Logf("%s:\n%s", name, r.Output())
		}
	})
	return r
}

func (s *site) lteUp() {
	s.Helper()
	s.must(s.branch.PeersUp(patience, func(r map[string]any) bool { return r["network-interface"] == "lte" }))
}

func (s *site) show(r *world.Router, args ...string) (rows []row) {
	s.Helper()
	s.must(r.ShowJSON(&rows, args...))
	return rows
}

// lte is the branch's row of show bfd for the path by LTE.
func (s *site) lte() row {
	s.Helper()
	for _, r := range s.show(s.branch, "bfd", "detail") {
		if r["network-interface"] == "lte" {
			return r
		}
	}
	s.Fatal("no path by lte")
	return nil
}

// neverDown fails if the path by LTE went down since the routers started.
func (s *site) neverDown() {
	s.Helper()
	if n := s.lte()["link-down"]; n != 0.0 {
		s.Errorf("the path went down %v times", n)
	}
}

// talks is a TCP session through both routers that says something now and then.
type talks struct {
	conns []net.Conn
	said  int
}

// talk opens sessions from the client to an echo server in the data center.
func (s *site) talk(n int) *talks {
	s.Helper()
	var l net.Listener
	s.must(netns.Do(s.w.NS(world.Server), func() (err error) {
		l, err = net.Listen("tcp", "10.20.0.5:7")
		return err
	}))
	s.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c) // ends with the session
			}()
		}
	}()
	t := &talks{}
	for range n {
		s.must(netns.Do(s.w.NS(world.Client), func() error {
			d := net.Dialer{Timeout: patience, KeepAlive: -1}
			c, err := d.Dial("tcp", "10.20.0.5:7")
			if err == nil {
				t.conns = append(t.conns, c)
			}
			return err
		}))
	}
	s.Cleanup(func() {
		for _, c := range t.conns {
			c.Close()
		}
	})
	return t
}

// say has every session ask and be answered.
func (s *site) say(t *talks) {
	s.Helper()
	t.said++
	word := fmt.Appendf(nil, "word %8d", t.said)
	for i, c := range t.conns {
		s.must(c.SetDeadline(time.Now().Add(patience)))
		_, err := c.Write(word)
		got := make([]byte, len(word))
		if err == nil {
			_, err = io.ReadFull(c, got)
		}
		if err != nil || string(got) != string(word) {
			s.Fatalf("session %d is lost after %d words: %q, %v", i, t.said, got, err)
		}
	}
}

// forget makes the carrier's NAT forget every binding.
func (s *site) forget() {
	s.Helper()
	const deleteAll = unix.NFNL_SUBSYS_CTNETLINK<<8 | 2 // IPCTNL_MSG_CT_DELETE without a tuple
	s.must(netns.Do(s.w.NS(world.ISPLTE), func() error {
		c, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
		if err != nil {
			return err
		}
		defer c.Close()
		_, err = c.Execute(netlink.Message{Header: netlink.Header{Type: deleteAll, Flags: netlink.Request | netlink.Acknowledge},
			Data: []byte{unix.AF_INET, 0, 0, 0}})
		return err
	}))
}

// A NAT that forgets for as long as established UDP is silent for 20 s: that is
// learned within 10 % while a session runs, and kept over a kill.
func TestNATLifetime(t *testing.T) {
	t.Parallel()
	s := newSite(t, world.Acme(), func(s *site) {
		s.must(s.w.SetSysctls(world.ISPLTE, "net/netfilter/nf_conntrack_udp_timeout_stream=20"))
	})
	talk, pace := s.talk(3), time.NewTicker(2*time.Second)
	defer pace.Stop()
	var known row
	err := world.Until(4*patience, "the lifetime of the NAT", func() (bool, error) {
		s.say(talk)
		<-pace.C // sessions are not kept alive by BFD: they talk
		known = s.lte()
		return known["nat-lifetime-s"] != nil, nil
	})
	s.must(err)
	if n := known["nat-lifetime-s"].(float64); n < 18 || n > 20.2 {
		t.Errorf("20 s learned as %.1f", n)
	}
	t.Logf("lifetime %v s, refreshed every %v s", known["nat-lifetime-s"], known["nat-keep-alive-s"])
	s.say(talk)
	s.neverDown()
	s.must(world.Until(patience, "the lifetime on the disk", func() (bool, error) {
		b, _ := os.ReadFile(s.branch.Run + "/router.lifetimes.json")
		return strings.Contains(string(b), "lte 100.64.0.0/24"), nil
	}))
	s.must(s.branch.Kill())
	s.branch = s.start("branch1", world.Branch)
	s.lteUp()
	if again := s.lte(); again["nat-keep-alive-s"] != known["nat-keep-alive-s"] {
		t.Errorf("after a kill refreshed every %v s, before %v", again["nat-keep-alive-s"], known["nat-keep-alive-s"])
	}
	s.say(talk)
}

// A NAT that forgets every binding once a minute while sessions run: none is
// lost, no path goes down.
func TestSoakRebind(t *testing.T) {
	t.Parallel()
	during := soak.Time(t, 2*time.Minute)
	s := newSite(t, world.Acme(), nil)
	talk, pace := s.talk(20), time.NewTicker(100*time.Millisecond)
	defer pace.Stop()
	began, rebinds, longest := time.Now(), 0, time.Duration(0)
	for next := began.Add(10 * time.Second); time.Since(began) < during; {
		if time.Now().After(next) {
			s.forget()
			rebinds++
			next = next.Add(time.Minute)
		}
		said := time.Now()
		s.say(talk)
		longest = max(longest, time.Since(said))
		<-pace.C
	}
	s.neverDown()
	t.Logf("%d rebinds in %v, %d words of each of %d sessions, slowest round %v", rebinds, during, talk.said, len(talk.conns), longest)
}
