package steer_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"waymark/svr/path/steer"
)

const (
	ms  = time.Millisecond
	sec = int64(1e9)
)

var voice = steer.Limits{MaxLoss: 2, MaxLatency: 250 * ms, MaxJitter: 100 * ms, MinMOS: 3.5}

func good() steer.Quality { return steer.Quality{Known: true, Latency: 40 * ms, Jitter: 2 * ms} }

// clocked is a board of one path on a clock of one look a second.
type clocked struct {
	*steer.Board
	now     int64
	changes int
}

func newClocked(l steer.Limits) *clocked {
	return &clocked{Board: steer.NewBoard([]steer.Limits{l}, 2), now: 100 * sec}
}

// see shows a quality for so many seconds and returns after how many of them
// the path became poor, or good; -1: it stayed as it was.
func (c *clocked) see(q steer.Quality, seconds int) int {
	was, after := c.Poor(0, 0), -1
	for s := range seconds {
		c.now += sec
		if c.Observe(0, q, c.now) {
			c.changes++
		}
		if after < 0 && c.Poor(0, 0) != was {
			after = s
		}
	}
	return after
}

// Each limit counts, and at the limit a path is still good.
func TestLimits(t *testing.T) {
	for name, row := range map[string]struct {
		q    steer.Quality
		poor bool
	}{
		"good":         {good(), false},
		"at limits":    {steer.Quality{Known: true, Latency: 100 * ms, Jitter: 10 * ms, Loss: 2}, false},
		"loss":         {steer.Quality{Known: true, Latency: 40 * ms, Loss: 2.1}, true},
		"latency":      {steer.Quality{Known: true, Latency: 251 * ms}, true},
		"jitter":       {steer.Quality{Known: true, Latency: 40 * ms, Jitter: 101 * ms}, true},
		"mos":          {steer.Quality{Known: true, Latency: 240 * ms, Jitter: 99 * ms, Loss: 2}, true},
		"nothing told": {steer.Quality{Latency: time.Hour, Loss: 100}, false},
	} {
		c := newClocked(voice)
		c.see(row.q, 10)
		if c.Poor(0, 0) != row.poor {
			t.Errorf("%s: poor %v, want %v", name, c.Poor(0, 0), row.poor)
		}
	}
	none := newClocked(steer.Limits{MaxLoss: 100})
	none.see(steer.Quality{Known: true, Latency: time.Hour, Jitter: time.Hour, Loss: 100}, 10)
	if none.Poor(0, 0) || none.Poor(1, 0) || none.Poor(9, 0) || none.Poor(0, 5) || none.Poor(0, -1) || (*steer.Board)(nil).Poor(0, 0) {
		t.Error("a path is poor without a limit")
	}
}

// Bad moments do not count; a path that is poor has to be good by a tenth, for
// ten seconds.
func TestHysteresis(t *testing.T) {
	c := newClocked(voice)
	bad, nearly := good(), good()
	bad.Loss, nearly.Loss = 5, 1.9
	for range 20 {
		c.see(bad, 2)
		c.see(good(), 1)
	}
	if c.Poor(0, 0) {
		t.Error("moments made it poor")
	}
	if after := c.see(bad, 5); after != 2 {
		t.Errorf("poor after %d s, want 2", after)
	}
	c.see(nearly, 60)
	if !c.Poor(0, 0) {
		t.Error("good again just below the limit")
	}
	c.see(good(), 9)
	c.see(bad, 1)
	if after := c.see(good(), 30); after != 10 {
		t.Errorf("good again after %d s, want 10", after)
	}
}

// Who leaves again and again stays away for longer each time, and begins anew
// after a long quiet.
func TestReturnsDouble(t *testing.T) {
	c := newClocked(voice)
	bad := good()
	bad.Latency = time.Second
	for k, want := range []int{10, 20, 40, 80, 160} {
		c.see(bad, 5)
		if after := c.see(good(), want+5); after != want {
			t.Errorf("return %d after %d s, want %d", k, after, want)
		}
	}
	c.see(good(), 2000)
	c.see(bad, 5)
	if after := c.see(good(), 200); after != 10 {
		t.Errorf("after a long quiet %d s, want 10", after)
	}
}

// However a path swings, it is told poor at most once per time that it has to
// wait.
func TestNeverFlaps(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		c := newClocked(voice)
		last, wait := int64(0), 10*sec
		for range 5000 {
			q := good()
			if r.IntN(4) > 0 && (c.now/sec/(3+int64(seed)))%2 == 0 {
				q.Loss = 50
			}
			was := c.Poor(0, 0)
			c.see(q, 1)
			if is := c.Poor(0, 0); is != was {
				if !is && c.now-last < wait {
					t.Fatalf("seed %d: back after %d s", seed, (c.now-last)/sec)
				}
				last = c.now
			}
		}
	}
}

// Paths are compared by what holds: jitter of the measurements moves nothing.
func TestMerit(t *testing.T) {
	c := newClocked(voice)
	if c.Latency(0) != 0 || c.MOS(0) != 0 || c.Latency(7) != 0 {
		t.Error("known before it was measured")
	}
	c.see(good(), 1)
	if c.Latency(0) != 40*ms || c.MOS(0) < 430 {
		t.Errorf("%v, %d", c.Latency(0), c.MOS(0))
	}
	r := rand.New(rand.NewPCG(1, 2))
	was := c.changes
	for range 1000 {
		q := good()
		q.Latency += time.Duration(r.IntN(18)-9) * ms
		c.see(q, 1)
	}
	if c.changes != was {
		t.Errorf("%d changes by 9 ms of noise", c.changes-was)
	}
	slow := good()
	slow.Latency = 90 * ms
	c.see(slow, 2)
	if c.Latency(0) != 40*ms {
		t.Error("two rounds were enough")
	}
	c.see(slow, 1)
	if c.Latency(0) != 90*ms {
		t.Errorf("%v after three rounds", c.Latency(0))
	}
	c.Gone(0)
	if c.Latency(0) != 0 || c.MOS(0) != 0 {
		t.Error("a path that is gone has a merit")
	}
}

func TestAllocatesNothing(t *testing.T) {
	c := newClocked(voice)
	if n := testing.AllocsPerRun(100, func() {
		c.see(good(), 1)
		c.Poor(0, 0)
		c.Latency(0)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
