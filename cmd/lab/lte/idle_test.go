package lte

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"testing"
	"time"

	"waymark/cmd/lab/world"
	"waymark/svr/path/ambient"
	"waymark/svr/path/natlife"
)

// The idle path of TestIdle: a desired-tx-interval of 100 ms makes a period of
// 30 s, a known lifetime of 10 s a refresh every 8 s.
const (
	period   = 30 * time.Second
	lifetime = 10 * time.Second
	periods  = 2
)

// tally is events and bytes of IP.
type tally struct{ events, bytes float64 }

// ledger reads the channels of the path by LTE.
func (s *site) ledger() map[string]row {
	s.Helper()
	rows := map[string]row{}
	for _, r := range s.show(s.branch, "ambient") {
		if r["interface"] == "lte" && r["peer-or-conductor"] == "hub1" {
			rows[r["channel"].(string)] = r
		}
	}
	return rows
}

// seen sorts a capture of the branch's link into channels by what is on the wire.
func seen(frames []world.Frame, from, to time.Time) map[string]tally {
	const ether = 14
	all := map[string]tally{}
	for _, f := range frames {
		if f.Time.Before(from) || !f.Time.Before(to) || len(f.Data) < ether+29 {
			continue
		}
		ip := f.Data[ether:]
		size := binary.BigEndian.Uint16(ip[2:])
		channel := ambient.BFD
		if size == 29 {
			channel = ambient.KeepAlive
		}
		t := all[channel]
		t.events++
		t.bytes += float64(size)
		all[channel] = t
	}
	return all
}

// An idle path in its steady state: over whole periods the events of each channel
// are those of the simulation within one, and the ledger, its bytes per event
// included, is what a capture of the link shows. The vendor stands beside it.
func TestIdle(t *testing.T) {
	t.Parallel()
	config := bytes.ReplaceAll(world.Acme(), []byte(`"vector": ["lte"]`), []byte(`"bfd": {"desired-tx-interval": 100}, "vector": ["lte"]`))
	s := newSite(t, config, func(s *site) {
		known, err := json.Marshal(map[string]natlife.Known{"lte 100.64.0.0/24": {Best: int64(lifetime), At: time.Now().Unix()}})
		s.must(err)
		dir := s.w.Path("run-branch1")
		s.must(os.MkdirAll(dir, 0o755))
		s.must(os.WriteFile(dir+"/router.lifetimes.json", known, 0o600))
	})
	events := func(rows map[string]row, c string) float64 { n, _ := rows[c]["events"].(float64); return n }
	capture, err := s.w.Capture(world.ISPLTE, "branch", "udp and port 1280")
	s.must(err)
	bfd := func() float64 { return events(s.ledger(), ambient.BFD) }
	pulse := func() time.Time { // the next poll has been answered
		n := bfd()
		s.must(world.Until(2*period, "a poll", func() (bool, error) { return bfd() >= n+2, nil }))
		return time.Now()
	}
	from := pulse()
	before := s.ledger()
	for range periods {
		pulse()
	}
	to := time.Now()
	after := s.ledger()
	counted := func(wire map[string]tally, c string) bool {
		return wire[c].events >= events(after, c)-events(before, c)
	}
	_ = capture.WaitFrames(patience, func(frames []world.Frame) bool { // it may be behind; what is missing is told below
		wire := seen(frames, from, to)
		return counted(wire, ambient.BFD) && counted(wire, ambient.KeepAlive)
	})
	frames, err := capture.Frames()
	s.must(err)
	wire := seen(frames, from, to)
	costs := ambient.Thrift{Idle: period.Seconds(), KeepAlive: 0.8 * lifetime.Seconds()}.Costs()
	for _, c := range []string{ambient.BFD, ambient.KeepAlive} {
		n, b := events(after, c)-events(before, c), after[c]["bytes"].(float64)-before[c]["bytes"].(float64)
		want := costs[c].Daily * periods * period.Seconds() / 86400
		if math.Abs(n-want) > 1 {
			t.Errorf("%s: %.0f events in %d periods, simulated %.1f", c, n, periods, want)
		}
		if w := wire[c]; w.events != n || w.bytes != b || b/n != costs[c].Bytes {
			t.Errorf("%s: the ledger has %.0f events and %.0f bytes, the link %.0f and %.0f", c, n, b, w.events, w.bytes)
		}
		t.Logf("%s: %.0f events of %.0f bytes, simulated %.1f", c, n, b/n, want)
	}
	total := after["total"]
	for column, want := range map[string]float64{"vendor-30d": 1629e6, "vendor-lte-30d": 62e6} {
		if got := total[column].(float64); math.Abs(got-want) > 0.005*want {
			t.Errorf("%s: %.0f, want about %.0f", column, got, want)
		}
	}
	s.neverDown()
}
