package router_test

import (
	"context"
	"maps"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"waymark/cmd/lab/traffic"
	"waymark/cmd/lab/world"
	"waymark/scripts/soak"
)

// Load of a router that is exchanged: 50 Mbit/s of datagrams each way, and 100
// transfers that make 100 Mbit/s together.
const (
	loadSeconds   = 6
	loadTransfers = 100
	loadBytes     = 600_000 // of each, 4.8 s at 1 Mbit/s
)

// exchange is how a router goes and comes back.
type exchange struct {
	name, victim string
	flags        []string // of the first start
	end          func(t *testing.T, r *world.Router)
	wrap         []string // of the second start
}

func kill(t *testing.T, r *world.Router) {
	t.Helper()
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
}

func stop(t *testing.T, r *world.Router) {
	t.Helper()
	if err := r.Stop(); err != nil {
		t.Fatal(err)
	}
}

// A router goes under load and comes back: not one packet of an established
// session is lost, its id stays, and its counters never go back. The run in
// which nobody goes shows that nothing is lost otherwise. The new one has the
// sessions within a second of its start: of three rounds one holds that.
func TestExchangeLosesNothing(t *testing.T) {
	next := newBuild(t)
	for _, x := range []exchange{
		{name: "nobody"},
		{name: "branch1 killed", victim: "branch1", end: kill},
		{name: "hub1 killed", victim: "hub1", end: kill},
		{name: "branch1 killed, new build", victim: "branch1", end: kill, wrap: next},
		{name: "hub1 stopped with -keep, new build", victim: "hub1", flags: []string{"-keep"}, end: stop, wrap: next},
	} {
		t.Run(x.name, func(t *testing.T) {
			soak.Within(t, "adopted after its start by", time.Second, func() time.Duration { return x.run(t) })
		})
	}
}

// newBuild builds the router as another version, and returns what starts it in
// place of the binary that it is told.
func newBuild(t *testing.T, flags ...string) []string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "waymark")
	args := append([]string{"build", "-buildvcs=false", "-trimpath", "-ldflags",
		"-X waymark/svr/router.Version=the-next-one", "-o", bin}, flags...)
	out, err := exec.Command("go", append(args, "waymark/cmd/waymark")...).CombinedOutput()
	if err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return []string{"sh", "-c", `shift; exec "$0" "$@"`, bin}
}

// run makes one exchange under load and returns how long the new one took to adopt.
func (x *exchange) run(t *testing.T) (took time.Duration) {
	w := newWorld(t, world.Options{})
	hub := start(t, w, "hub1", world.Hub, world.Acme(), x.flags...)
	branch := start(t, w, "branch1", world.Branch, world.Acme(), x.flags...)
	peersUp(t, branch)
	peersUp(t, hub)
	drops := kernelDrops(t, w)
	load := putLoad(t, w, loadSeconds)
	subject, ns := branch, world.Branch
	if x.victim == "hub1" {
		subject, ns = hub, world.Hub
	}
	loaded(t, subject)
	before, down := sessionBytes(t, subject), pathsDown(t, branch)+pathsDown(t, hub)
	if x.victim != "" {
		x.end(t, subject)
		w.Wrap = x.wrap
		begin := time.Now()
		subject = start(t, w, x.victim, ns, world.Acme())
		took = x.adopted(t, subject, begin, before)
	}
	load.Wait()
	if n := pathsDown(t, branch) + pathsDown(t, hub) - down; n > 0 && took > missed {
		t.Logf("no round: %d paths went down", n)
		return took
	}
	lossless(t, w, 20000, drops)
	if m := stats(t, subject); m["fast/forwarded-tc"]+m["fast/forwarded-xdp"] < 20000 {
		t.Errorf("the kernel forwarded %v packets", m["fast/forwarded-tc"])
	}
	for id, now := range sessionBytes(t, subject) {
		if now < before[id] {
			t.Errorf("%s: %v bytes at the end, %v before", id, now, before[id])
		}
	}
	return took
}

// loaded waits until a router has all sessions of the load.
func loaded(t *testing.T, r *world.Router) {
	t.Helper()
	until(t, r, "an established stream", func(rows []row) bool {
		for _, s := range rows {
			if s["proto"] == "udp" && s["bytes"].(float64) > 3e6 {
				return len(rows) >= 2*(loadTransfers+1)
			}
		}
		return false
	}, "sessions")
}

// putLoad counts the datagrams at both ends and starts everything, for so many
// seconds.
func putLoad(t *testing.T, w *world.World, seconds int) *sync.WaitGroup {
	t.Helper()
	serve(t, w, world.Server, "-udp", "10.20.0.5:5000", "-sink", "10.20.0.5:5001")
	for _, ns := range []string{world.Client, world.Server} {
		countUDP(t, w, ns, 5000)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 6*patience)
	t.Cleanup(cancel)
	load := new(sync.WaitGroup)
	load.Go(func() {
		if s, err := traffic.Stream(ctx, w, world.Client, "10.20.0.5:5000", 50, seconds, 1200); err != nil {
			t.Errorf("stream: %v", err)
		} else {
			t.Logf("stream: %+v", s)
		}
	})
	load.Go(func() {
		bytes := int64(loadBytes / loadSeconds * seconds)
		list, err := traffic.Puts(ctx, w, world.Client, "10.20.0.5:5001", loadTransfers, bytes, 1)
		if err != nil || len(list) != loadTransfers {
			t.Errorf("%d transfers: %v", len(list), err)
		}
		for _, got := range list {
			if got.Seconds > 2*float64(seconds) || got.Sent != got.Arrived || got.Bytes != bytes {
				t.Errorf("transfer: %+v", got)
			}
		}
	})
	return load
}

// adopted looks at a router that took over at begin, and returns how long that took.
func (x *exchange) adopted(t *testing.T, r *world.Router, begin time.Time, before map[string]float64) time.Duration {
	t.Helper()
	line := logLine(t, r, "sessions adopted, pools checked")
	when, err := time.Parse(time.RFC3339Nano, field(line, "time"))
	if err != nil {
		t.Fatal(err)
	}
	t.Log(line)
	after := sessionBytes(t, r)
	for id := range maps.Keys(before) {
		if now, ok := after[id]; !ok || now < before[id] {
			t.Errorf("%s: %v bytes before, %v after (listed %t)", id, before[id], now, ok)
		}
	}
	if v := show(t, r, "system")[0]; x.wrap != nil && v["version"] != "the-next-one" {
		t.Errorf("system: %v", v)
	}
	return when.Sub(begin)
}

// logLine returns the line of a router's log that has a text.
func logLine(t *testing.T, r *world.Router, text string) string {
	t.Helper()
	for line := range strings.Lines(r.Output()) {
		if strings.Contains(line, text) {
			return strings.TrimSpace(line)
		}
	}
	t.Fatalf("the log says nowhere %q", text)
	return ""
}

// field returns a value of a log line.
func field(line, key string) string {
	_, rest, _ := strings.Cut(line, key+"=")
	value, _, _ := strings.Cut(rest, " ")
	return value
}

// transferring starts a transfer of some seconds and returns when the router
// forwards it; the result is there when done says so.
func transferring(t *testing.T, w *world.World, r *world.Router) (got *traffic.Transfer, done <-chan error) {
	t.Helper()
	serve(t, w, world.Server, "-sink", "10.20.0.5:5001")
	ctx, cancel := context.WithTimeout(context.Background(), 3*patience)
	t.Cleanup(cancel)
	end := make(chan error, 1)
	got = new(traffic.Transfer)
	go func() {
		var err error
		*got, err = traffic.PutPaced(ctx, w, world.Client, "10.20.0.5:5001", 3_000_000, 6)
		end <- err
	}()
	until(t, r, "a transfer", func(rows []row) bool {
		for _, s := range rows {
			if s["dest-port"] == 5001.0 && s["bytes"].(float64) > 500_000 {
				return true
			}
		}
		return false
	}, "sessions")
	return got, end
}
