// Package packet reads and rewrites IP packets in place: parse, address and
// port rewriting with checksum deltas, header exchange between IPv4 and IPv6,
// segmentation and coalescing of super-packets, fragments, ICMP errors.
//
// Everything is pure: bytes in, bytes out. A Packet never owns its buffer; the
// lane that read it does, and may reuse it as soon as the packet was sent.
package packet
