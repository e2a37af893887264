package watch

import (
	"waymark/svr/path/peer"
	"waymark/svr/policy"
	"waymark/svr/session"
)

var _ session.Watcher = (*Watcher)(nil)

// hint is what the engine saw of a path. It does not wait for those who probe.
type hint func(s *peer.Set, now int64)

// tell hands a hint over; whoever saw it never waits.
func (w *Watcher) tell(h hint) {
	select {
	case w.hints <- h:
	default: // what goes on is seen again
	}
}

// TooBig implements session.Watcher.
func (w *Watcher) TooBig(id policy.PathID, fits int) {
	w.tell(func(s *peer.Set, now int64) { s.TooBig(uint16(id), fits, now) })
}

// Vanishing implements session.Watcher.
func (w *Watcher) Vanishing(id policy.PathID) {
	w.tell(func(s *peer.Set, now int64) { s.Suspect(uint16(id), now) })
}

// NoData implements session.Watcher.
func (w *Watcher) NoData(id policy.PathID, asked, seen int64) {
	w.tell(func(s *peer.Set, now int64) { s.NoData(uint16(id), asked, seen, now) })
}

// Forgotten implements session.Watcher.
func (w *Watcher) Forgotten(id policy.PathID) {
	w.tell(func(s *peer.Set, now int64) { s.Forgotten(uint16(id), now) })
}

// Carried implements session.Watcher.
func (w *Watcher) Carried(id policy.PathID) {
	w.tell(func(s *peer.Set, now int64) { s.Carried(uint16(id), now) })
}
