package minion

import (
	"context"
	"errors"
	"fmt"
	"time"

	"waymark/mgmt/salt"
	"waymark/mgmt/salt/crypt"
	"waymark/mgmt/salt/msgpack"
)

// claim authenticates and, when accepted, sets the session and pins the key.
func (m *Minion) claim(ctx context.Context) (salt.State, error) {
	m.claiming.Lock()
	defer m.claiming.Unlock()
	return m.claimLocked(ctx)
}

func (m *Minion) claimLocked(ctx context.Context) (salt.State, error) {
	m.mu.Lock()
	pinned := m.master
	m.mu.Unlock()
	c, err := m.id.Claim(salt.NewNonce(), pinned)
	if err != nil {
		return 0, err
	}
	reply, err := m.channel.call(ctx, c.Payload)
	if err != nil {
		return 0, err
	}
	state, session, err := m.id.OpenAuth(c, reply, pinned)
	if err != nil || state != salt.Accepted {
		return state, err
	}
	if pinned == nil {
		if err := m.cfg.Pin.Store(session.Master); err != nil {
			return 0, fmt.Errorf("pin master's key: %w", err)
		}
		m.cfg.Log.Info("salt: master's key pinned", "fingerprint", crypt.Fingerprint(session.Master.PEM(), "sha256"))
	}
	m.mu.Lock()
	m.session, m.master = session, session.Master
	m.serial = 0 // a restarted master counts anew
	m.mu.Unlock()
	return salt.Accepted, nil
}

// errNotAccepted: a session was refused and could not be renewed.
var errNotAccepted = errors.New("not accepted")

// renew claims again unless somebody did since old was used.
func (m *Minion) renew(ctx context.Context, old *salt.Session, least time.Duration) error {
	m.claiming.Lock()
	defer m.claiming.Unlock()
	if m.current() != old {
		return nil
	}
	if now := time.Now(); now.Sub(m.lastClaim) < least {
		return fmt.Errorf("%w: claimed a moment ago", errNotAccepted)
	} else if least > 0 {
		m.lastClaim = now
	}
	state, err := m.claimLocked(ctx)
	if err == nil && state != salt.Accepted {
		err = fmt.Errorf("%w: %v", errNotAccepted, state)
	}
	return err
}

// opener reads a reply.
type opener func(s *salt.Session, reply []byte, nonce string) (any, error)

// exchange sends a load. A master that no longer knows our key gets one claim
// and the load once more.
func (m *Minion) exchange(ctx context.Context, load msgpack.Map, open opener) (any, error) {
	for again := false; ; again = true {
		s := m.current()
		if s == nil {
			return nil, errNotAccepted
		}
		nonce := salt.NewNonce()
		payload, err := m.id.Seal(s, load, nonce, time.Now())
		if err != nil {
			return nil, err
		}
		reply, err := m.channel.call(ctx, payload)
		if err != nil {
			return nil, err
		}
		v, err := open(s, reply, nonce)
		if again || !errors.Is(err, salt.ErrRefused) && !errors.Is(err, crypt.ErrCrypticle) {
			return v, err
		}
		if err := m.renew(ctx, s, 0); err != nil {
			return nil, err
		}
	}
}

// ID is the minion's.
func (m *Minion) ID() string { return m.id.ID }

// Request asks the master something and returns the value of the reply.
func (m *Minion) Request(ctx context.Context, load msgpack.Map) (any, error) {
	return m.exchange(ctx, load, m.id.Open)
}

// Fire fires an event on the master's bus.
func (m *Minion) Fire(ctx context.Context, tag string, data any) error {
	_, err := m.Request(ctx, m.id.EventLoad(tag, data))
	return err
}

// Grains are what was last told to the master.
func (m *Minion) Grains() msgpack.Map {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.grains
}

// Pillar is what the master last told.
func (m *Minion) Pillar() msgpack.Map {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pillar
}

// RefreshGrains reads the grains and tells them, which brings the pillar too.
func (m *Minion) RefreshGrains(ctx context.Context) error {
	g := m.cfg.Grains()
	m.mu.Lock()
	m.grains = g
	m.mu.Unlock()
	return m.RefreshPillar(ctx)
}

// RefreshPillar fetches the pillar.
func (m *Minion) RefreshPillar(ctx context.Context) error {
	v, err := m.exchange(ctx, m.id.PillarLoad(m.Grains()), func(s *salt.Session, reply []byte, nonce string) (any, error) {
		return m.id.OpenPillar(s, reply, nonce)
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	m.pillar = v.(msgpack.Map)
	m.mu.Unlock()
	return nil
}
