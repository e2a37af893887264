package lte

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"waymark/cmd/lab/world"
	"waymark/mgmt/agent"
	"waymark/mgmt/conductor"
	"waymark/net/resolve"
	"waymark/svr/path/ambient"
	"waymark/svr/path/natlife"
)

const (
	conductorIs   = "conductor" // this program's first argument to be one
	conductorAddr = "192.0.2.10"
	keepalive     = 6 * time.Second
)

// runConductor is a conductor that keeps its state in dir.
func runConductor(dir, config string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	err := conductor.Run(ctx, conductor.Settings{Dir: dir, Config: config, Listen: conductorAddr + ":930", Salt: conductorAddr + ":4506",
		Name: "c1", Log: slog.New(slog.NewTextHandler(os.Stdout, nil)), Ready: func() { fmt.Println("ready") }})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// managed starts a conductor and the branch's agent, which runs the conductor's
// configuration already.
func (s *site) managed() {
	s.Helper()
	bin, err := s.w.Waymark()
	s.must(err)
	config, state := s.w.Path("branch1.json"), s.w.Path("state-branch1")
	c, err := s.w.Start(world.Internet, os.Args[0], conductorIs, s.w.Path("conductor"), config)
	s.must(err)
	s.must(c.WaitOutput("ready\n", patience))
	s.must(os.MkdirAll(state, 0o700))
	name := filepath.Join(state, "router")
	s.must(os.WriteFile(name, []byte("branch1 node1\n"), 0o644))
	a, err := s.w.Start(world.Branch, bin, "agent", "-run", s.branch.Run, "-state", state, "-asset-id", "WM-0001", "-conductor", conductorAddr,
		"-keepalive", keepalive.String(), "-config", config, "-router-file", name)
	s.must(err)
	s.Cleanup(func() {
		if s.Failed() {
			s.Logf("agent:\n%s\nconductor:\n%s", a.Output(), c.Output())
		}
	})
	s.must(a.WaitOutput("salt=ready", patience))
}

// spent is what the box and its conductor said to each other, by the ledger and
// by a capture, at a moment of silence.
type spent struct {
	keepalives     uint64
	ssh, salt, all tally // all: of the capture
	vendor, plan   float64
}

// spent waits until n keepalives were answered and looks before the next one.
func (s *site) spent(n uint64, capture *world.Capture) (x spent) {
	s.Helper()
	s.must(world.Until(patience, fmt.Sprint(n, " keepalives"), func() (bool, error) {
		st, err := agent.ReadStatus(s.branch.Run)
		if err != nil || len(st.Conductors) == 0 {
			return false, nil
		}
		x.keepalives = st.Conductors[0].Traffic.Keepalives
		return x.keepalives >= n, nil
	}))
	<-time.After(1500 * time.Millisecond) // acknowledged, and in the ledger
	for _, r := range s.show(s.branch, "ambient") {
		if r["interface"] != "lte" || r["peer-or-conductor"] != conductorAddr {
			continue
		}
		t := tally{r["events"].(float64), r["bytes"].(float64)}
		switch r["channel"] {
		case ambient.SSH:
			x.ssh = t
		case ambient.Salt:
			x.salt = t
		case "total":
			x.vendor, x.plan = r["vendor-30d"].(float64), r["predicted-30d"].(float64)
		}
	}
	frames, err := world.ReadCapture(capture.File)
	s.must(err)
	for _, f := range frames {
		if len(f.Data) >= 34 {
			x.all.events++
			x.all.bytes += float64(binary.BigEndian.Uint16(f.Data[16:]))
		}
	}
	return x
}

// What an idle box costs on a metered way with one conductor, Salt inside of its
// connection included: over whole periods the ledger is what a capture of the
// link shows, and from the first packet on both have the same sum; 30 days are
// below 5 MB, with a new connection a day. The vendor stands beside it.
func TestManagement(t *testing.T) {
	t.Parallel()
	s := newSite(t, world.Acme(), func(s *site) {
		known, err := json.Marshal(map[string]natlife.Known{"lte 100.64.0.0/24": {Best: int64(250 * time.Second), At: time.Now().Unix()}})
		s.must(err)
		dir := s.w.Path("run-branch1")
		s.must(os.MkdirAll(dir, 0o755))
		s.must(os.WriteFile(dir+"/router.lifetimes.json", known, 0o600))
	})
	s.must(world.Until(patience, "what was learned of the NAT to be told", func() (bool, error) {
		f, err := resolve.Read(filepath.Join(s.branch.Run, "resolv.json"))
		return err == nil && len(f.WANs) > 0 && f.WANs[0].NATLifetime == 250, nil
	}))
	s.must(s.w.PlainLink(world.ISPLTE, "branch")) // a super-packet would be one event of the capture
	if rows := s.show(s.branch, "security", "key-status"); len(rows) != 1 || rows[0]["key-manager-state"] != "configured" || rows[0]["last-rekey"] == nil {
		t.Errorf("key status %v", rows)
	}
	capture, err := s.w.Capture(world.ISPLTE, "branch", "tcp and host "+conductorAddr)
	s.must(err)
	s.managed()
	const periods = 3
	before := s.spent(2, capture)
	after := s.spent(before.keepalives+periods, capture)
	n := float64(after.keepalives - before.keepalives)
	ssh := tally{after.ssh.events - before.ssh.events, after.ssh.bytes - before.ssh.bytes}
	wire := tally{after.all.events - before.all.events, after.all.bytes - before.all.bytes}
	if math.Abs(ssh.events-wire.events) > 1 || ssh.bytes/ssh.events != wire.bytes/wire.events || after.salt != before.salt {
		t.Errorf("in %.0f periods the ledger has %+v and Salt %+v after %+v, the link %+v", n, ssh, after.salt, before.salt, wire)
	}
	whole := tally{after.ssh.events + after.salt.events, after.ssh.bytes + after.salt.bytes}
	if math.Abs(whole.events-after.all.events) > 1 || math.Abs(whole.bytes-after.all.bytes) > 60 || after.salt.events == 0 {
		t.Errorf("from the beginning the ledger has %+v, the link %+v", whole, after.all)
	}
	each := ssh.bytes / n
	connect := before.all.bytes - each*float64(before.keepalives)
	t.Logf("a keepalive: %.1f packets, %.0f bytes; a new connection %.0f bytes, %.0f packets and %.0f bytes of them Salt's",
		ssh.events/n, each, connect, after.salt.events, after.salt.bytes)
	for _, every := range []time.Duration{180 * time.Second, 300 * time.Second} { // the shortest and the longest by itself
		month := each*30*86400/every.Seconds() + 30*connect
		plan := ambient.Total(ambient.Management{Keepalive: every.Seconds(), Connects: 1}.Costs())
		t.Logf("30 days at %v: %.2f MB, planned %.2f MB", every, month/1e6, plan/1e6)
		if month > 5e6 || plan > 5e6 || math.Abs(month-plan) > 0.1*plan {
			t.Errorf("30 days at %v cost %.2f MB, planned %.2f MB", every, month/1e6, plan/1e6)
		}
	}
	if want := ambient.Total(ambient.Management{Keepalive: keepalive.Seconds(), Connects: 1}.Costs()); math.Abs(after.plan-want) > 2 {
		t.Errorf("show ambient predicts %.0f, want %.0f", after.plan, want)
	}
	if math.Abs(after.vendor-1753e6) > 0.01*1753e6 {
		t.Errorf("the vendor's figure is %.0f", after.vendor)
	}
}
