package session

import (
	"errors"
	"slices"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/pool"
	"waymark/svr/secure"
	"waymark/svr/wire"
)

// keyStore holds the GCM keys of sessions, both directions. Entries are handed
// out by number, so that records stay free of pointers. All are made at boot, if
// a service uses GCM at all, and keyed again and again. Entries that were never
// in use are never written, so the system gives them no memory.
type keyStore struct {
	entries []keyEntry
	free    uint32 // list through keyEntry.free
	virgin  uint32 // entries from here on were never used
	later   Later  // seals with keys of entries, or nil
}

// keyEntry belongs to one session, its arrays to the directions. It costs
// 1.8 KB, most of it for the expanded keys.
type keyEntry struct {
	salt [2][16]byte
	have [2]bool
	gcm  [2]secure.GCM // Keyed where we encrypt or decrypt
	// old are the salts that were in use before: replayed metadata must not
	// bring one back.
	old  [2][oldSalts][16]byte
	turn [2]uint8 // place of the next one in old
	kept [2]uint8 // how many old holds
	bad  [2]uint8 // packets in a row that did not decrypt
	free uint32
	used uint64 // one more than the mark of what Later seals with gcm, 0 if nothing
	// twin is one more than the entry whose keys a bridge encrypts with, 0
	// without: then this entry's keys serve both ways.
	twin uint32
}

const oldSalts = 8

// badKeys is how many packets in a row that do not decrypt say that our key is
// not the peer's.
const badKeys = 8

// init bounds the store to an eighth of the sessions, but 1,024: an entry costs
// more than a session. Without a policy that uses GCM there is none.
func (s *keyStore) init(sessions int, payload []*secure.Policy, reserve func(int) []byte) {
	s.free = none
	if slices.ContainsFunc(payload, func(p *secure.Policy) bool { return p != nil && p.Cipher().GCM() }) {
		n := min(sessions, max(sessions/8, 1024))
		var mem []byte
		if reserve != nil {
			mem = reserve(n * pool.RecordSize[keyEntry]())
		}
		s.entries = pool.Records[keyEntry](mem, n)
	}
}

// at returns entry i.
func (s *keyStore) at(i uint32) *keyEntry { return &s.entries[i] }

// take returns a fresh entry.
func (s *keyStore) take() (uint32, bool) {
	if i := s.free; i != none {
		k := s.at(i)
		s.free, k.free = k.free, 0
		return i, true
	}
	if int(s.virgin) == len(s.entries) {
		return none, false
	}
	s.virgin++
	return s.virgin - 1, true
}

// put takes an entry back, and the one of a bridge with it, and forgets the keys.
func (s *keyStore) put(i uint32) {
	if i == none {
		return
	}
	twin := s.at(i).twin
	s.settled(s.at(i))
	*s.at(i) = keyEntry{free: s.free}
	s.free = i
	s.put(twin - 1)
}

// out returns the entry whose keys encrypt, where at(i) has those that decrypt.
func (s *keyStore) out(i uint32) uint32 {
	if i != none && s.at(i).twin != 0 {
		return s.at(i).twin - 1
	}
	return i
}

// gcm returns the key of direction d, nil when it is not known.
func (s *keyStore) gcm(i uint32, d int) *secure.GCM {
	if i == none {
		return nil
	}
	if g := &s.at(i).gcm[d]; g.Keyed() {
		return g
	}
	return nil
}

// salt returns TLV 46 of direction d, nil when it is not known.
func (s *keyStore) salt(i uint32, d int) []byte {
	if k := s.at(i); k.have[d] {
		return k.salt[d][:]
	}
	return nil
}

// set makes salt the one of direction d; with pol its key is derived too.
func (s *keyStore) set(i uint32, d int, salt [16]byte, pol *secure.Policy) error {
	k := s.at(i)
	s.settled(k)
	if pol == nil {
		k.gcm[d] = secure.GCM{}
	} else if err := pol.SessionKey(&k.gcm[d], salt[:]); err != nil {
		return err
	}
	if k.have[d] {
		k.old[d][k.turn[d]] = k.salt[d]
		k.turn[d] = (k.turn[d] + 1) % oldSalts
		k.kept[d] = min(k.kept[d]+1, oldSalts)
	}
	k.salt[d], k.have[d], k.bad[d] = salt, true, 0
	return nil
}

// stale says whether salt was in use before in direction d.
func (k *keyEntry) stale(d int, salt *[16]byte) bool {
	for n := range k.kept[d] {
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
	if err := e.keys.set(e.keys.out(r.key), d, e.cfg.Random.Bytes16(), e.payload(r)); err != nil {
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
	k := e.keys.at(r.key)
	if k.have[d] && k.salt[d] == salt {
		return true
	}
	if k.stale(d, &salt) {
		e.stats.Add(DropReplay, 1)
		return false
	}
	pol := e.payload(r)
	if r.leg[1-d].kind() == kindSVR && !r.is(recBridge) {
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
	if g := &r.leg[l]; g.kind() == kindSVR {
		g.put(legSignal, true)
		e.setSimple(r, shortNone)
	}
}

// outOfStep: p, which arrived on leg d, did not decrypt. When nothing does any
// more, the metadata with the peer's key was lost or its handshake ended too
// early: it is asked for a new one, as for a flow that is lost.
func (e *Engine) outOfStep(p *packet.Packet, i uint32, d int) {
	r := &e.recs[i]
	k := e.keys.at(r.key)
	if k.bad[d]++; k.bad[d] < badKeys {
		return
	}
	k.bad[d] = 0
	if !e.enables.allow(e, p, r.leg[d].path, second) {
		e.stats.Add(DropRateLimit, 1)
		return
	}
	wire.Enable(&e.meta.head, &e.meta.body, keyIndex)
	if e.sendControl(i, d) {
		e.stats.Add(SentEnable, 1)
	}
}

// payload is the payload policy of r, nil without one.
func (e *Engine) payload(r *record) *secure.Policy {
	if !r.is(recProtected) {
		return nil
	}
	return e.securityOf(r.security)
}

// securityOf is the payload policy of a service, nil without one.
func (e *Engine) securityOf(svc policy.ServiceID) *secure.Policy {
	id := e.tables.Services[svc].Security
	if id == policy.NoSecurity {
		return nil
	}
	return e.cfg.Payload[id]
}

func replayOrDecrypt(err error) Counter {
	if errors.Is(err, secure.ErrReplay) {
		return DropReplay
	}
	return DropDecrypt
}
