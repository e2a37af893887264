package fast_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"waymark/net/netns"
	"waymark/net/netns/nstest"
	"waymark/scripts/soak"
	"waymark/svr/lane/fast"
	"waymark/svr/lane/fast/fasttest"
	"waymark/svr/lane/lanetest/gen"
	"waymark/svr/packet"
	"waymark/svr/pool"
)

// TestMain runs the second process of TestKill when it is that.
func TestMain(m *testing.M) {
	if os.Getenv("FAST_TEST_OWNER") != "" {
		owner()
		return
	}
	os.Exit(m.Run())
}

// owner sets a lane up for a row and waits to be killed.
func owner() {
	fail := func(err error) {
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
	var a0, a1 int
	var macs [4][6]byte
	var h [4][]byte
	_, err := fmt.Sscanf(os.Getenv("FAST_TEST_OWNER"), "%d %d %x %x %x %x", &a0, &a1, &h[0], &h[1], &h[2], &h[3])
	fail(err)
	for i := range h {
		copy(macs[i][:], h[i])
	}
	l, err := fast.Open(fast.Config{Slots: 1024})
	fail(err)
	table, err := pool.NewTable(l.Memory(), pool.TableConfig{Slots: 1024, Seed: [16]byte{9}, Clock: fast.Monotonic()})
	fail(err)
	word, err := fast.OwnerWord()
	fail(err)
	table.SetOwnerWord(word)
	fail(l.SetNetif(2, fast.NetifConfig{Index: a1, MAC: macs[2], MTU: 1500}))
	l.SetHop(1, macs[3], 2)
	for f := range 64 {
		from := tuple(packet.ProtoUDP, fmt.Sprintf("10.1.0.2:%d", 16384+f), "10.2.0.2:5001")
		to := tuple(packet.ProtoUDP, fmt.Sprintf("10.2.0.1:%d", 20000+f), "10.2.0.2:17001")
		_, err := table.Insert(pool.Key{Tuple: from, If: 1}, pool.Action{To: to, Hop: 1, Flags: fast.Fast | 1500}, 1)
		fail(err)
	}
	fail(l.Attach(fast.PortConfig{Index: a0, MAC: macs[0], Untagged: 1}))
	fail(l.Attach(fast.PortConfig{Index: a1, MAC: macs[2], Untagged: 2}))
	fmt.Println("ready")
	select {}
}

// TestKill: the lane of a process under "ip netns exec" forwards on when the
// process is killed, the next process adopts it with every session, and a
// second living one is refused.
func TestKill(t *testing.T) {
	row := fasttest.NewRow(t)
	gen.Ethtool(t, row.Router, "a0", gen.EthtoolSGRO, 1)
	sink := fasttest.Programs(t, nil, "tc_sink")
	sink.TC(row.Server, row.S0.Index, "tc_sink")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("ip", "netns", "exec", row.Router, exe)
	cmd.Env = append(os.Environ(), fmt.Sprintf("FAST_TEST_OWNER=%d %d %x %x %x %x", row.A0.Index, row.A1.Index,
		row.A0.MAC[:], row.C0.MAC[:], row.A1.MAC[:], row.S0.MAC[:]))
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }) // it may have ended: no error
	if line, _ := bufio.NewReader(pipe).ReadString('\n'); line != "ready\n" {
		t.Fatalf("owner said %q", line)
	}
	send := fasttest.Generator(t, flowsOf(row, 64))
	const frames = 1 << 14
	send.Send(row.Client, frames, 0)

	devices := []int{row.A0.Index, row.A1.Index}
	cfg := fast.Config{Devices: devices, Tap: "-"}
	if err := netns.Do(row.Router, func() error { _, err := fast.Open(cfg); return err }); !errors.Is(err, fast.ErrOwned) {
		t.Errorf("second owner: %v, want ErrOwned", err)
	}
	if err := cmd.Process.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	send.Send(row.Client, frames, 0)
	if got := sink.Count(fasttest.Got); got != 2*frames {
		t.Errorf("%d frames arrived around the kill, want %d", got, 2*frames)
	}

	w := &world{t: t, ns: row.Router}
	soak.Within(t, "adopted in", time.Second, func() time.Duration {
		if w.lane != nil { // another round
			w.in(func() error { return w.lane.Close(true) })
		}
		start := time.Now()
		w.open(fast.Config{Devices: devices})
		if took := time.Since(start); w.lane.Adopted() {
			return took
		}
		t.Fatal("not adopted")
		return 0
	})
	if n := w.table.Stats().Directions; n != 64 {
		t.Errorf("%d directions adopted, want 64", n)
	}
	var packets uint64
	w.table.ForEach(func(s uint32) bool { n, _, _, _ := w.table.Counters(s); packets += n; return true })
	if packets != 2*frames {
		t.Errorf("slots counted %d packets, want %d", packets, 2*frames)
	}
	w.in(func() error { return w.lane.Close(false) })
	if out := fasttest.Run(t, row.Router, "ip link show"); len(out) == 0 {
		t.Error("no links")
	}
	again := &world{t: t, ns: row.Router}
	again.open(fast.Config{Devices: devices})
	if again.lane.Adopted() {
		t.Error("something is left after the orderly stop")
	}
}

// TestReplace: programs are exchanged under load without losing a packet, and
// nothing is counted twice.
func TestReplace(t *testing.T) {
	for _, name := range []string{"tc", "filter", "xdp"} {
		t.Run(name, func(t *testing.T) {
			c := newContestant(t, name, 64)
			w := c.world
			const frames = 1 << 19
			done := make(chan struct{})
			go func() { defer close(done); c.gen.Send(c.row.Client, frames, 0) }()
			replaced := 0
			for running := true; running; replaced++ {
				select {
				case <-done:
					running = false
				default:
				}
				w.in(func() error {
					return w.lane.Attach(fast.PortConfig{Index: c.row.A0.Index, MAC: c.row.A0.MAC, Untagged: 1, XDP: name == "xdp"})
				})
			}
			got := c.sink.Count(fasttest.Got)
			n := w.counters()
			if got != frames || replaced < 2 {
				t.Errorf("%d of %d frames arrived, %d replacements; %+v", got, frames, replaced, n)
			}
			if n.Forwarded() != frames || n.Dropped() != 0 || n.In != n.Forwarded()+n.Punted()+n.Dropped()+n.Host() {
				t.Errorf("counters %+v", n)
			}
		})
	}
}

// TestTorture: while the generator hits sessions as fast as it can, the writer
// updates, moves, removes and inserts them; no packet may leave with parts of
// two decisions, nor with a decision of another flow.
func TestTorture(t *testing.T) {
	const flows = 64
	row := fasttest.NewRow(t)
	check := fasttest.Programs(t, nil, "check")
	check.XDP(row.Server, row.S0.Index, "check")
	w := &world{t: t, ns: row.Router}
	w.open(fast.Config{Slots: 3 * flows / 2}) // full, with what rests: many flows are in the overflow index
	w.connect(row, true)
	send := fasttest.Generator(t, flowsOf(row, flows))
	f := flowsOf(row, flows)
	action := func(flow, round int) pool.Action {
		r := byte(round)
		to := packet.MakeTuple(netip.AddrPortFrom(netip.AddrFrom4([4]byte{9, 1, 1, r}), 0x4000|uint16(r)),
			netip.AddrPortFrom(netip.AddrFrom4([4]byte{9, byte(flow >> 8), byte(flow), r}), 0x5000|uint16(r)), packet.ProtoUDP)
		return pool.Action{To: to, Hop: 1, Flags: fast.Fast | 1500}
	}
	key := func(flow int) pool.Key {
		return pool.Key{Tuple: packet.MakeTuple(f.Flow(flow), netip.AddrPortFrom(f.Target, f.Port), packet.ProtoUDP), If: 1}
	}
	var slots [flows]uint32
	for i := range slots {
		var err error
		if slots[i], err = w.table.Insert(key(i), action(i, 0), 1); err != nil {
			t.Fatal(err)
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for end := time.Now().Add(time.Duration(env("TORTURE_MS", 1500)) * time.Millisecond); time.Now().Before(end); {
			send.Send(row.Client, 1<<16, 0)
		}
	}()
	rounds := 0
	for running := true; running; rounds++ {
		select {
		case <-done:
			running = false
		default:
		}
		i := rounds % flows
		w.now += 5e7
		var err error
		switch rounds / flows % 3 {
		case 0:
			err = w.table.Update(slots[i], action(i, rounds))
		case 1:
			slots[i], err = w.table.Move(slots[i], action(i, rounds), w.now)
		default: // slots of other flows come back at once: the test's clock runs fast
			w.table.Remove(slots[i], w.now)
			slots[i], err = w.table.Insert(key(i), action(i, rounds), 1)
		}
		if err != nil {
			t.Fatal(err)
		}
		w.table.Advance(w.now)
	}
	got, bad := check.Count(fasttest.Got), check.Count(fasttest.Bad)
	t.Logf("%d hits, %d changes, %d mixed", got, rounds, bad)
	if bad != 0 || got == 0 || rounds < 10000 {
		t.Errorf("%d of %d packets are mixed, %d changes", bad, got, rounds)
	}
}

// The lane sees that somebody took a program of it off a device, by whatever hook
// it was on; a device that is gone is nobody's fault.
func TestMissing(t *testing.T) {
	for name, c := range map[string]fast.PortConfig{
		"TCX": {}, "filter": {Filter: true}, "XDP": {XDP: true, Generic: true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, fast.Config{})
			a, b := netns.End{NS: w.ns, Name: "m0", MAC: [6]byte{2, 0, 0, 0, 0, 1}}, netns.End{NS: w.ns, Name: "m1", MAC: [6]byte{2, 0, 0, 0, 0, 2}}
			nstest.Veth(t, a, b)
			missing := func(want ...int) {
				t.Helper()
				if got := w.lane.Missing(); !slices.Equal(got, want) {
					t.Errorf("missing on %v, want %v", got, want)
				}
			}
			w.in(func() error {
				i, err := net.InterfaceByName("m0")
				if err != nil {
					return err
				}
				c.Index, c.MAC, c.Untagged = i.Index, a.MAC, 1
				if err := w.lane.Attach(c); err != nil {
					return err
				}
				missing()
				if err := w.lane.TakeOff(c.Index); err != nil {
					return err
				}
				missing(c.Index)
				if err := w.lane.PutBack(c.Index); err != nil {
					return err
				}
				missing()
				if err := w.lane.TakeOff(c.Index); err != nil {
					return err
				}
				return exec.Command("ip", "link", "delete", "m0").Run()
			})
			w.in(func() error { missing(); return nil })
		})
	}
}
