// The rings: memory that Go reads punted packets from while it is awake, one for packets
// of known sessions, one for the first ones of flows. A packet there costs a copy; one by
// the TAP costs a system call besides, and a socket buffer that waits (../ring.go).
// Super-packets, and what finds no room, go by the TAP; each of its packets says what the
// ring had taken before it, so that Go has all of them in their order.
#pragma once
#include "maps.h"

// Places in the memory: heads of the rings, whose words have lines of their own; then the
// rings, each with entries, and room behind their end for one that begins before it.
enum {
	RING_RESERVED = 0,  // position up to which programs have taken room
	RING_CONSUMED = 64, // and up to which Go has given it back
	RING_AWAKE = 128,   // 0: Go sleeps; RING_ON, RING_OFF
	RING_SPILT = 192,   // packets that found no room and went by the TAP, since Go had nothing to do
	RING_LOST = 200,    // those that went nowhere
	RING_NEXT = 256,    // head of the second ring
	RING_DATA = 4096,   // entries of the first one
	RING_IP = 576,      // of an entry: where its IP packet begins
	RING_TAIL = 192,    // room behind it
	RING_LINE = 64,
	RING_SMALL = 512,   // frames of up to so many bytes have no room around them: Go copies them
	RING_MOST = ETH_HLEN + 9216,
	RING_SLACK = 12 << 10,
	RING_TRIES = 3,
	RING_SPILL = 500, // more are lost: they would cost the most where there is least time
};

// An entry begins with its position, with one of these bits and the key: nothing that
// lies there of earlier can look like it.
struct ring_entry {
	__u64 tag;
	__u32 len; // of the frame
	__u32 valid; // the kernel knows that the checksum is right
};
enum { RING_FULL = 1, RING_SKIP = 2 };

enum { RING_ON = 1, RING_OFF = 2 };

// A ring, as places in the memory, and its size.
struct ring {
	__u32 head, entries, size;
};

INLINE __u64 ring_word(__u32 at) { return *(volatile __u64 *)place(wm_ring, at); }

// ring_of is the ring of packets of known sessions, or that of first packets.
INLINE struct ring ring_of(__u32 first)
{
	struct ring r = {0, RING_DATA, ring_size};
	if (first) {
		r.head = RING_NEXT;
		r.entries = RING_DATA + ring_size + RING_SLACK;
		r.size = ring_first_size;
	}
	return r;
}

// ring_reserve takes room; 1: there is none, 2: others were faster each time.
INLINE int ring_reserve(const struct ring *r, __u64 need, __u64 *pos)
{
	__u64 *reserved = place(wm_ring, r->head + RING_RESERVED);
#pragma unroll
	for (int i = 0; i < RING_TRIES; i++) {
		__u64 p = *(volatile __u64 *)reserved;
		if (p + need - ring_word(r->head + RING_CONSUMED) > r->size)
			return 1;
		if (__sync_val_compare_and_swap(reserved, p, p + need) == p) {
			*pos = p;
			return 0;
		}
	}
	return 2;
}

// ring_wakes tells whether the caller's packet is the one that has to wake Go, by the
// TAP. Those behind it find the ring in use.
INLINE int ring_wakes(const struct ring *r)
{
	return __sync_val_compare_and_swap((__u64 *)place(wm_ring, r->head + RING_AWAKE), 0, RING_ON) == 0;
}

// ring_loses tells whether a packet that found no room is lost.
INLINE int ring_loses(const struct ring *r)
{
	__u64 *spilt = place(wm_ring, r->head + RING_SPILT);
	if (*(volatile __u64 *)spilt < RING_SPILL) {
		__sync_fetch_and_add(spilt, 1);
		return 0;
	}
	__sync_fetch_and_add((__u64 *)place(wm_ring, r->head + RING_LOST), 1);
	return 1;
}

// ring_stamp is what a packet by the TAP says: the end of what the ring took so far, in
// lines. Nothing, where nobody reads the ring.
INLINE int ring_stamp(__u32 first, __u32 *lines)
{
	struct ring r = ring_of(first);
	*lines = ring_word(r.head + RING_RESERVED) / RING_LINE;
	return ring_word(r.head + RING_AWAKE) != RING_OFF;
}

// ring_place is where the frame of an entry lies.
INLINE __u32 ring_place(__u32 len) { return len <= RING_SMALL ? sizeof(struct ring_entry) : RING_IP - ETH_HLEN; }

// ring_need is the size of an entry.
INLINE __u64 ring_need(__u32 len)
{
	__u64 end = ring_place(len) + len + (len <= RING_SMALL ? 0 : RING_TAIL);
	return (end + RING_LINE - 1) & ~(__u64)(RING_LINE - 1);
}

// ring_put puts a packet behind its marked link header into the ring. 0: it has to go
// by the TAP. A router that goes to sleep says so first and looks at the ring then; we
// put first and look whether it sleeps then: one of us sees the other.
static __noinline int ring_put(struct __sk_buff *skb, __u32 first)
{
	struct ring r = ring_of(first);
	__u32 len = skb->len;
	__u64 awake = ring_word(r.head + RING_AWAKE);
	if (awake == RING_OFF || skb->gso_size || len <= ETH_HLEN || len > RING_MOST || (!awake && ring_wakes(&r)))
		return 0;
	__u64 pos = 0;
	int why = ring_reserve(&r, ring_need(len), &pos);
	if (why)
		return why == 1 && ring_loses(&r);
	__u32 at = pos & (r.size - 1) & ~(RING_LINE - 1);
	HIDE(at);
	if (at >= r.size)
		return 0;
	struct ring_entry *e = place(wm_ring, r.entries + at);
	__u64 tag = (pos | RING_FULL) ^ ring_key;
	e->len = len;
	e->valid = bpf_csum_level(skb, BPF_CSUM_LEVEL_QUERY) >= 0;
	int failed = bpf_skb_load_bytes(skb, 0, (void *)e + ring_place(len), len) != 0;
	if (failed)
		tag = (pos | RING_SKIP) ^ ring_key;
	__sync_lock_test_and_set(&e->tag, tag);
	if (failed)
		return 0;
	if (ring_word(r.head + RING_AWAKE) || !ring_wakes(&r))
		return 1;
	return __sync_val_compare_and_swap(&e->tag, tag, (pos | RING_SKIP) ^ ring_key) != tag;
}
