package asset

import (
	"errors"
	"testing"
	"time"

	"waymark/mgmt/uplink"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func claim(ch Channel, finger string, known bool) Claim {
	return Claim{ID: "cpe-1", Channel: ch, Finger: finger, From: "192.0.2." + finger[len(finger)-1:], Known: known, Now: noon}
}

// A step is a claim and what must become of it.
type step struct {
	claim Claim
	want  uplink.State
	do    func(Asset) (Asset, error) // done before the claim; nil: nothing
}

func accept(key string) func(Asset) (Asset, error) {
	return func(a Asset) (Asset, error) { return a.Accept(key, "admin") }
}

func reject(a Asset) (Asset, error) { return a.Reject("admin") }

func tell(saltKey string) func(Asset) (Asset, error) {
	return func(a Asset) (Asset, error) {
		return a.Tell(uplink.Facts{Software: "1", SaltKey: saltKey}), nil
	}
}

func TestDecide(t *testing.T) {
	u, s := Uplink, Salt
	tests := map[string][]step{
		"known":             {{claim(u, "k1", true), uplink.StateAccepted, nil}, {claim(u, "k1", true), uplink.StateAccepted, nil}},
		"known no more":     {{claim(u, "k1", true), uplink.StateAccepted, nil}, {claim(u, "k1", false), uplink.StateAccepted, nil}},
		"unknown":           {{claim(u, "k1", false), uplink.StatePending, nil}, {claim(u, "k1", false), uplink.StateAccepted, accept("")}},
		"becomes known":     {{claim(u, "k1", false), uplink.StatePending, nil}, {claim(u, "k1", true), uplink.StateAccepted, nil}},
		"rejected is final": {{claim(u, "k1", false), uplink.StatePending, nil}, {claim(u, "k1", true), uplink.StateRejected, reject}},
		"accepted then rejected": {
			{claim(u, "k1", true), uplink.StateAccepted, nil}, {claim(u, "k1", true), uplink.StateRejected, reject},
			{claim(s, "s1", true), uplink.StateRejected, nil},
		},
		"another box": {
			{claim(u, "k1", true), uplink.StateAccepted, nil}, {claim(u, "k2", true), uplink.StateDuplicate, nil},
			{claim(u, "k1", true), uplink.StateAccepted, nil}, {claim(u, "k2", true), uplink.StateDuplicate, accept("")},
		},
		"new hardware": {
			{claim(u, "k1", true), uplink.StateAccepted, nil}, {claim(u, "k2", true), uplink.StateDuplicate, nil},
			{claim(u, "k2", true), uplink.StateAccepted, accept("k2")}, {claim(u, "k1", true), uplink.StateDuplicate, nil},
		},
		"salt by itself": {{claim(s, "s1", true), uplink.StateAccepted, nil}, {claim(s, "s2", true), uplink.StateDuplicate, nil}},
		"salt's key was told": {
			{claim(u, "k1", true), uplink.StateAccepted, nil}, {claim(s, "s2", true), uplink.StateDuplicate, tell("s1")},
			{claim(s, "s1", true), uplink.StateAccepted, nil},
		},
		"a stranger's salt key came first": {
			{claim(s, "s2", true), uplink.StateAccepted, nil}, {claim(u, "k1", true), uplink.StateAccepted, nil},
			{claim(s, "s2", true), uplink.StateDuplicate, tell("s1")}, {claim(s, "s1", true), uplink.StateAccepted, nil},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			var a Asset
			for i, st := range steps {
				if st.do != nil {
					var err error
					if a, err = st.do(a); err != nil {
						t.Fatal(i, err)
					}
				}
				before := a.clone()
				next, got := Decide(a, st.claim)
				if got != st.want {
					t.Errorf("step %d: %s, want %s", i, got, st.want)
				}
				if len(before.Keys) != len(a.Keys) || len(before.Rivals) != len(a.Rivals) {
					t.Error("the asset that was given changed")
				}
				a = next
			}
		})
	}
}

func TestBothClaimantsShow(t *testing.T) {
	a, _ := Decide(Asset{}, claim(Uplink, "k1", false))
	a, _ = Decide(a, claim(Uplink, "k2", false))
	r := NewRow(a, Place{}, nil)
	if len(r.Keys) != 1 || r.Keys[0].Finger != "k1" || r.Keys[0].From != "192.0.2.1" || len(r.Duplicates) != 1 || r.Duplicates[0].Finger != "k2" || r.Errors == "" {
		t.Errorf("%+v", r)
	}
	if _, err := a.Accept("", "admin"); !errors.Is(err, ErrChoose) {
		t.Error("accepted without a choice:", err)
	}
	if _, err := a.Accept("k", "admin"); !errors.Is(err, ErrNoSuchKey) {
		t.Error("accepted by what both begin with:", err)
	}
	if _, err := a.Accept("k3", "admin"); !errors.Is(err, ErrNoSuchKey) {
		t.Error("accepted a key nobody has:", err)
	}
	b, err := a.Accept("k2", "admin")
	if r := NewRow(b, Place{}, nil); err != nil || r.Keys[0].Finger != "k2" || len(r.Duplicates) != 0 || len(a.Rivals) != 1 {
		t.Errorf("%v, %+v", err, r)
	}
}

// What did not change is not written: a rival that comes every second must not
// wear out the store.
func TestRivalIsKeptOnceAMinute(t *testing.T) {
	a, _ := Decide(Asset{}, claim(Uplink, "k1", true))
	c := claim(Uplink, "k2", true)
	a, _ = Decide(a, c)
	for d, want := range map[time.Duration]time.Duration{time.Second: 0, 59 * time.Second: 0, time.Minute: time.Minute} {
		c.Now = noon.Add(d)
		if b, _ := Decide(a, c); b.Rivals[Uplink].Last != noon.Add(want) {
			t.Errorf("after %v: %v", d, b.Rivals[Uplink].Last)
		}
	}
}

func TestStatus(t *testing.T) {
	place, live := Place{"branch1", "node1"}, []Live{{Conductor: "c1"}}
	is := func(s uplink.ConfigStatus) *uplink.ConfigState { return &uplink.ConfigState{Status: s} }
	seen := uplink.Facts{Software: "1"}
	tests := []struct {
		a      Asset
		p      Place
		l      []Live
		want   Status
		alarms int
	}{
		{Asset{}, place, nil, StatusConfigured, 1},
		{Asset{Verdict: Pending}, Place{}, nil, StatusPending, 0},
		{Asset{Verdict: Rejected}, place, nil, StatusRejected, 1},
		{Asset{Verdict: Accepted}, place, nil, StatusKeyAccepted, 1},
		{Asset{Verdict: Accepted, Facts: seen}, place, nil, StatusDisconnected, 1},
		{Asset{Verdict: Accepted, Facts: seen}, place, live, StatusConnected, 1},
		{Asset{Verdict: Accepted, Facts: seen, Config: is(uplink.ConfigInSync)}, Place{}, live, StatusConnected, 0},
		{Asset{Verdict: Accepted, Facts: seen, Config: is(uplink.ConfigInSync)}, place, live, StatusRunning, 0},
		{Asset{Verdict: Accepted, Facts: seen, Config: is(uplink.ConfigApplying)}, place, live, StatusSynchronizing, 0},
		{Asset{Verdict: Accepted, Facts: seen, Config: is(uplink.ConfigRolledBack)}, place, live, StatusConnected, 1},
		{Asset{Verdict: Accepted, Facts: seen, Config: is(uplink.ConfigInSync)}, place, nil, StatusDisconnected, 1},
	}
	for _, tt := range tests {
		r := NewRow(tt.a, tt.p, tt.l)
		if n := len(Alarms([]Row{r})); r.Status != tt.want || n != tt.alarms {
			t.Errorf("%+v: %s with %d alarms, want %s with %d", tt.a, r.Status, n, tt.want, tt.alarms)
		}
	}
}

// A box without an uplink is chosen by its minion's key.
func TestMinionsAreChosen(t *testing.T) {
	a, _ := Decide(Asset{}, claim(Salt, "s1", false))
	a, state := Decide(a, claim(Salt, "s2", false))
	if state != uplink.StateDuplicate {
		t.Errorf("the second key is %s", state)
	}
	if _, err := a.Accept("", "admin"); !errors.Is(err, ErrChoose) {
		t.Error("accepted without a choice:", err)
	}
	b, err := a.Accept("s2", "admin")
	if r := NewRow(b, Place{}, nil); err != nil || r.Keys[0].Finger != "s2" || len(r.Duplicates) != 0 {
		t.Errorf("%v, %+v", err, r)
	}
	a, _ = Decide(a, claim(Uplink, "k1", false)) // by that it is known now
	if _, err := a.Accept("", "admin"); err != nil {
		t.Error(err)
	}
}
