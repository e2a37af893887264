// Package bfd is the machine of RFC 5880: asynchronous and demand mode, polls,
// timer negotiation, jitter, detection, AdminDown, the passive role and keyed
// SHA1. It is pure: packets and a monotonic clock (nanoseconds, never 0) go in,
// packets and states come out. Nobody else decides what RFC 5880 decides;
// docs/bfd.md says which test holds each of its rules.
package bfd
