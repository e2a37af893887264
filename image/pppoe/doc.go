// Package pppoe holds the tests of an access line with two machines at its ends:
// a router that dials in by PPPoE, on a kernel that has PPP, and an access
// concentrator made of rp-pppoe and pppd. Between them lies a bridge that the
// test watches and cuts.
package pppoe
