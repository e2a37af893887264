package session

import (
	"errors"

	"waymark/svr/secure"
)

// keyStore holds the GCM keys of sessions, both directions. Entries are handed
// out by number, so that records stay free of pointers.
type keyStore struct {
	entries []keyEntry
	free    []uint32
	limit   int
}

// keyEntry belongs to one session, its arrays to the directions.
type keyEntry struct {
	salt [2][16]byte
	have [2]bool
	gcm  [2]*secure.GCM
	// old are the salts that were in use before: replayed metadata must not
	// bring one back.
	old  [2][8][16]byte
	next [2]uint8
}

func (s *keyStore) init(limit int) { s.limit = limit }

// take returns a fresh entry.
func (s *keyStore) take() (uint32, bool) {
	if n := len(s.free); n > 0 {
		i := s.free[n-1]
		s.free = s.free[:n-1]
		s.entries[i] = keyEntry{}
		return i, true
	}
	if len(s.entries) >= s.limit {
		return none, false
	}
	s.entries = append(s.entries, keyEntry{})
	return uint32(len(s.entries) - 1), true
}

func (s *keyStore) put(i uint32) {
	if i != none {
		s.entries[i] = keyEntry{}
		s.free = append(s.free, i)
	}
}

// gcm returns the key of direction d, nil when it is not known.
func (s *keyStore) gcm(i uint32, d int) *secure.GCM {
	if i == none {
		return nil
	}
	return s.entries[i].gcm[d]
}

// salt returns TLV 46 of direction d, nil when it is not known.
func (s *keyStore) salt(i uint32, d int) []byte {
	if k := &s.entries[i]; k.have[d] {
		return k.salt[d][:]
	}
	return nil
}

// set makes salt the one of direction d; with pol its key is derived too.
func (s *keyStore) set(i uint32, d int, salt [16]byte, pol *secure.Policy) error {
	k := &s.entries[i]
	var g *secure.GCM
	if pol != nil {
		var err error
		if g, err = pol.SessionKey(salt[:]); err != nil {
			return err
		}
	}
	if k.have[d] {
		k.old[d][k.next[d]%8] = k.salt[d]
		k.next[d]++
	}
	k.salt[d], k.have[d], k.gcm[d] = salt, true, g
	return nil
}

// stale says whether salt was in use before in direction d.
func (k *keyEntry) stale(d int, salt *[16]byte) bool {
	for n := range min(int(k.next[d]), len(k.old[d])) {
		if k.old[d][n] == *salt {
			return true
		}
	}
	return false
}

// freshSalt starts a new key for direction d, which we encrypt.
func (e *Engine) freshSalt(r *record, d int) {
	if r.key == none {
		return
	}
	if err := e.keys.set(r.key, d, e.cfg.Random.Bytes16(), e.payload(r)); err != nil {
		e.stats.Add(DropState, 1)
	}
}

// takeSalt reads TLV 46 of metadata that arrived on leg d. It answers false
// when the packet must be dropped.
func (e *Engine) takeSalt(r *record, d int, m *receivedMeta) bool {
	if r.key == none || len(m.p.Key) == 0 {
		return true
	}
	if len(m.p.Key) != secure.SaltSize {
		e.stats.Add(DropMetadata, 1)
		return false
	}
	salt := [16]byte(m.p.Key)
	k := &e.keys.entries[r.key]
	if k.have[d] && k.salt[d] == salt {
		return true
	}
	if k.stale(d, &salt) {
		e.stats.Add(DropReplay, 1)
		return false
	}
	pol := e.payload(r)
	if r.leg[1-d].kind == kindSVR {
		pol = nil // end to end: a transit router passes it on
	}
	if err := e.keys.set(r.key, d, salt, pol); err != nil {
		e.stats.Add(DropState, 1)
		return false
	}
	if pol == nil {
		e.resignal(r, 1-d)
	}
	return true
}

// resignal makes a transit router pass a new key on.
func (e *Engine) resignal(r *record, l int) {
	if g := &r.leg[l]; g.kind == kindSVR {
		g.signal = true
		r.simple = false
	}
}

// payload is the payload policy of r; only for sessions that have one.
func (e *Engine) payload(r *record) *secure.Policy { return e.cfg.Payload[r.payload] }

func replayOrDecrypt(err error) Counter {
	if errors.Is(err, secure.ErrReplay) {
		return DropReplay
	}
	return DropDecrypt
}
