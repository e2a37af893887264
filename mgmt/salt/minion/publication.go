package minion

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"

	"waymark/mgmt/salt"
	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/target"
)

// addressed returns the payload of a message that may be for us: alone, or
// behind a topic for all or for us; otherwise nil.
func (m *Minion) addressed(parts [][]byte) []byte {
	switch len(parts) {
	case 1:
		return parts[0]
	case 2:
		sum := sha1.Sum([]byte(m.id.ID))
		if topic := string(parts[0]); topic == "broadcast" || topic == hex.EncodeToString(sum[:]) {
			return parts[1]
		}
	}
	return nil
}

// publication starts the job of a publication if it is genuine, new, and meant
// for us. What is wrong with it is told once.
func (m *Minion) publication(ctx context.Context, payload []byte) {
	s := m.current()
	j, err := m.id.OpenPublication(s, payload)
	if errors.Is(err, crypt.ErrCrypticle) { // signed, but with a new key
		if err = m.renew(ctx, s, m.cfg.Timing.Reauth); err == nil {
			j, err = m.id.OpenPublication(m.current(), payload)
		}
	}
	if err != nil {
		m.once.warn("salt", "publication refused", "err", err)
		return
	}
	if !m.advance(j) {
		m.once.warn("salt", "publication refused", "err", "it was there before")
		return
	}
	if m.meant(j) {
		m.start(j)
	}
}

// advance accepts a serial once: nobody can play a publication again.
func (m *Minion) advance(j *salt.Job) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if j.Serial == 0 {
		return true // a master that does not count; the job's id still protects
	}
	if j.Serial <= m.serial {
		return false
	}
	m.serial = j.Serial
	return true
}

func (m *Minion) meant(j *salt.Job) bool {
	tgt, kind, delimiter := j.Target()
	ok, err := target.Match(target.Subject{ID: m.id.ID, Grains: m.Grains(), Pillar: m.Pillar()}, tgt, kind, delimiter)
	if err != nil {
		m.once.warn("salt", err.Error())
	}
	return ok
}
