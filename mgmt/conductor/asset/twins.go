package asset

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Two machines with one key are a copied box: each connection pushes the other
// one out, and both want the same configuration and tell different addresses. A
// box that starts again or moves is another machine or comes from elsewhere too,
// but what it was before never comes back. So coming back, after another was
// there, is what counts.
const (
	turnsWindow  = time.Hour        // within which machines take turns
	turnsMachine = 2                // that are too many of machines that tell their boot
	turnsAddress = 4                // and of those that tell nothing: they may have two ways out
	turnsClear   = 15 * time.Minute // without a turn until it is over; refused ones come every 5
	maxSeen      = 4                // machines that are remembered
)

// Sighting is one machine that came with the asset's key.
type Sighting struct {
	Machine string    `json:"machine"` // its boot id, or where it came from
	From    string    `json:"from"`
	At      time.Time `json:"at"` // UTC
}

// Twins is how machines with one key took turns.
type Twins struct {
	Seen   []Sighting `json:"seen"` // the newest at the end
	Turns  int        `json:"turns,omitempty"`
	Turned time.Time  `json:"turned,omitzero"` // the last turn
	Until  time.Time  `json:"until,omitzero"`  // twins they are till then
	Holder string     `json:"holder,omitempty"`
}

// Same tells whether nothing is to note of a machine: it is the one that came
// last, from where it came then, and no other one comes.
func (t *Twins) Same(boot, from string) bool {
	n := len(t.Seen)
	return n > 0 && t.Until.IsZero() && t.Seen[n-1].Machine == machine(boot, from) && t.Seen[n-1].From == from
}

// machine is what a machine is known by.
func machine(boot, from string) string {
	if boot == "" {
		return "at " + from
	}
	return boot
}

// Connects notes that a machine came with the asset's key; boot is what it calls
// its boot, "" if it does not, and connected whether the asset is connected
// already. False: it is a twin of the one that is, and must not take its place.
func (a Asset) Connects(boot, from string, at time.Time, connected bool) (Asset, bool) {
	limit := turnsMachine
	if boot == "" {
		limit = turnsAddress
	}
	t := a.Twins
	t.Seen = slices.Clone(t.Seen)
	at = at.UTC()
	if !t.Until.IsZero() && at.After(t.Until) { // it is over
		t = Twins{Seen: t.Seen}
	}
	ok := t.come(Sighting{machine(boot, from), from, at}, limit, connected)
	a.Twins = t
	return a, ok
}

func (t *Twins) come(s Sighting, limit int, connected bool) bool {
	n := len(t.Seen)
	last := Sighting{}
	if n > 0 {
		last = t.Seen[n-1]
	}
	if last.Machine != s.Machine && !s.At.After(last.At) { // nobody new: an older connection is judged again
		return t.holds(s.Machine)
	}
	turned := false
	switch {
	case last.Machine != s.Machine:
		turned = t.see(s)
	case s.From != last.From && s.At.After(last.At): // two conductors to whom it comes from two addresses must not correct each other for ever
		t.Seen[n-1] = s
	}
	if t.Turns < limit && t.Until.IsZero() {
		return true
	}
	began := t.Until.IsZero()
	switch {
	case !connected:
		t.Holder = s.Machine
	case t.Holder == "":
		t.Holder = last.Machine
	}
	if end := s.At.Add(turnsClear); (began || turned && !connected || s.Machine != t.Holder) && end.After(t.Until) {
		t.Until = end
	}
	return t.holds(s.Machine)
}

// see puts a machine at the end, and counts if it was there before.
func (t *Twins) see(s Sighting) (turned bool) {
	back := slices.IndexFunc(t.Seen, func(x Sighting) bool { return x.Machine == s.Machine })
	if back >= 0 {
		t.turn(s.At, t.Seen[back].At)
		t.Seen = slices.Delete(t.Seen, back, back+1)
	}
	t.Seen = append(t.Seen, s)
	t.Seen = t.Seen[max(0, len(t.Seen)-maxSeen):]
	return back >= 0
}

func (t *Twins) turn(at, seen time.Time) {
	if at.Sub(t.Turned) > turnsWindow || at.Sub(seen) > turnsWindow {
		t.Turns = 0
	}
	t.Turns++
	t.Turned = at
}

// holds tells whether a machine may be the asset.
func (t *Twins) holds(machine string) bool { return t.Holder == "" || t.Holder == machine }

// Active returns the machines that take turns now, none if there are no twins.
func (t *Twins) Active(now time.Time) []Sighting {
	if now.After(t.Until) {
		return nil
	}
	return t.Seen
}

// twinsText names them for people.
func twinsText(list []Sighting) string {
	var from []string
	for _, s := range list {
		if !slices.Contains(from, s.From) {
			from = append(from, s.From)
		}
	}
	return fmt.Sprintf("%d machines have its key and take turns, from %s", len(list), strings.Join(from, " and "))
}
