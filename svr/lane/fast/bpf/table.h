// Lookup in the session table of svr/pool: see hash.go, index.go and layout.go
// there for the form, lanes and memory order.
#pragma once
#include "packet.h"

// key holds the words that are hashed; IPv4 uses the first four.
struct key {
	__u32 w[10];
};

// act is what a slot says, copied under its generation.
struct act {
	__u32 src, dst, ports; // new, IPv4 addresses
	__u16 hop, flags, addr_delta, l4_delta;
	__u32 form, slot;
};

// six holds the new IPv6 addresses, source first. It is memory, not registers:
// most packets do not need it.
struct six {
	__u64 w[4];
};

INLINE void make_key(const int v6, __u32 *ip, __u16 ifc, __u8 proto, struct key *k)
{
	if (!v6) {
		k->w[0] = ip[3];
		k->w[1] = ip[4];
		k->w[2] = ip[5];
		k->w[3] = (__u32)ifc | (__u32)proto << 16;
		return;
	}
#pragma unroll
	for (int i = 0; i < 9; i++)
		k->w[i] = ip[2 + i];
	k->w[9] = (__u32)ifc | (__u32)proto << 16 | 1 << 24;
}

INLINE __u64 hash_of(const int v6, const struct key *k)
{
	__u64 acc = hash_key[0] + (hash_key[1] + k->w[0]) * (hash_key[2] + k->w[1]) +
		    (hash_key[3] + k->w[2]) * (hash_key[4] + k->w[3]);
	if (v6)
		acc += (hash_key[5] + k->w[4]) * (hash_key[6] + k->w[5]) +
		       (hash_key[7] + k->w[6]) * (hash_key[8] + k->w[7]) +
		       (hash_key[9] + k->w[8]) * (hash_key[10] + k->w[9]);
	acc ^= acc >> 32;
	acc *= 0x9e3779b97f4a7c15ull;
	return acc ^ acc >> 29;
}

INLINE __u32 want_of(__u64 hash) { return ENTRY_USED | ((__u32)(hash >> 32) & 0x1ff) << 22; }
// bucket_at returns the bucket that half a hash chooses.
INLINE __u64 *bucket_at(__u32 half)
{
	__u64 n = buckets, b = half * n >> 32;
	return b < n ? place(wm_table, INDEX_OFF + b * 32) : 0;
}

INLINE void *slot_at(__u32 n)
{
	__u64 at = n;
	return at < slots ? place(wm_table, base + at * 64) : 0;
}

// generation reads slot.gen such that no later load is done before it and no
// earlier one after it. Where the CPU might, adding nothing forbids it.
INLINE __u32 generation(struct slot *s)
{
	__u32 g;
	BARRIER();
	if (weak)
		g = __sync_fetch_and_add(&s->gen, 0);
	else
		g = *(volatile __u32 *)&s->gen;
	BARRIER();
	return g;
}

enum { MATCH, DIFFERS, BUSY };

INLINE int same_key(const int v6, struct slot *s, const struct key *k, __u32 n)
{
	const __u32 form = v6 ? FORM_LIVE | FORM_KEY6 : FORM_LIVE;
	if (v6) {
		if ((s->meta & META(0xffff, 0xff, FORM_LIVE | FORM_KEY6)) !=
			    META(k->w[9] & 0xffff, k->w[9] >> 16 & 0xff, form) ||
		    s->ports != k->w[8])
			return 0;
		__u32 *q = slot_at(n + 1);
		if (!q)
			return 0;
		__u32 diff = 0;
#pragma unroll
		for (int i = 0; i < 8; i++)
			diff |= q[i] ^ k->w[i];
		return !diff;
	}
	return (s->meta & META(0xffff, 0xff, FORM_LIVE | FORM_KEY6)) ==
		       META(k->w[3] & 0xffff, k->w[3] >> 16, form) &&
	       s->src == k->w[0] && s->dst == k->w[1] && s->ports == k->w[2];
}

// read_slot copies slot n when it holds the key.
INLINE int read_slot(const int v6, __u32 n, const struct key *k, struct act *a, struct six *six, struct slot **out)
{
	struct slot *s = slot_at(n);
	if (!s)
		return DIFFERS;
	__u32 gen = generation(s);
	int same = same_key(v6, s, k, n);
	a->form = META_FORM(s->meta);
	a->src = s->new_src;
	a->dst = s->new_dst;
	a->ports = s->new_ports;
	a->hop = s->hop;
	a->flags = s->flags;
	a->addr_delta = s->addr_delta;
	a->l4_delta = s->l4_delta;
	if (a->form & FORM_NEW6) {
		struct pair *q = slot_at(n + 1);
		if (!q)
			return DIFFERS;
		six->w[0] = q->new_src[0];
		six->w[1] = q->new_src[1];
		six->w[2] = q->new_dst[0];
		six->w[3] = q->new_dst[1];
	}
	if (generation(s) != gen || gen & 1)
		return BUSY;
	if (!same)
		return DIFFERS;
	a->slot = n;
	*out = s;
	return MATCH;
}

// candidate adds the slot of an entry that matches to found: x, the xor of entry
// and want, is then below 1 << 22. Without branches, because which way holds a
// key is nothing a CPU can predict, and a wrong guess would keep it from
// fetching the slot. Two matches give nonsense, none 0: the key decides. In
// assembly, because the compiler would spread it over half the stack.
#define CANDIDATE(found, bucket, want, way)                                                        \
	do {                                                                                       \
		__u64 m_, x_;                                                                      \
		asm volatile("%[m] = *(u32 *)(%[b] + " #way " * 4)\n"                              \
			     "%[m] ^= %[w]\n"                                                      \
			     "%[x] = %[m]\n"                                                       \
			     "%[m] += -4194304\n"                                                  \
			     "%[m] s>>= 63\n"                                                      \
			     "%[m] &= %[x]\n"                                                      \
			     "%[f] |= %[m]\n"                                                      \
			     : [f] "+r"(found), [m] "=&r"(m_), [x] "=&r"(x_)                        \
			     : [b] "r"(bucket), [w] "r"(want)                                       \
			     : "memory");                                                          \
	} while (0)

INLINE __u64 candidates(__u64 found, const __u64 *bucket, __u64 want)
{
	CANDIDATE(found, bucket, want, 0);
	CANDIDATE(found, bucket, want, 1);
	CANDIDATE(found, bucket, want, 2);
	CANDIDATE(found, bucket, want, 3);
	CANDIDATE(found, bucket, want, 4);
	CANDIDATE(found, bucket, want, 5);
	CANDIDATE(found, bucket, want, 6);
	CANDIDATE(found, bucket, want, 7);
	return found;
}

// holds compares the key of slot n alone, under its generation.
INLINE int holds(const int v6, __u32 n, const struct key *k)
{
	struct slot *s = slot_at(n);
	if (!s)
		return DIFFERS;
	__u32 gen = generation(s);
	int same = same_key(v6, s, k, n);
	if (generation(s) != gen || gen & 1)
		return BUSY;
	return same ? MATCH : DIFFERS;
}

// nth returns the slot of the nth entry that matches, plus one; 0 when there are
// fewer. Without branches, so that it is one path to the verifier.
INLINE __u64 nth(const __u64 *b1, const __u64 *b2, __u32 want, __u64 n)
{
	__u64 found = 0, count = 0;
#pragma unroll
	for (int i = 0; i < 2 * WAYS; i++) {
		const volatile __u32 *e = (const void *)(i < WAYS ? b1 : b2);
		__u64 x = e[i & (WAYS - 1)] ^ want, is = ((x >> 22) - 1) >> 63, here = ((count ^ n) - 1) >> 63;
		HIDE(is);
		HIDE(here);
		found |= (x + 1) & -(is & here);
		count += is;
	}
	return found;
}

enum { TRIES = 3 };

// search looks at every entry that matches (of three and more the first three),
// twice, because a key may move meanwhile (index.go). It returns the slot,
// -DIFFERS or -BUSY.
INLINE int search(const int v6, const struct key *k, __u64 hash)
{
	int result = -DIFFERS;
	__u64 *b1 = bucket_at(hash >> 32), *b2 = bucket_at(hash);
	if (!b1 || !b2)
		return result;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 2 * TRIES; i++) {
		__u64 n = nth(b1, b2, want_of(hash), i < TRIES ? i : i - TRIES);
		if (!n--)
			continue;
		int r = holds(v6, n, k);
		if (r == MATCH)
			return n;
		if (r == BUSY)
			result = -BUSY;
	}
	return result;
}
static __noinline int search4(const struct key *k, __u64 hash) { return search(0, k, hash); }
static __noinline int search6(const struct key *k, __u64 hash) { return search(1, k, hash); }

// look_up finds the slot of a key. Returns 0 or a reason.
INLINE int look_up(const int v6, const struct key *k, struct view *v, struct act *a, struct six *six, struct slot **s)
{
	__u64 hash = hash_of(v6, k), want = want_of(hash);
	__u64 *b1 = bucket_at(hash >> 32), *b2 = bucket_at(hash);
	v->hash = hash & 0xffffff;
	if (!b1 || !b2)
		return PUNT_MISS;
	__u32 n = candidates(candidates(0, b1, want), b2, want);
#pragma clang loop unroll(disable)
	for (int again = 0; read_slot(v6, n, k, a, six, s) != MATCH; again = 1) {
		if (again)
			return PUNT_BUSY;
		struct key copy = *k; // the address of k itself stays unknown: registers
		int r = v6 ? search6(&copy, hash) : search4(&copy, hash);
		if (r < 0)
			return r == -BUSY ? PUNT_BUSY : PUNT_MISS;
		n = r;
	}
	return 0;
}

// refuse tells why a hit may not be forwarded here; length is that of the longest
// IP packet that would leave.
INLINE int refuse(const struct view *v, const struct act *a, __u32 length)
{
	if (!(a->flags & FLAG_FAST) || a->form & FORM_PROTO)
		return PUNT_SLOW;
	if (v->tcp & (TCP_SYN | TCP_RST))
		return PUNT_TCP;
	if (v->ttl <= 1)
		return PUNT_TTL;
	return length > (a->flags & FLAG_MTU) ? PUNT_MTU : 0;
}

// growth is what the exchange of the IP header adds to the length.
INLINE int growth(const int v6, const struct act *a)
{
	int new6 = !!(a->form & FORM_NEW6);
	return 20 * (new6 - v6);
}

// account adds a packet to the words of the slot that are the lane's. One
// receive queue has all packets of a direction, so these are plain additions;
// Go adds TCP flags too, so that is an atomic one.
INLINE void account(struct slot *s, const struct view *v, __u32 packets)
{
	s->bytes += v->len;
	s->packets += packets;
	s->seen = bpf_ktime_get_coarse_ns() >> 24;
	if (v->proto == IPPROTO_TCP && v->tcp & ~s->tcp)
		__sync_fetch_and_or(&s->tcp, (__u32)v->tcp);
}
