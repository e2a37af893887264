package endpoint_test

import (
	"net/netip"
	"testing"

	"waymark/svr/path/endpoint"
)

const (
	ms  = int64(1e6)
	sec = int64(1e9)
)

func at(port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, 1}), uint16(port))
}

// learn lets an endpoint prove itself.
func learn(t *testing.T, tab *endpoint.Table, a netip.AddrPort, now int64) {
	t.Helper()
	tab.Heard(a, 96, now)
	tab.Asked(a, 200, now)
	tab.Proved(a, 20*ms, now)
}

func best(t *testing.T, tab *endpoint.Table, want netip.AddrPort) {
	t.Helper()
	if got, _ := tab.Best(); got != want {
		t.Errorf("best is %v, want %v", got, want)
	}
}

func TestFirstEndpointIsTheBest(t *testing.T) {
	tab := endpoint.New(nil, sec, sec)
	if _, ok := tab.Best(); ok {
		t.Error("an empty table has a best")
	}
	ask, room := tab.Heard(at(1), 96, sec)
	if !ask || room != 288 {
		t.Errorf("unknown source: challenge %v with %d bytes, want 288", ask, room)
	}
	if _, ok := tab.Best(); ok {
		t.Error("an unproven source is the best")
	}
	tab.Proved(at(1), 20*ms, sec)
	best(t, tab, at(1))
}

func TestChallengesAreBounded(t *testing.T) {
	tab := endpoint.New([]netip.AddrPort{at(1)}, sec, sec)
	asked, now := 0, sec
	for i := range 1000 { // a new source every 10 ms
		now += 10 * ms
		if ask, _ := tab.Heard(at(100+i), 96, now); ask {
			asked++
		}
	}
	if asked > 4+10 {
		t.Errorf("%d challenges in 10 s, want at most 14", asked)
	}
	asked = 0
	for range 100 { // one source, again and again
		now += 10 * ms
		if ask, room := tab.Heard(at(9999), 10, now); ask {
			asked++
			tab.Asked(at(9999), room, now)
		}
	}
	if asked > 6 {
		t.Errorf("%d challenges to one source in a second", asked)
	}
	if c := tab.Counts(); c.Limited == 0 {
		t.Error("nothing was limited")
	}
}

// A NAT gave another port: the new endpoint takes over when the old one is
// silent, and nothing else disturbs it meanwhile.
func TestRebind(t *testing.T) {
	tab := endpoint.New(nil, sec, sec)
	learn(t, tab, at(1), sec)
	now := 5 * sec
	tab.Heard(at(1), 96, now)
	learn(t, tab, at(2), now+100*ms)
	if tab.Advance(now + 200*ms) {
		t.Error("switched while the old one is trusted")
	}
	for ; now < 12*sec; now += 500 * ms {
		tab.Heard(at(2), 96, now)
		if tab.Advance(now) {
			break
		}
	}
	best(t, tab, at(2))
	if silent := now - 5*sec; silent < 2*sec || silent > 3*sec {
		t.Errorf("took over after %d ms of silence, want 2.2 s", silent/ms)
	}
}

// Whoever holds a valid key, or relays, fills the table and evicts nobody that
// works.
func TestEvictsNobodyThatWorks(t *testing.T) {
	tab := endpoint.New([]netip.AddrPort{at(1)}, sec, sec)
	tab.Proved(at(1), 20*ms, sec)
	for i := range 7 {
		learn(t, tab, at(10+i), sec)
	}
	learn(t, tab, at(99), sec+ms)
	if c := tab.Counts(); c.Refused != 1 || c.Evicted != 0 {
		t.Errorf("a full table of working endpoints: %+v, want one refused", c)
	}
	best(t, tab, at(1))
	now := 10 * sec // only the best goes on to speak
	tab.Heard(at(1), 96, now)
	learn(t, tab, at(99), now)
	if c := tab.Counts(); c.Evicted != 1 {
		t.Errorf("silent endpoints: %+v, want one evicted", c)
	}
	for _, e := range tab.List(nil) {
		if e.Static && e.Addr == at(1) {
			return
		}
	}
	t.Error("the configured endpoint is gone")
}

// A direct path wins back from a relay that adds delay.
func TestFasterEndpointWins(t *testing.T) {
	tab := endpoint.New([]netip.AddrPort{at(1)}, sec, sec)
	now := sec
	tab.Proved(at(1), 80*ms, now)
	learn(t, tab, at(2), now)
	switched := int64(0)
	for round := range 20 {
		now += sec
		tab.Proved(at(1), 80*ms, now)
		tab.Proved(at(2), 20*ms, now)
		tab.Round(now)
		if tab.Advance(now) {
			switched = int64(round + 1)
			break
		}
	}
	if switched < 3 {
		t.Errorf("switched in round %d, want hysteresis of 3", switched)
	}
	best(t, tab, at(2))
	for range 20 { // jitter of a few ms moves nothing
		now += sec
		tab.Proved(at(1), 15*ms, now)
		tab.Proved(at(2), 20*ms, now)
		tab.Round(now)
		if tab.Advance(now) && tab.Counts().Switched > 2 {
			t.Fatal("flaps")
		}
	}
}

func TestProbes(t *testing.T) {
	tab := endpoint.New([]netip.AddrPort{at(1), at(2)}, sec, sec)
	now := 20 * sec
	tab.Proved(at(1), 20*ms, now)
	seen := 0
	for end := now + 60*sec; now < end; now += 100 * ms {
		tab.Proved(at(1), 20*ms, now)
		if to, ok := tab.Probe(now); ok {
			if to != at(2) {
				t.Fatalf("probed %v", to)
			}
			seen++
		}
	}
	if seen < 6 || seen > 7 {
		t.Errorf("%d probes of the other endpoint in a minute, want one in ten periods", seen)
	}
}

func TestAllocatesNothing(t *testing.T) {
	tab := endpoint.New([]netip.AddrPort{at(1)}, sec, sec)
	now, port := sec, 2
	if n := testing.AllocsPerRun(1000, func() {
		now += 100 * ms
		port++
		tab.Heard(at(port), 96, now)
		tab.Asked(at(port), 200, now)
		tab.Proved(at(port), 20*ms, now)
		tab.Round(now)
		tab.Advance(now)
		tab.Probe(now)
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
