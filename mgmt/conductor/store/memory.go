package store

import (
	"context"
	"slices"
	"strings"
	"sync"
)

// Memory is a Backend in this process: for tests, of more than one conductor
// too. The zero value is ready.
type Memory struct {
	mu       sync.Mutex // guards the rest
	items    map[string]Item
	revision int64
	watchers map[*watcher]bool
}

// watcher collects what one Watch has not told yet.
type watcher struct {
	prefix string
	keys   []string
	wake   chan struct{}
}

// Get implements Backend.
func (m *Memory) Get(ctx context.Context, key string) (Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.items[key], ctx.Err()
}

// List implements Backend.
func (m *Memory) List(ctx context.Context, prefix string, limit int) ([]Item, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []Item
	for key, it := range m.items {
		if strings.HasPrefix(key, prefix) {
			all = append(all, it)
		}
	}
	slices.SortFunc(all, func(a, b Item) int { return strings.Compare(a.Key, b.Key) })
	if limit > 0 && len(all) > limit {
		all = all[:limit]
	}
	return all, ctx.Err()
}

// Commit implements Backend.
func (m *Memory) Commit(ctx context.Context, seen map[string]int64, writes []Write) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, revision := range seen {
		if m.items[key].Revision != revision {
			return false, nil
		}
	}
	if m.items == nil {
		m.items = map[string]Item{}
	}
	m.revision++
	for _, w := range writes {
		if w.Value == nil {
			delete(m.items, w.Key)
		} else {
			m.items[w.Key] = Item{w.Key, w.Value, m.revision}
		}
		for x := range m.watchers {
			x.tell(w.Key)
		}
	}
	return true, nil
}

func (w *watcher) tell(key string) {
	if !strings.HasPrefix(key, w.prefix) {
		return
	}
	w.keys = append(w.keys, key)
	select {
	case w.wake <- struct{}{}:
	default: // it is awake
	}
}

// Watch implements Backend.
func (m *Memory) Watch(ctx context.Context, prefix string, changed func(key string)) error {
	w := &watcher{prefix: prefix, wake: make(chan struct{}, 1)}
	m.mu.Lock()
	if m.watchers == nil {
		m.watchers = map[*watcher]bool{}
	}
	m.watchers[w] = true
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.watchers, w)
		m.mu.Unlock()
	}()
	changed("")
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		}
		m.mu.Lock()
		keys := w.keys
		w.keys = nil
		m.mu.Unlock()
		for _, key := range keys {
			changed(key)
		}
	}
}
