package door

import (
	"log/slog"
	"maps"
	"sync"
)

// Refused tells each kind of refusal once for each address and counts the rest;
// what it remembers is bounded. Its methods may be called from several
// goroutines.
type Refused struct {
	name  string // goes before every line
	log   *slog.Logger
	mu    sync.Mutex     // guards the rest
	told  map[string]int // kind and address to how many since the last summary
	total map[string]int // kind to all of its life
}

// maxTold bounds the pairs that are remembered between two summaries, and the
// kinds.
const maxTold = 256

// NewRefused tells refusals to log, each line as "NAME: refused …".
func NewRefused(name string, log *slog.Logger) *Refused {
	return &Refused{name: name, log: log, told: map[string]int{}, total: map[string]int{}}
}

// Note is one refusal of a kind: of an address, an asset, a minion. Kinds are
// few; past 256 they count as "others".
func (r *Refused) Note(kind, who string, err error) {
	if r.first(kind, who) {
		r.log.Warn(r.name+": refused", "what", kind, "from", who, "err", err)
	}
}

func (r *Refused) first(kind, who string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.total[kind]; !known && len(r.total) >= maxTold {
		kind = "others"
	}
	r.total[kind]++
	key := kind + " from " + who
	n, known := r.told[key]
	if !known && len(r.told) >= maxTold {
		key, known = kind+" from others", true
		n = r.told[key]
	}
	r.told[key] = n + 1
	return !known
}

// Summary tells what came more than once since the last one, and forgets it.
func (r *Refused) Summary() {
	r.mu.Lock()
	told := r.told
	r.told = map[string]int{}
	r.mu.Unlock()
	for key, n := range told {
		if n > 1 {
			r.log.Info(r.name+": refused again", "what", key, "times", n-1)
		}
	}
}

// Counts are the refusals by kind since the start.
func (r *Refused) Counts() map[string]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.total)
}
