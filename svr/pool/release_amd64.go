//go:build !race

package pool

// The stores of the one writer to words that others read: each becomes visible after
// those before it. On amd64 every store of an aligned word does; sync/atomic knows
// only stores that wait for all before them, cache misses included, of which the two
// directions of a new session would take 50. Go's compiler, for its part, keeps the
// order of stores, and drops one only when another to the same word follows.
//
// The race detector wants the atomic ones of release_other.go.

func release32(p *uint32, v uint32) { *p = v }
func release64(p *uint64, v uint64) { *p = v }
