package slot

import (
	"cmp"
	"fmt"

	"waymark/image/build"
)

// Decision is what a boot means.
type Decision struct {
	State  State  // to be saved, if Changed
	Remove []Name // slots to be removed, after State was saved
	Trial  bool   // the running slot has to prove health
	Why    string // why the box booted, "" if nothing is known
	// RolledBack tells that an update has failed: State.Refused says which.
	RolledBack bool
	// Changed tells whether State is another than it was.
	Changed bool
}

// Settle decides at boot what happened to an update. running is the slot that
// was started, names are all there are.
func Settle(running Name, names []Name, s State, r *build.Info) Decision {
	d := Decision{State: s, Why: s.Leaving}
	if s.Leaving != "" {
		d.State.Leaving, d.Changed = "", true
	}
	names, d.Remove = single(names)
	for _, n := range names {
		if n.Committed() == running.Committed() && n.Trial {
			d.begin(n, r)
			return d
		}
	}
	d.finish(running, names)
	if r.Counter > d.State.Floor { // it is committed, so this is the least
		d.State.Floor, d.Changed = r.Counter, true
	}
	return d
}

// single removes doubles: a cut during a rename may leave two names for one
// file. A committed one wins, then the one that was started more often.
func single(names []Name) (kept, doubles []Name) {
	best := map[Name]Name{}
	for _, n := range names {
		b, seen := best[n.Committed()]
		if !seen || !n.Trial || b.Trial && n.Left < b.Left {
			best[n.Committed()] = n
		}
	}
	for _, n := range names {
		if best[n.Committed()] == n {
			kept = append(kept, n)
		} else {
			doubles = append(doubles, n)
		}
	}
	return kept, doubles
}

// begin: the running slot is on trial. If the state was lost, the image itself
// knows what is needed, except which WANs had addresses.
func (d *Decision) begin(running Name, r *build.Info) {
	d.Trial, d.Changed = true, true
	p := Pending{Slot: running.Committed().String(), Version: r.Version, Counter: r.Counter, TrialSeconds: r.TrialSeconds}
	if old := d.State.Pending; old != nil && old.Slot == p.Slot {
		p = *old
	}
	p.Boots++
	d.State.Pending = &p
	if p.Boots > 1 || running.Done > 1 {
		d.Why = cmp.Or(d.Why, p.Note, "the trial was reset")
	}
	d.Why = cmp.Or(d.Why, "update")
}

// finish: the running slot is committed; what became of an update?
func (d *Decision) finish(running Name, names []Name) {
	p := d.State.Pending
	if p != nil && p.Slot == running.Committed().String() {
		d.commit() // a cut came between its name and its record
		return
	}
	known := false
	for _, n := range names {
		mine := p != nil && p.Slot == n.Committed().String()
		known = known || mine
		switch {
		case n.Committed() == running.Committed():
		case n.Failed() && mine:
			d.refuse(n, p)
		case n.Failed():
			d.forget(n)
		}
	}
	if p != nil && !known { // a cut came before it was activated
		d.State.Pending, d.Changed = nil, true
		d.Why = "an update to " + p.Version + " was interrupted before it was activated"
	}
}

// commit makes the pending update the one that the box has.
func (d *Decision) commit() {
	p := d.State.Pending
	d.State.Floor = max(d.State.Floor, p.Counter)
	d.State.Pending, d.State.Refused, d.Changed = nil, nil, true
}

func (d *Decision) refuse(n Name, p *Pending) {
	reason := p.Note
	switch {
	case p.Boots == 0:
		reason = fmt.Sprintf("it was started %s and its init never came to its trial", times(n.Done))
	case reason == "":
		reason = fmt.Sprintf("init began %s and was reset without a word", times(p.Boots))
	}
	d.State.Refused = &Refused{Slot: p.Slot, Version: p.Version, Counter: p.Counter, Reason: reason}
	d.State.Pending, d.Changed = nil, true
	d.Remove = append(d.Remove, n)
	d.RolledBack = true
	d.Why = fmt.Sprintf("rolled back from %s: %s", p.Version, reason)
}

// forget removes a slot that failed and is not pending: either it was refused
// before and a cut kept it, or the state was lost.
func (d *Decision) forget(n Name) {
	d.Remove = append(d.Remove, n)
	if r := d.State.Refused; r != nil && r.Slot == n.Committed().String() {
		return
	}
	d.RolledBack = true
	d.State.Refused = &Refused{Slot: n.Committed().String(), Reason: "it failed its trial; the record of it was lost"}
	d.Changed = true
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
