// Package fast is the in-kernel lane: a BPF program on every forwarding
// interface that looks packets up in the session table of svr/pool, rewrites
// and redirects those of established sessions, and hands the rest of the
// transit traffic to Go through a TAP (the punt).
//
// The program outlives the process. Open finds what an earlier process left on
// the devices and takes it over; Close with keep leaves it again.
//
// The source is in bpf/, compiled objects lie beside it (bpf/build.sh).
//
// Ownership. Memory is shared with the kernel: svr/pool writes it, the program
// reads decisions and bumps counters. A Lane's methods belong to one goroutine,
// except SetHop and Counters, which any goroutine may call, and the Queues,
// which belong to one goroutine each. Every method that names a device by index
// must run on a thread in the router's network namespace.
package fast
