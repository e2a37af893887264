package slot

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// proof is a machine on trial with its clock.
func proof(t *testing.T, w Wanted, health func(second int) Health) (m *machine, v Verdict, why string, took time.Duration) {
	m = factory(t)
	m.boot()
	_, err := m.Update(bytes.NewReader(pack(t, "2.0")), w)
	must(t, err)
	d := m.boot()
	begin := time.Now()
	uptime := func() time.Duration { return time.Since(begin) }
	v, why, err = m.Prove(t.Context(), *d.State.Pending, uptime, func() Health { return health(int(uptime() / time.Second)) })
	must(t, err)
	return m, v, why, uptime()
}

var well = Health{Init: true, Router: true, Lanes: true, WANs: []string{"wan"}}

func TestProve(t *testing.T) {
	for _, row := range []struct {
		name   string
		w      Wanted
		health func(second int) Health
		want   Verdict
		took   time.Duration
		why    string
		next   string // version that starts afterwards
	}{
		{"healthy after a while", Wanted{WANs: []string{"wan"}}, func(s int) Health {
			if s < 4 {
				return Health{Init: true}
			}
			return well
		}, Commit, 5 * time.Second, "", "2.0"},
		{"WAN does not come", Wanted{WANs: []string{"wan", "lte"}}, func(int) Health { return well }, GiveUp, 10 * time.Second,
			"lte had an address before and has none", "1.0"},
	} {
		synctest.Test(t, func(t *testing.T) {
			m, v, why, took := proof(t, row.w, row.health)
			if v != row.want || why != row.why || took != row.took {
				t.Errorf("%s: verdict %d %q after %v", row.name, v, why, took)
			}
			d := m.boot()
			if m.version != row.next || d.Trial || v == GiveUp && d.State.Refused.Reason != row.why {
				t.Errorf("%s: then %s starts, %+v", row.name, m.version, d)
			}
		})
	}
}

// A hang that the watchdog ends: what was missing last is what the old slot tells.
func TestProveLeavesNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := factory(t)
		m.boot()
		must(t, m.update("2.0"))
		for range 2 {
			d := m.boot()
			begin := time.Now()
			ctx, reset := context.WithTimeout(t.Context(), 6*time.Second)
			_, _, err := m.Prove(ctx, *d.State.Pending, func() time.Duration { return time.Since(begin) }, func() Health {
				h := well
				h.Router = time.Since(begin) < 500*time.Millisecond
				return h
			})
			if reset(); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		st := m.Status(m.boot())
		if want := "it was reset while: the router made no progress"; st.RefusedReason != want {
			t.Errorf("%+v, want %q", st, want)
		}
	})
}
