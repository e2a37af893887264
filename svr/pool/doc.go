// Package pool holds the fixed-size pools of the data plane: the session table
// that the Go lane and the in-kernel lane share, wayports, source-NAT ports,
// and the small building blocks the session engine needs around them (timing
// wheel, hash index).
//
// Everything is made at boot and never grows, every operation is O(1) with a
// bounded number of steps, nothing allocates after construction, and nothing
// knows the time: it is passed in as monotonic nanoseconds.
//
// Each pool has one writer. Only the Table has concurrent readers: its lookups,
// reads and counters are safe from any goroutine and, through the same memory,
// from a BPF program.
package pool
