package bfd

// Activate ends the passive role: somebody told where the peer is, so that we
// may speak first.
func (m *Machine) Activate(now int64) {
	if m.cfg.Passive {
		m.cfg.Passive = false
		m.Tell(now)
	}
}
