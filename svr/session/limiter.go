package session

import (
	"hash/maphash"

	"waymark/svr/packet"
	"waymark/svr/policy"
)

// limiter bounds what unauthenticated and replayed packets make us send: once
// per tuple and gap, and so many per path and second (docs/wire.md 3). Two tuples that
// share a place in the table share their turn too, so that the bound is strict.
type limiter struct {
	most  int         // per path and second
	seen  [1024]int64 // when the last answer went to a tuple of this hash, 0 never
	paths []struct {
		at    int64
		count int
	}
}

// How many answers leave on one path per second. Challenges answer metadata with
// a good digest, and a crowd of sessions that moves needs one each.
const (
	enablesPerPath    = 100
	challengesPerPath = 1000
)

func (l *limiter) init(paths, most int) {
	l.most = most
	l.paths = make([]struct {
		at    int64
		count int
	}, paths)
}

// allow says whether an answer to p may leave on path id, and counts it.
func (l *limiter) allow(e *Engine, p *packet.Packet, id policy.PathID, gap int64) bool {
	at := &l.seen[maphash.Comparable(e.seed, p.T)%uint64(len(l.seen))]
	if *at != 0 && e.now-*at < gap {
		return false
	}
	c := &l.paths[id]
	if c.at == 0 || e.now-c.at >= second {
		c.at, c.count = e.now, 0
	}
	if c.count >= l.most {
		return false
	}
	c.count++
	*at = e.now
	return true
}
