// Package dgram moves UDP datagrams between a socket of the kernel and a program that
// has very many peers: in batches, with the addresses, the interface and the hop limit
// of each. Nothing waits but Wait, nothing allocates after Open, and Go's scheduler is
// told of no call that does not wait: on a machine that has little to do, each one that
// it is told of wakes its watchdog.
package dgram
