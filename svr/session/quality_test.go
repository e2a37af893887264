package session_test

import (
	"testing"
	"time"

	"waymark/svr/packet"
	"waymark/svr/path/steer"
	"waymark/svr/policy"
	"waymark/svr/session"
)

// measured is an established session whose paths are measured by the test.
type measured struct {
	*steered
	clock int64
	q     map[string]steer.Quality // by network-interface of the branch
}

func newMeasured(t *testing.T, leaves, resiliency string) *measured {
	c := newSteered(t, packet.ProtoUDP, "10.20.0.5", `"max-loss": 2.0,`, `"max-loss": 2.0, `+leaves,
		`"session-resiliency": "revertible-failover"`, `"session-resiliency": "`+resiliency+`"`)
	fine := steer.Quality{Known: true, Latency: 40 * time.Millisecond}
	m := &measured{steered: c, clock: 100e9, q: map[string]steer.Quality{"fiber": fine, "lte": fine}}
	m.look(20)
	return m
}

// look lets so many seconds pass: paths are measured, sessions looked at when
// that changed something.
func (m *measured) look(seconds int) {
	for range seconds {
		m.clock += 1e9
		changed := false
		for i := range m.branch.tables.Paths {
			name := m.branch.tables.Interfaces[m.branch.tables.Paths[i].If].Name
			changed = m.branch.parts.Board.Observe(uint16(i), m.q[name], m.clock) || changed
		}
		if changed {
			m.reroute()
			m.s.run()
		}
	}
}

const filter = `"path-quality-filter": true, `

// A path beyond a limit loses its sessions to one within, and gets them back
// when it was good for long enough, as the policy says.
func TestSteerByQuality(t *testing.T) {
	for _, row := range []struct {
		leaves, resiliency string
		away, back         bool
	}{
		{filter, "revertible-failover", true, true}, {filter, "failover", true, false},
		{filter, "none", false, false}, {"", "revertible-failover", false, false},
	} {
		m := newMeasured(t, row.leaves, row.resiliency)
		where := map[bool]func(){true: func() { m.only(lteAddr) }, false: func() { m.only(fiberAddr) }}
		fine, lossy := m.q["fiber"], m.q["fiber"]
		lossy.Loss = 5
		m.q["fiber"] = lossy
		m.look(1)
		m.only(fiberAddr) // a moment is not enough
		m.look(3)
		where[row.away]()
		m.q["fiber"] = fine
		m.look(8)
		where[row.away]()
		m.look(5)
		where[row.away && !row.back]()
		m.settled()
	}
}

// When every path is poor, sessions stay, and new ones are opened or refused as
// best-effort says.
func TestAllPathsPoor(t *testing.T) {
	for _, effort := range []string{"true", "false"} {
		m := newMeasured(t, filter+`"best-effort": `+effort+`, `, "revertible-failover")
		for name, q := range m.q {
			q.Latency = time.Second
			m.q[name] = q
		}
		m.look(10)
		m.only(fiberAddr)
		if got := m.branch.count(session.SessionsSteered); got != 0 {
			t.Errorf("%d moves between poor paths", got)
		}
		p := udp(tuple(packet.ProtoUDP, "192.168.1.78:7", "10.20.0.5:9"), noise(9))
		m.s.host("192.168.1.78")
		m.branch.from("lan", p)
		if got := len(m.s.host("10.20.0.5").got) > 0 && m.branch.count(session.SessionsOpened) == 2; got != (effort == "true") {
			t.Errorf("best-effort %s: opened %v", effort, got)
		}
	}
}

// best-path: sessions go where the latency is less, or the score better, and
// follow when that changes for good.
func TestBestPathByMeasurement(t *testing.T) {
	for _, by := range []string{"average-latency", "mos"} {
		m := newMeasured(t, `"best-path": "`+by+`", `, "revertible-failover")
		m.only(fiberAddr)
		slow := m.q["fiber"]
		slow.Latency, slow.Loss = 150*time.Millisecond, 1
		m.q["fiber"] = slow
		m.look(2)
		m.only(fiberAddr)
		m.look(3)
		m.only(lteAddr)
		m.settled()
		c, _ := m.branch.tables.ServiceByName([]byte("datacenter"))
		if m.branch.tables.Services[c].Policy.Best == policy.BestVector {
			t.Error("the leaf was not read")
		}
	}
}
