// Package packet reads and rewrites IP packets in place: parse, address and
// port rewriting with checksum deltas, header exchange between IPv4 and IPv6,
// segmentation of super-packets, fragments, ICMP errors.
//
// Everything is pure: bytes in, bytes out. A Packet never owns its buffer; the
// lane that read it does, and may reuse it as soon as the packet was sent.
// Nothing allocates but the constructors.
//
// # A packet's way
//
// The lane fills a buffer with headroom and calls Reset, sets Csum, GSO and
// GSOSize as the device told, and Parse. What only changes addresses (Rewrite,
// Readdress, DecTTL, ClampMSS) keeps every checksum by delta, right in whatever
// state it is; damage from before stays visible to the end. What changes data
// (InsertData, RemoveData, Extend, Trim, writing to Payload) is followed by
// Finish, which seals the packet with a new checksum: call VerifyL4 before the
// change, so that a damaged packet is not sealed as a good one. ToUDP and
// Segmenter do so themselves.
//
// # Building
//
// Functions that write a new packet (Build…, Segmenter, Fragmenter, CopyTo,
// IPReassembler) take a dst whose Buf and Off are set: the packet begins at
// Off, what is before is headroom. They set every other field; If comes from
// dst for packets of ours (Build…), from the source otherwise.
package packet
