// Package store is the memory of conductors: keys, values and transactions.
// Conductors keep no state of their own, so that several can serve the same
// boxes; whatever must be agreed on is decided by a transaction here.
//
// A transaction reads what it likes, writes at the end, and runs again if
// another one changed what it read. A Backend has to give four simple things;
// package etcd is the real one, Memory serves tests.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"time"
)

// Bounds.
const (
	MaxValue = 1 << 20 // bytes of one value; etcd takes 1.5 MiB a transaction
	MaxBatch = 1 << 20 // bytes that one transaction writes
	MaxOps   = 96      // keys that one transaction reads and writes; etcd takes 128
)

// Errors of transactions.
var (
	ErrTooLarge = errors.New("value is too large for the store")
	ErrConflict = errors.New("others change the same all the time")
)

// Item is one key. Revision 0: it is not there.
type Item struct {
	Key      string
	Value    []byte
	Revision int64
}

// Write is one change of a transaction.
type Write struct {
	Key    string
	Value  []byte // nil deletes
	Living bool   // the key goes away soon after this process does
}

// Backend is what keeps the keys. Its methods may be called concurrently and
// heed ctx.
type Backend interface {
	// Get returns one key.
	Get(ctx context.Context, key string) (Item, error)
	// List returns the keys that begin with prefix in their order, as of one
	// moment. Limit 0: all.
	List(ctx context.Context, prefix string, limit int) ([]Item, error)
	// Commit does all writes, or none (false) if a key in seen has another
	// revision by now.
	Commit(ctx context.Context, seen map[string]int64, writes []Write) (bool, error)
	// Watch tells every change of a key that begins with prefix, until ctx ends.
	// It first tells the key "", and again whenever changes may have been
	// missed: then anything may have changed.
	Watch(ctx context.Context, prefix string, changed func(key string)) error
}

// Tx is one try of a transaction.
type Tx struct {
	ctx    context.Context
	b      Backend
	seen   map[string]int64
	have   map[string][]byte
	writes map[string]Write
	order  []string
	size   int
	err    error
}

// Get returns the value of a key, nil if it is not there.
func (t *Tx) Get(key string) ([]byte, error) {
	if w, ok := t.writes[key]; ok {
		return w.Value, nil
	}
	if v, ok := t.have[key]; ok {
		return v, nil
	}
	it, err := t.b.Get(t.ctx, key)
	if err != nil {
		return nil, err
	}
	t.seen[key], t.have[key] = it.Revision, it.Value
	return it.Value, nil
}

// Put writes a value; nil deletes the key. ErrTooLarge ends the transaction.
func (t *Tx) Put(key string, value []byte) { t.write(Write{Key: key, Value: value}) }

// PutLiving writes a value that goes away with this process.
func (t *Tx) PutLiving(key string, value []byte) {
	t.write(Write{Key: key, Value: value, Living: true})
}

func (t *Tx) write(w Write) {
	if _, ok := t.writes[w.Key]; !ok {
		t.order = append(t.order, w.Key)
	}
	t.writes[w.Key] = w
	t.size += len(w.Value)
	if len(w.Value) > MaxValue || t.size > MaxBatch+MaxValue {
		t.err = fmt.Errorf("%w: %s with %d bytes", ErrTooLarge, w.Key, len(w.Value))
	}
}

// Set writes a value as JSON.
func (t *Tx) Set(key string, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		t.err = fmt.Errorf("write %s: %w", key, err)
		return
	}
	t.Put(key, b)
}

// Read reads a value of JSON; false: the key is not there.
func Read[T any](t *Tx, key string) (v T, found bool, err error) {
	b, err := t.Get(key)
	if err != nil || b == nil {
		return v, false, err
	}
	return v, true, decode(key, b, &v)
}

func decode(key string, b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("read %s of the store: %w", key, err)
	}
	return nil
}

// Load reads one value of JSON outside of transactions.
func Load[T any](ctx context.Context, b Backend, key string) (v T, found bool, err error) {
	it, err := b.Get(ctx, key)
	if err != nil || it.Revision == 0 {
		return v, false, err
	}
	return v, true, decode(key, it.Value, &v)
}

// All reads the values of JSON below a prefix, in the order of their keys.
func All[T any](ctx context.Context, b Backend, prefix string) ([]T, error) {
	items, err := b.List(ctx, prefix, 0)
	if err != nil {
		return nil, err
	}
	all := make([]T, len(items))
	for i, it := range items {
		if err := decode(it.Key, it.Value, &all[i]); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// tries is how often a transaction runs before it gives up.
const tries = 40

// Update runs a transaction until it goes through. What change does besides
// using its Tx must bear being done again. An error of change ends it and
// nothing is written.
func Update(ctx context.Context, b Backend, change func(*Tx) error) error {
	for n := range tries {
		t := &Tx{ctx: ctx, b: b, seen: map[string]int64{}, have: map[string][]byte{}, writes: map[string]Write{}}
		err := change(t)
		if err == nil {
			err = t.err
		}
		if err != nil {
			return err
		}
		done, err := t.commit()
		if done || err != nil {
			return err
		}
		if err := pause(ctx, n); err != nil {
			return err
		}
	}
	return ErrConflict
}

func (t *Tx) commit() (bool, error) {
	writes := make([]Write, 0, len(t.order))
	for _, key := range t.order {
		w := t.writes[key]
		was, known := t.have[key]
		if same := known && (was == nil) == (w.Value == nil) && string(was) == string(w.Value); same && !w.Living {
			continue // nothing to write
		}
		writes = append(writes, w)
	}
	if len(writes) == 0 {
		return true, nil
	}
	if n := len(writes) + len(t.seen); n > MaxOps {
		return false, fmt.Errorf("%w: %d keys at once", ErrTooLarge, n)
	}
	return t.b.Commit(t.ctx, t.seen, writes)
}

// pause waits a little before try n, longer the more there were.
func pause(ctx context.Context, n int) error {
	t := time.NewTimer(rand.N(time.Millisecond << min(n, 6)))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Path makes a key of parts, which may be any text: what follows a part's
// slash never begins another part.
func Path(parts ...string) string {
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	return strings.Join(parts, "/")
}

// Below is the prefix of all keys that Path makes of these parts and more.
func Below(parts ...string) string { return Path(parts...) + "/" }

// Parts undoes Path. A key that Path did not make gives nil.
func Parts(key string) []string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		s, err := url.PathUnescape(p)
		if err != nil {
			return nil
		}
		parts[i] = s
	}
	return parts
}
