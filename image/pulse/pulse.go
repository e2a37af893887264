// Package pulse decides whether the watchdog is fed: only while everyone who has
// to make progress did so lately. It is pure; time is monotonic, since boot.
package pulse

import (
	"slices"
	"time"
)

// Limits of one party.
type Limits struct {
	Start   time.Duration // until the first progress
	Silence time.Duration // between progress and progress
	// Of is the party that this one is a part of, and speaks by: while that is
	// late, nobody can know of this one. "": of none.
	Of string
}

// Judge knows who must make progress. One goroutine.
type Judge struct{ parties map[string]*party }

type party struct {
	limits Limits
	until  time.Duration
}

// Expect begins to watch a party, from now on.
func (j *Judge) Expect(name string, l Limits, now time.Duration) {
	if j.parties == nil {
		j.parties = map[string]*party{}
	}
	j.parties[name] = &party{l, now + l.Start}
}

// Progress notes that a party made some. Who is not expected is none of ours.
func (j *Judge) Progress(name string, now time.Duration) {
	if p := j.parties[name]; p != nil {
		p.until = now + p.limits.Silence
	}
}

// Expected tells whether a party is watched.
func (j *Judge) Expected(name string) bool { return j.parties[name] != nil }

// Excuse ends the watch over a party and its parts: it ended, and others care for
// that.
func (j *Judge) Excuse(name string) {
	delete(j.parties, name)
	for part, p := range j.parties {
		if p.limits.Of == name {
			delete(j.parties, part)
		}
	}
}

// Late returns who made no progress in time, in order. The watchdog is fed while
// it is nobody.
func (j *Judge) Late(now time.Duration) (names []string) {
	for name, p := range j.parties {
		whole := j.parties[p.limits.Of]
		if now >= p.until && (whole == nil || now < whole.until) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
