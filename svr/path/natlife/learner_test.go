package natlife_test

import (
	"fmt"
	"testing"

	"waymark/svr/path/natlife"
)

const sec = int64(1e9)

// nat is one that forgets a silent binding, and a peer that answers when asked.
type nat struct {
	t        *testing.T
	l        *natlife.Learner
	now      int64
	lifetime int64
	rtt      int64
	lose     int // one of so many packets each way
	random   uint64
	used     map[uint8]int64 // binding's last use
	answers  []answer
	sent     int
	open     map[uint8]bool
}

type answer struct {
	at, delay int64
	port      uint8
}

func newNAT(t *testing.T, lifetime int64, known natlife.Known) *nat {
	return &nat{t: t, l: natlife.New(known, 1e9, sec), now: sec, lifetime: lifetime, rtt: 80e6,
		used: map[uint8]int64{}, open: map[uint8]bool{}}
}

func (n *nat) lost() bool {
	n.random = n.random*6364136223846793005 + 1442695040888963407
	return n.lose > 0 && int(n.random>>33)%n.lose == 0
}

func (n *nat) wall() int64 { return int64(1e9) + n.now/sec }

// run lets time pass until the learner has looked so often, or for d.
func (n *nat) run(looks int, d int64) {
	end := n.now + d
	for n.l.Looks() < looks {
		at := n.l.Next()
		for _, a := range n.answers {
			at = min(at, a.at)
		}
		if at > end {
			n.now = end
			return
		}
		n.now = max(n.now, at)
		n.deliver()
		for s, ok := n.l.Due(n.now, n.wall()); ok; s, ok = n.l.Due(n.now, n.wall()) {
			n.step(s)
		}
	}
}

func (n *nat) step(s natlife.Step) {
	if !s.Ask {
		if !n.open[s.Port] {
			n.t.Errorf("port %d is closed twice", s.Port)
		}
		delete(n.open, s.Port)
		delete(n.used, s.Port)
		return
	}
	n.open[s.Port] = true
	n.sent++
	n.used[s.Port] = n.now
	if !n.lost() {
		n.answers = append(n.answers, answer{n.now + n.rtt + s.Delay, s.Delay, s.Port})
	}
}

func (n *nat) deliver() {
	var later []answer
	for _, a := range n.answers {
		if a.at > n.now {
			later = append(later, a)
			continue
		}
		if at, ok := n.used[a.port]; ok && n.now-at < n.lifetime && !n.lost() {
			n.used[a.port] = n.now
			n.l.Answered(a.port, a.delay)
		}
	}
	n.answers = later
}

// Lifetimes are learned within 10 %, and never more than the truth.
func TestLearns(t *testing.T) {
	for _, s := range []int64{12, 20, 30, 40, 65, 120, 130, 180, 299} {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			n := newNAT(t, s*sec, natlife.Known{})
			if n.l.Interval() != natlife.Unproven {
				t.Errorf("unproven interval %d", n.l.Interval())
			}
			n.run(1, 3600*sec)
			best := n.l.Known().Best
			if best < s*sec*9/10 || best > s*sec {
				t.Errorf("%d s learned as %.1f s", s, float64(best)/1e9)
			}
			if n.l.Interval() != best/10*8 {
				t.Errorf("refreshed every %d ns of %d", n.l.Interval(), best)
			}
			if len(n.open) != 0 {
				t.Errorf("ports left open: %v", n.open)
			}
			t.Logf("learned %.1f s after %d s with %d questions", float64(best)/1e9, n.now/sec, n.sent)
		})
	}
	n := newNAT(t, 86400*sec, natlife.Known{})
	n.run(1, 3600*sec)
	if n.l.Known().Best != natlife.Longest {
		t.Errorf("a NAT that forgets nothing: %d", n.l.Known().Best)
	}
}

// A NAT that is worse than the shortest wait is refreshed every ten seconds.
func TestHopeless(t *testing.T) {
	n := newNAT(t, 6*sec, natlife.Known{})
	n.run(1, 3600*sec)
	if n.l.Known().Best != 0 || n.l.Interval() != natlife.Careful {
		t.Errorf("known %+v, interval %d", n.l.Known(), n.l.Interval())
	}
}

// What is known is used at once after a restart, and tested again after a month.
func TestKeeps(t *testing.T) {
	n := newNAT(t, 65*sec, natlife.Known{Best: 60 * sec, At: 1e9 - 20*86400})
	n.run(1, 9*86400*sec)
	if n.l.Looks() != 0 || n.sent != 0 || n.l.Interval() != 48*sec {
		t.Errorf("%d looks, %d packets, interval %d", n.l.Looks(), n.sent, n.l.Interval())
	}
	n.run(1, 2*86400*sec)
	if n.l.Looks() != 1 {
		t.Error("knowledge of a month is not tested")
	}
}

// A lost binding costs trust at once; the NAT is looked at again within an hour,
// later and later if that goes on.
func TestLost(t *testing.T) {
	n := newNAT(t, 100*sec, natlife.Known{})
	n.l.Lost(n.now)
	if n.l.Interval() != natlife.Careful {
		t.Errorf("interval %d before anything is known", n.l.Interval())
	}
	n.run(1, 3600*sec)
	n.lifetime = 30 * sec
	before := n.l.Interval()
	n.l.Lost(n.now)
	if n.l.Interval() >= before {
		t.Errorf("interval %d, before %d", n.l.Interval(), before)
	}
	n.run(2, 2*3600*sec)
	if best := n.l.Known().Best; best < 27*sec || best > 30*sec {
		t.Errorf("the new NAT's 30 s learned as %d", best)
	}
	for range 1000 {
		n.l.Lost(n.now)
	}
	if n.l.Interval() < 8*sec {
		t.Errorf("interval %d", n.l.Interval())
	}
}

// Packets that are lost make the result at most shorter than it could be.
func TestLoss(t *testing.T) {
	short := 0
	for seed := range uint64(100) {
		n := newNAT(t, 65*sec, natlife.Known{})
		n.lose, n.random = 20, seed*77777
		n.run(1, 86400*sec)
		best := n.l.Known().Best
		if best > 65*sec {
			t.Fatalf("seed %d: learned %d", seed, best)
		}
		if best < 65*sec*9/10 {
			short++
		}
	}
	if short > 15 {
		t.Errorf("%d of 100 lossy looks came out too short", short)
	}
	t.Logf("%d of 100 too short", short)
}

// A path that breaks off ends the look; its ports are closed.
func TestStop(t *testing.T) {
	n := newNAT(t, 65*sec, natlife.Known{})
	n.run(1, 30*sec)
	if len(n.open) == 0 {
		t.Fatal("nothing under way")
	}
	n.l.Stop(n.now)
	n.run(1, sec)
	if len(n.open) != 0 || n.l.Looks() != 0 {
		t.Errorf("open %v, %d looks", n.open, n.l.Looks())
	}
	n.run(1, 3600*sec)
	if n.l.Looks() != 1 {
		t.Error("no other look")
	}
}
