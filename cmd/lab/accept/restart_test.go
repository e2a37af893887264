package accept

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"waymark/cmd/lab/world"
)

// backWithin is row 5: how long after the new router answers every connection
// has to go on. Of some kills, one holds that: other work comes and goes.
const (
	backWithin = 3 * time.Second
	backRounds = 6
)

// transfers of row 5: both services, opened from both sides, data up and down.
var transfers = []struct {
	name     string
	from, to string // namespaces of client and server
	addr     string
	down     bool // the server sends
}{
	{"clear upload", world.Client, world.Server, "10.20.0.5:5001", false},
	{"clear download", world.Client, world.Server, "10.20.0.5:5002", true},
	{"cbc upload", world.Client, world.Server, "10.20.0.80:8443", false},
	{"cbc download", world.Client, world.Server, "10.20.0.80:8444", true},
	{"gcm upload", world.Client, world.Server, "10.20.0.80:9443", false},
	{"gcm download", world.Client, world.Server, "10.20.0.80:9444", true},
	{"clear upload, opened behind the hub", world.Server, world.Client, "192.168.1.10:5001", false},
	{"clear download, opened behind the hub", world.Server, world.Client, "192.168.1.10:5002", true},
	{"cbc upload, opened behind the hub", world.Server, world.Client, "192.168.1.10:8443", false},
	{"cbc download, opened behind the hub", world.Server, world.Client, "192.168.1.10:8444", true},
	{"clear over ipv6", world.Client, world.Server, "[fd00:20::5]:5001", false},
}

// bothWaysSecret is acme.json with encrypted services in both directions, by
// CBC and by GCM.
func bothWaysSecret(a tree) {
	a.at("service/payroll")["transport"] = []any{ports("tcp", 8443, 8444)}
	a.add("security", tree{"name": "payload-gcm", "encrypt": true, "encryption-cipher": "aes-gcm-128",
		"encryption-key": "00112233445566778899aabbccddeeff", "adaptive-encryption": false, "hmac-mode": "disabled"})
	allow := []any{tree{"source": "corp", "permission": "allow"}}
	a.add("service",
		tree{"name": "vault", "scope": "private", "address": []any{"10.20.0.80/32"}, "transport": []any{ports("tcp", 9443, 9444)},
			"security": "payload-gcm", "service-policy": "fiber-then-lte", "access-policy": allow},
		tree{"name": "branch-pay", "scope": "private", "address": []any{"192.168.1.0/24"}, "transport": []any{ports("tcp", 8443, 8444)},
			"security": "payload-cbc", "service-policy": "fiber-then-lte", "access-policy": allow})
	a.at("router/branch1").add("service-route",
		tree{"name": "vault-at-hub1", "service-name": "vault", "peer": "hub1"},
		tree{"name": "pay-here", "service-name": "branch-pay", "next-hop": []any{tree{"node-name": "node1", "interface": "lan"}}})
	a.at("router/hub1").add("service-route",
		tree{"name": "vault-here", "service-name": "vault", "next-hop": []any{tree{"node-name": "node1", "interface": "dc"}}},
		tree{"name": "pay-at-branch1", "service-name": "branch-pay", "peer": "branch1"})
}

// flowing is a connection in mid-transfer. Its sender never rests; the receiver
// checks every byte.
type flowing struct {
	name string
	p    pair
	got  atomic.Int64 // bytes that arrived right
	err  atomic.Pointer[error]
	stop atomic.Bool
}

// run sends and checks until stop.
func (f *flowing) run(seed uint64, down bool) {
	from, to := f.p.client, f.p.server
	if down {
		from, to = to, from
	}
	const endless = 1 << 40
	var both sync.WaitGroup
	both.Go(func() { f.fail("send", f.pump(from, cargo(seed, endless))) })
	both.Go(func() { f.fail("receive", f.check(to, cargo(seed, endless))) })
	both.Wait()
}

func (f *flowing) fail(what string, err error) {
	if err != nil && !f.stop.Load() {
		err = fmt.Errorf("%s after %d bytes: %w", what, f.got.Load(), err)
		f.err.CompareAndSwap(nil, &err)
	}
}

// pace keeps ten transfers from filling the machine: they are to be
// interrupted, not to be fast.
const pace = 2 * time.Millisecond

func (f *flowing) pump(to net.Conn, src io.Reader) error {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	buf := make([]byte, 8192)
	for range tick.C {
		if _, err := io.ReadFull(src, buf); err != nil {
			return err
		}
		if _, err := to.Write(buf); err != nil {
			return err
		}
	}
	return nil
}

func (f *flowing) check(from io.Reader, want io.Reader) error {
	buf, expect := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return err
		}
		if _, err := io.ReadFull(want, expect[:n]); err != nil {
			return err
		}
		if string(buf[:n]) != string(expect[:n]) {
			return fmt.Errorf("the next %d bytes differ", n)
		}
		f.got.Add(int64(n))
	}
}

func TestRow05ColdRestartInMidTransfer(t *testing.T) {
	config := acmeWith(t, bothWaysSecret)
	s := newSite(t, config)
	var flows []*flowing
	for i := range transfers {
		flows = append(flows, s.begin(i))
	}
	for _, name := range []string{"branch1", "hub1", "branch1"} {
		t.Run(name+" killed", func(t *testing.T) { s.restart(t, name, config, flows) })
	}
}

// TestSoakRow05EachAlone: no other connection proves anything for this one.
// Without SOAK it tries some.
func TestSoakRow05EachAlone(t *testing.T) {
	config := acmeWith(t, bothWaysSecret)
	s := newSite(t, config)
	for i, tr := range transfers {
		if os.Getenv("SOAK") == "" && i%4 != 0 {
			continue
		}
		f := s.begin(i)
		for _, name := range []string{"branch1", "hub1"} {
			t.Run(tr.name+", "+name+" killed", func(t *testing.T) { s.restart(t, name, config, []*flowing{f}) })
		}
		f.stop.Store(true)
		f.p.close()
	}
}

// begin starts a transfer that goes on until the test ends.
func (s *site) begin(i int) *flowing {
	s.Helper()
	tr := transfers[i]
	f := &flowing{name: tr.name, p: s.connect(tr.from, s.listen(tr.to, tr.addr))}
	s.must(f.p.client.SetDeadline(time.Time{}))
	s.must(f.p.server.SetDeadline(time.Time{}))
	go f.run(uint64(i)+500, tr.down)
	s.Cleanup(func() { f.stop.Store(true) })
	return f
}

// restart kills a router in mid-transfer, starts it cold, and waits for every
// flow to go on. A host that was cut off for long tries less and less often: a
// machine too busy to start the process within a second gets the time that the
// hosts take.
func (s *site) restart(t *testing.T, name string, config []byte, flows []*flowing) {
	t.Cleanup(func() {
		if t.Failed() {
			s.tellSessions(t)
		}
	})
	for round := 1; !t.Failed(); round++ {
		gap, limit := s.restartOnce(t, name, config, flows)
		if gap <= limit {
			return
		}
		if round == backRounds {
			t.Errorf("goes on after %.2f s, want %v", gap.Seconds(), limit)
		}
	}
}

// tellSessions logs what both routers know of their sessions.
func (s *site) tellSessions(t *testing.T) {
	for _, r := range []*world.Router{s.branch, s.hub} {
		out, err := r.Show("sessions", "detail")
		t.Logf("%s: %v, %v\n%s", r.Run, s.stats(r), err, out)
	}
}

// restartOnce returns how long the slowest flow waited and how long it may.
func (s *site) restartOnce(t *testing.T, name string, config []byte, flows []*flowing) (gap, limit time.Duration) {
	goOn(t, flows, false) // all in mid-transfer
	r, ns := &s.branch, world.Branch
	if name == "hub1" {
		r, ns = &s.hub, world.Hub
	}
	s.must((*r).Kill())
	start := time.Now()
	*r = s.start(name, ns, config)
	away := time.Since(start)
	t.Logf("%s answers %.2f s after it was killed", name, away.Seconds())
	limit = backWithin
	if away > time.Second {
		limit += 2 * away
	}
	return goOn(t, flows, true), limit
}

// goOn waits until data moves on every flow and returns how long the slowest took.
func goOn(t *testing.T, flows []*flowing, tell bool) (slowest time.Duration) {
	t.Helper()
	start := time.Now()
	before, gap := make([]int64, len(flows)), make([]time.Duration, len(flows))
	for i, f := range flows {
		before[i] = f.got.Load()
	}
	waiting := len(flows)
	err := world.Until(patience, "data on every connection", func() (bool, error) {
		for i, f := range flows {
			if err := f.err.Load(); err != nil {
				return false, fmt.Errorf("%s: %w", f.name, *err)
			}
			if gap[i] == 0 && f.got.Load() > before[i] {
				gap[i] = time.Since(start)
				waiting--
			}
		}
		return waiting == 0, nil
	})
	for i, f := range flows {
		switch {
		case gap[i] == 0:
			t.Errorf("%s: no byte after %v (%v)", f.name, time.Since(start), err)
		case tell:
			t.Logf("%-40s goes on after %.2f s", f.name, gap[i].Seconds())
		}
		slowest = max(slowest, gap[i])
	}
	return slowest
}
