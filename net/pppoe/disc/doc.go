// Package disc finds an access concentrator and a session on it: the discovery
// stage of PPPoE (RFC 2516) with the larger payloads of RFC 4638.
//
// Packet is the codec. Machine is pure: frames and a monotonic clock go in,
// frames and a result come out. It asks until somebody answers, more and more
// rarely, so that an area without power does not come back as a storm.
package disc
