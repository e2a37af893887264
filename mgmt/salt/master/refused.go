package master

import (
	"log/slog"
	"sync"
)

// refused tells each kind of refusal once for each address and counts the rest;
// what it remembers is bounded.
type refused struct {
	log   *slog.Logger
	mu    sync.Mutex
	told  map[string]int // kind and address to how many since
	total map[string]int // kind to all of its life
}

// maxTold bounds what is remembered between two summaries.
const maxTold = 256

func (r *refused) note(kind, who string, err error) {
	r.mu.Lock()
	if r.told == nil {
		r.told, r.total = map[string]int{}, map[string]int{}
	}
	r.total[kind]++
	key := kind + " from " + who
	n, known := r.told[key]
	if !known && len(r.told) >= maxTold {
		key, known = kind+" from others", true
		n = r.told[key]
	}
	r.told[key] = n + 1
	r.mu.Unlock()
	if !known {
		r.log.Warn("salt master: refused", "what", kind, "from", who, "err", err)
	}
}

// summary tells what came more than once and forgets it.
func (r *refused) summary() {
	r.mu.Lock()
	told := r.told
	if len(told) > 0 {
		r.told = map[string]int{}
	}
	r.mu.Unlock()
	for key, n := range told {
		if n > 1 {
			r.log.Info("salt master: refused again", "what", key, "times", n-1)
		}
	}
}

// Refused counts refusals by kind since the start.
func (m *Master) Refused() map[string]int {
	m.refused.mu.Lock()
	defer m.refused.mu.Unlock()
	out := map[string]int{}
	for k, n := range m.refused.total {
		out[k] = n
	}
	return out
}
