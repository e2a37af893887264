package agent

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"waymark/mgmt/uplink/client"
	"waymark/mgmt/uplink/server"
	"waymark/mgmt/uplink/uplinktest"
	"waymark/svr/event"
	"waymark/svr/router/eventfile"
)

// agentEnv has the test binary be an agent: run and state directory, conductors.
const agentEnv = "WAYMARK_TEST_AGENT"

func TestMain(m *testing.M) {
	if os.Getenv(agentEnv) == "" {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Println("started")
	err := Run(ctx, Settings{
		RunDir: os.Args[1], StateDir: os.Args[2], AssetID: "box1", Conductors: os.Args[3:], NoSalt: true,
		Log:    slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Uplink: client.Timing{Spread: 100 * time.Millisecond, Longest: 400 * time.Millisecond},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// process is an agent that can be killed.
type process struct {
	t    *testing.T
	args []string
	cmd  *exec.Cmd
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0], p.args...)
	p.cmd.Env = append(os.Environ(), agentEnv+"=1")
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		p.t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "started\n" {
		p.t.Fatalf("agent says %q, %v", line, err)
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself, which Wait tells
	_ = p.cmd.Wait()
}

// cable is a link between box and conductor that can be cut.
type cable struct {
	l     net.Listener
	to    string
	mu    sync.Mutex // guards the rest
	cut   bool
	conns map[net.Conn]bool
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{l: l, to: to, conns: map[net.Conn]bool{}}
	t.Cleanup(func() { l.Close(); c.setCut(true) })
	go func() {
		for {
			a, err := l.Accept()
			if err != nil {
				return
			}
			go c.carry(a)
		}
	}()
	return c
}

func (c *cable) carry(a net.Conn) {
	defer a.Close()
	b, err := net.Dial("tcp", c.to)
	if err != nil {
		return
	}
	defer b.Close()
	c.mu.Lock()
	if c.cut {
		c.mu.Unlock()
		return
	}
	c.conns[a], c.conns[b] = true, true
	c.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { _, _ = io.Copy(a, b); a.Close() })
	both.Go(func() { _, _ = io.Copy(b, a); b.Close() })
	both.Wait()
	c.mu.Lock()
	delete(c.conns, a)
	delete(c.conns, b)
	c.mu.Unlock()
}

// setCut cuts the link in the middle of whatever it carries, or mends it.
func (c *cable) setCut(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	if cut {
		for conn := range c.conns {
			if t, ok := conn.(*net.TCPConn); ok {
				_ = t.SetLinger(0) // what is under way is lost
			}
			conn.Close()
		}
	}
}

// producer writes alarms as a router does.
type producer struct {
	t    *testing.T
	file *eventfile.File
	log  *event.Log
	n    int
}

func newProducer(t *testing.T, run string) *producer {
	t.Helper()
	f, _, err := eventfile.Open(filepath.Join(run, "events.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	return &producer{t: t, file: f, log: event.New(event.Config{Router: "branch1", Node: "node1", Process: "router"})}
}

// alarms raises and clears n times in all.
func (p *producer) alarms(n int) {
	p.t.Helper()
	for range n {
		a := event.Alarm{Category: event.Peer, Severity: event.Major, Source: "hub1", Message: fmt.Sprintf("alarm %d", p.n/2), Key: "k"}
		r, told := p.log.Set(time.Now(), a, p.n%2 == 0)
		if !told {
			p.t.Fatalf("event %d was not told", p.n)
		}
		if err := p.file.Append(r); err != nil {
			p.t.Fatal(err)
		}
		p.n++
	}
}

// holds tells whether an asset has exactly what was produced, in order.
func holds(a *uplinktest.Asset, n int) error {
	seen, add := 0, uint64(0)
	for _, e := range a.Events {
		if e.Record.Process != "router" {
			continue
		}
		want, kind := fmt.Sprintf("alarm %d", seen/2), event.TypeAdd
		if seen%2 == 1 {
			kind = event.TypeClear
		} else {
			add = e.Seq
		}
		if e.Record.Message != want || e.Record.Type != kind || e.Alarm != add {
			return fmt.Errorf("event %d is %q %s of %d, want %q %s of %d", seen, e.Record.Message, e.Record.Type, e.Alarm, want, kind, add)
		}
		seen++
	}
	if seen != n || a.Lost != 0 {
		return fmt.Errorf("%d events of %d, %d lost", seen, n, a.Lost)
	}
	return nil
}

// 10,000 alarms while conductors are killed, links cut and the agent killed at
// random: each conductor has each of them once, in order; and both agree.
func TestAlarms(t *testing.T) {
	const total = 10_000
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	dice := rand.New(rand.NewPCG(seed, 1))
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Minute)
	defer cancel()
	run, state := t.TempDir(), t.TempDir()
	var stores [2]*uplinktest.Conductor
	var servers [2]*uplinktest.Running
	var configs [2]server.Config
	var cables [2]*cable
	agent := &process{t: t, args: []string{run, state}}
	for i := range stores {
		stores[i] = uplinktest.New("box1")
		configs[i] = server.Config{Conductor: stores[i], HostKey: uplinktest.Key(t), Log: slog.New(slog.DiscardHandler)}
		servers[i] = uplinktest.Start(t, "", configs[i])
		cables[i] = newCable(t, servers[i].Addr)
		agent.args = append(agent.args, cables[i].l.Addr().String())
	}
	p := newProducer(t, run)
	agent.start()
	t.Cleanup(func() { agent.kill() })
	began := time.Now()
	const burst = 250 // what two files hold is told in docs/uplink.md
	for p.n < total {
		p.alarms(burst)
		who := dice.IntN(2)
		switch dice.IntN(4) {
		case 0: // the agent is killed, and told more while it is dead
			agent.kill()
			p.alarms(min(burst, total-p.n))
			agent.start()
		case 1:
			servers[who].Stop(t)
			p.alarms(min(burst/4, total-p.n))
			servers[who] = uplinktest.Start(t, servers[who].Addr, configs[who])
		case 2:
			cables[who].setCut(true)
			p.alarms(min(burst/4, total-p.n))
			pause(ctx, time.Duration(dice.IntN(100))*time.Millisecond) // how long is part of the dice
			cables[who].setCut(false)
		case 3: // nothing happens
			pause(ctx, time.Duration(dice.IntN(200))*time.Millisecond)
		}
		// The file that the agent reads is bounded: who writes faster than it
		// reads loses events, which is told and not what is tested here.
		if err := stores[0].Await(ctx, "box1", func(a *uplinktest.Asset) bool { return routerEvents(a) > p.n-4*burst }); err != nil {
			t.Fatalf("%d events are not taken: %v", p.n, err)
		}
	}
	for i, s := range stores {
		var err error
		if e := s.Await(ctx, "box1", func(a *uplinktest.Asset) bool {
			if routerEvents(a) < p.n {
				return false
			}
			err = holds(a, p.n)
			t.Logf("conductor %d: %d events kept, %d came again, %d connections", i, len(a.Events), a.Again, a.Attached)
			return true
		}); e != nil || err != nil {
			t.Errorf("conductor %d: %v, %v", i, err, e)
		}
	}
	t.Logf("took %v", time.Since(began).Round(time.Millisecond))
}

// routerEvents counts those that the router told.
func routerEvents(a *uplinktest.Asset) (n int) {
	for i := range a.Events {
		if a.Events[i].Record.Process == "router" {
			n++
		}
	}
	return n
}
