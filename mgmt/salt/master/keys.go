package master

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"waymark/mgmt/salt"
	"waymark/mgmt/salt/crypt"
)

// State of a key, as salt-key names them.
type State string

// The states. Denied is not stored: it is a claim under an id that has another
// key.
const (
	Accepted State = "accepted"
	Pending  State = "pending"
	Rejected State = "rejected"
	Denied   State = "denied"
)

// Entry is one key.
type Entry struct {
	ID    string
	Key   string // PEM
	State State
	// Rival is another key that claimed the same id since, "" if none: one of
	// both boxes is not what it says.
	Rival string
}

// Claim is a key that says to be a minion. That it is its own shows when it opens
// what it is answered.
type Claim struct {
	ID   string
	Key  *crypt.Public
	From string // address
}

// Keys stores entries by id. Claim remembers a key that was not known, or that is
// another than the one known, and says what becomes of it: Denied for another. Update
// is atomic: it calls change with the entry, its zero value if there is none, stores
// what change returns and returns it; an entry without state is deleted.
type Keys interface {
	Get(id string) (Entry, error)
	Claim(c Claim) (State, error)
	Update(id string, change func(Entry) (Entry, error)) (Entry, error)
	List() ([]Entry, error)
}

// Memory is Keys in memory.
type Memory struct {
	mu sync.Mutex
	m  map[string]Entry
}

// Get implements Keys.
func (k *Memory) Get(id string) (Entry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.m[id], nil
}

// Claim implements Keys: the first key of an id waits.
func (k *Memory) Claim(c Claim) (verdict State, err error) {
	text := c.Key.PEM()
	_, err = k.Update(c.ID, func(e Entry) (Entry, error) {
		switch {
		case e.State == "":
			e = Entry{ID: c.ID, Key: text, State: Pending}
		case e.Key != text:
			e.Rival, verdict = text, Denied
			return e, nil
		}
		verdict = e.State
		return e, nil
	})
	return verdict, err
}

// Update implements Keys.
func (k *Memory) Update(id string, change func(Entry) (Entry, error)) (Entry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	e, err := change(k.m[id])
	if err != nil {
		return k.m[id], err
	}
	if k.m == nil {
		k.m = map[string]Entry{}
	}
	if e.State == "" {
		delete(k.m, id)
	} else {
		k.m[id] = e
	}
	return e, nil
}

// List implements Keys, by id.
func (k *Memory) List() ([]Entry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []Entry
	for _, e := range k.m {
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b Entry) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

// ErrUnknown: no key under that id.
var ErrUnknown = errors.New("unknown minion")

// Accept lets a minion in.
func (m *Master) Accept(id string) error { return m.decide(id, Accepted) }

// Reject keeps a minion out until it is accepted or deleted.
func (m *Master) Reject(id string) error { return m.decide(id, Rejected) }

func (m *Master) decide(id string, s State) error {
	_, err := m.cfg.Keys.Update(id, func(e Entry) (Entry, error) {
		if e.State == "" {
			return e, ErrUnknown
		}
		e.State = s
		return e, nil
	})
	if err != nil {
		return fmt.Errorf("%s key of %q: %w", s, id, err)
	}
	if s != Accepted {
		m.forget(id)
	}
	return nil
}

// Delete forgets a key. Since the minion knows the key of publications, all get
// a new one.
func (m *Master) Delete(id string) error {
	_, err := m.cfg.Keys.Update(id, func(e Entry) (Entry, error) {
		if e.State == "" {
			return e, ErrUnknown
		}
		return Entry{}, nil
	})
	if err != nil {
		return fmt.Errorf("delete key of %q: %w", id, err)
	}
	m.forget(id)
	return nil
}

// forget takes a minion's session away and changes the key that it shares.
func (m *Master) forget(id string) {
	m.mu.Lock()
	_, had := m.sessions[id]
	delete(m.sessions, id)
	delete(m.minions, id)
	made := m.made
	m.mu.Unlock()
	if !had {
		return
	}
	if err := m.rotate(made); err != nil {
		m.cfg.Log.Error("salt master: " + err.Error())
	}
}

// errFull: too many keys wait.
var errFull = errors.New("too many keys wait")

// room tells whether one more key may wait. A known id needs none.
func (m *Master) room(id string) error {
	if e, err := m.cfg.Keys.Get(id); err != nil || e.State != "" {
		return err
	}
	all, err := m.cfg.Keys.List()
	if err != nil {
		return err
	}
	n := 0
	for _, e := range all {
		if e.State == Pending {
			n++
		}
	}
	if n >= m.cfg.Limits.Pending {
		return errFull
	}
	return nil
}

// answerOf maps a verdict to what the protocol says.
func answerOf(s State) salt.State {
	if s == Pending {
		return salt.Pending
	}
	return salt.Rejected
}
