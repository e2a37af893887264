// The ring: memory that Go reads packets of known sessions from while it is awake, at
// ports towards peers: TCP, whose segments are single there. A packet there costs a
// copy; one by the TAP costs a system call besides, and a socket buffer that waits
// (../ring.go).
#pragma once
#include "maps.h"

// Places in the ring's memory: words of its head in lines of their own, then entries,
// and room behind the end for one that begins before it.
enum {
	RING_RESERVED = 0,  // position up to which programs have taken room
	RING_CONSUMED = 64, // and up to which Go has given it back
	RING_AWAKE = 128,   // 0: Go sleeps; RING_OFF; else where the ring's packets are younger than what woke it
	RING_LOST = 192,    // packets that found no room
	RING_HEAD = 4096,
	RING_IP = 576,      // of an entry: where its IP packet begins
	RING_TAIL = 192,    // room behind it
	RING_LINE = 64,
	RING_MOST = ETH_HLEN + 65535,
	RING_TRIES = 3,
};

// An entry begins with its position, with one of these bits and the key: nothing that
// lies there of earlier can look like it.
struct ring_entry {
	__u64 tag;
	__u32 len; // of the frame
	__u16 gso, valid; // the kernel knows that the checksum is right
};
enum { RING_FULL = 1, RING_SKIP = 2 };

// In the word of RING_AWAKE.
enum { RING_ON = 1, RING_OFF = 2 };

INLINE __u64 ring_word(__u32 at) { return *(volatile __u64 *)place(wm_ring, at); }

// ring_reserve takes room; 1: there is none, 2: others were faster each time.
INLINE int ring_reserve(__u64 need, __u64 *pos)
{
	__u64 *reserved = place(wm_ring, RING_RESERVED);
#pragma unroll
	for (int i = 0; i < RING_TRIES; i++) {
		__u64 p = *(volatile __u64 *)reserved;
		if (p + need - ring_word(RING_CONSUMED) > ring_size)
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
INLINE int ring_wakes(void)
{
	__u64 edge = ring_word(RING_RESERVED) | RING_ON;
	return __sync_val_compare_and_swap((__u64 *)place(wm_ring, RING_AWAKE), 0, edge) == 0;
}

// is_tcp tells TCP of a packet behind its link header.
INLINE int is_tcp(struct __sk_buff *skb)
{
	__u8 proto = 0;
	__u32 at = ETH_HLEN + (skb->protocol == bpf_htons(ETH_P_IPV6) ? 6 : 9);
	return !bpf_skb_load_bytes(skb, at, &proto, 1) && proto == IPPROTO_TCP;
}

// ring_put puts a packet behind its marked link header into the ring. 0: it has to go
// by the TAP. A router that goes to sleep says so first and looks at the ring then; we
// put first and look whether it sleeps then: one of us sees the other.
static __noinline int ring_put(struct __sk_buff *skb)
{
	__u32 len = skb->len;
	__u64 awake = ring_word(RING_AWAKE);
	if (!is_tcp(skb) || awake == RING_OFF || len <= ETH_HLEN || len > RING_MOST || (!awake && ring_wakes()))
		return 0;
	__u64 need = (RING_IP - ETH_HLEN + len + RING_TAIL + RING_LINE - 1) & ~(__u64)(RING_LINE - 1), pos = 0;
	int why = ring_reserve(need, &pos);
	if (why == 1)
		__sync_fetch_and_add((__u64 *)place(wm_ring, RING_LOST), 1);
	if (why)
		return why == 1;
	__u32 at = pos & (ring_size - 1) & ~(RING_LINE - 1);
	HIDE(at);
	if (at >= ring_size)
		return 0;
	struct ring_entry *e = place(wm_ring, RING_HEAD + at);
	__u64 tag = (pos | RING_FULL) ^ ring_key;
	e->len = len;
	e->gso = skb->gso_size;
	e->valid = bpf_csum_level(skb, BPF_CSUM_LEVEL_QUERY) >= 0;
	int failed = bpf_skb_load_bytes(skb, 0, (void *)e + RING_IP - ETH_HLEN, len) != 0;
	if (failed)
		tag = (pos | RING_SKIP) ^ ring_key;
	__sync_lock_test_and_set(&e->tag, tag);
	if (failed)
		return 0;
	if (ring_word(RING_AWAKE) || !ring_wakes())
		return 1;
	return __sync_val_compare_and_swap(&e->tag, tag, (pos | RING_SKIP) ^ ring_key) != tag;
}
