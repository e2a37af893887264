package pool

import (
	"crypto/aes"
	"encoding/binary"

	"waymark/svr/packet"
)

// The hash of keys, cheap in Go and in BPF: words w[0..n-1] of the key as they
// lie in memory (IPv4: source, destination, ports, meta; IPv6: four of source,
// four of destination, ports, meta, where meta = ingress | protocol << 16 |
// family-is-6 << 24 as a number), keys h[0..10] from the header:
//
//	acc = h[0] + Σ (h[i+1] + w[i]) * (h[i+2] + w[i+1])   i = 0, 2, 4 …, mod 2^64
//	acc ^= acc >> 32; acc *= 0x9e3779b97f4a7c15; acc ^= acc >> 29
//
// The sum is pair-multiply-shift, which is strongly universal in its upper 32
// bits (Thorup, "High Speed Hashing for Integers and Strings", 3.5): without
// the keys nobody can aim at a slot. Home slot = (acc >> 32) * slots >> 32; in
// the overflow index first bucket = (acc >> 32) * buckets >> 32, second = (acc &
// 0xffffffff) * buckets >> 32, tag = acc >> 32 & 0x1ff.

// keyWords is a key in the form that is hashed and compared.
type keyWords struct {
	w  [10]uint32
	v6 bool
}

// set fills k from a key.
func (k *keyWords) set(key *Key) {
	meta := uint32(key.If) | uint32(key.Proto)<<16
	if key.Family != 6 {
		k.w[0], k.w[1] = addrWord(&key.Src, 0), addrWord(&key.Dst, 0)
		k.w[2], k.w[3] = packPorts(key.SrcPort, key.DstPort), meta
		k.v6 = false
		return
	}
	for i := range 4 {
		k.w[i], k.w[4+i] = addrWord(&key.Src, i), addrWord(&key.Dst, i)
	}
	k.w[8], k.w[9] = packPorts(key.SrcPort, key.DstPort), meta|1<<24
	k.v6 = true
}

// hashOf returns the hash of a key.
func (t *Table) hashOf(k *keyWords) uint64 {
	h := &t.hash
	acc := h[0] + (h[1]+uint64(k.w[0]))*(h[2]+uint64(k.w[1])) + (h[3]+uint64(k.w[2]))*(h[4]+uint64(k.w[3]))
	if k.v6 {
		acc += (h[5]+uint64(k.w[4]))*(h[6]+uint64(k.w[5])) +
			(h[7]+uint64(k.w[6]))*(h[8]+uint64(k.w[7])) +
			(h[9]+uint64(k.w[8]))*(h[10]+uint64(k.w[9]))
	}
	acc ^= acc >> 32
	acc *= 0x9e3779b97f4a7c15
	return acc ^ acc>>29
}

// expandSeed derives the keys of the hash: AES of a counter.
func expandSeed(seed [16]byte) (h [hashKeys]uint64) {
	c, err := aes.NewCipher(seed[:])
	if err != nil {
		panic(err) // 16 bytes are a valid key
	}
	var in, out [16]byte
	for i := range h {
		in[0] = byte(i)
		c.Encrypt(out[:], in[:])
		h[i] = binary.LittleEndian.Uint64(out[:])
	}
	return h
}

// protoCode is the form code of the protocol after the rewrite.
func protoCode(from, to uint8) (code uint8, ok bool) {
	switch {
	case from == to:
		return protoSame, true
	case to == packet.ProtoICMP:
		return protoICMP, true
	case to == packet.ProtoTCP:
		return protoTCP, true
	case to == packet.ProtoUDP:
		return protoUDP, true
	case to == packet.ProtoICMPv6:
		return protoICMP6, true
	}
	return 0, false
}

// codeProto reverses protoCode.
func codeProto(from, code uint8) uint8 {
	switch code {
	case protoICMP:
		return packet.ProtoICMP
	case protoTCP:
		return packet.ProtoTCP
	case protoUDP:
		return packet.ProtoUDP
	case protoICMP6:
		return packet.ProtoICMPv6
	}
	return from
}
