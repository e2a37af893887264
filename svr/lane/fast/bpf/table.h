// Lookup in the session table of svr/pool: see hash.go, window.go, index.go and
// layout.go there for the form.
#pragma once
#include "packet.h"

// key holds the words that are hashed; IPv4 uses the first four.
struct key {
	__u32 w[10];
};

// key4 is what IPv4 uses of it.
struct key4 {
	__u32 w[4];
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
	__u32 w[8];
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

// home_of returns the slot where the search begins.
INLINE __u32 home_of(__u64 hash) { return (hash >> 32) * (__u64)slots >> 32; }

INLINE __u32 want_of(__u64 hash) { return ENTRY_USED | ((__u32)(hash >> 32) & 0x1ff) << 22; }

// bucket_at returns the bucket that half a hash chooses.
INLINE __u32 *bucket_at(__u32 half)
{
	__u64 n = buckets, b = half * n >> 32;
	return b < n ? place(wm_table, INDEX_OFF + b * 32) : 0;
}

INLINE void *slot_at(__u32 n)
{
	__u64 at = n;
	return at < slots ? place(wm_table, base + at * 64) : 0;
}

// home_slot is slot_at for what home_of returns: the verifier sees that it is one.
INLINE void *home_slot(__u64 n) { return place(wm_table, base + n * 64); }

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

// same_key compares slot s, whose meta was read, with a key. What differs, even
// while the writer is at it, is another key: the words of a key that stands are
// never written.
INLINE int same_key(const int v6, struct slot *s, __u32 meta, const struct key *k)
{
	const __u32 form = v6 ? FORM_LIVE | FORM_KEY6 : FORM_LIVE;
	const __u32 mask = META(0xffff, 0xff, FORM_LIVE | FORM_KEY6);
	const __u32 own = k->w[v6 ? 9 : 3];
	__u32 diff = (meta & mask) ^ META(own & 0xffff, own >> 16 & 0xff, form);
	if (!v6)
		return !(diff | (s->src ^ k->w[0]) | (s->dst ^ k->w[1]) | (s->ports ^ k->w[2]));
	if (diff | (s->ports ^ k->w[8]) | (s->dst ^ k->w[SIX]))
		return 0;
	struct second *q = slot_at(s->src);
	if (!q)
		return 0;
#pragma unroll
	for (int i = 0; i < SIX; i++)
		diff |= q->key[i] ^ k->w[i];
	return !diff;
}

// read_slot copies slot n when it holds the key.
INLINE int read_slot(const int v6, __u32 n, const struct key *k, struct act *a, struct six *six, struct slot **out)
{
	struct slot *s = slot_at(n);
	if (!s)
		return DIFFERS;
	__u32 gen = generation(s), meta = s->meta;
	if (!same_key(v6, s, meta, k))
		return DIFFERS;
	a->form = META_FORM(meta);
	a->src = s->new_src;
	a->dst = s->new_dst;
	a->ports = s->new_ports;
	a->hop = s->hop;
	a->flags = s->flags;
	a->addr_delta = s->addr_delta;
	a->l4_delta = s->l4_delta;
	if (a->form & FORM_NEW6) {
		struct second *q = slot_at(a->src);
		if (!q)
			return DIFFERS;
#pragma unroll
		for (int i = 0; i < SIX; i++)
			six->w[i] = q->new[i];
		six->w[SIX] = a->dst;
	}
	if (generation(s) != gen || gen & 1)
		return BUSY;
	a->slot = n;
	*out = s;
	return MATCH;
}

// holds tells whether slot n seems to hold the key; read_slot makes sure.
INLINE int holds(const int v6, __u32 n, const struct key *k)
{
	struct slot *s = slot_at(n);
	return s && same_key(v6, s, *(volatile __u32 *)&s->meta, k);
}

// scan looks at the entries of a bucket. It returns the slot or -DIFFERS.
INLINE int scan(const int v6, const __u32 *bucket, __u32 want, const struct key *k)
{
	if (!bucket)
		return -DIFFERS;
#pragma clang loop unroll(disable)
	for (int i = 0; i < WAYS; i++) {
		__u32 n = *(volatile const __u32 *)(bucket + i) ^ want;
		if (n <= ENTRY_SLOT && holds(v6, n, k))
			return n;
	}
	return -DIFFERS;
}

// search looks everywhere but at home, which was not it: the rest of the window,
// then the overflow index; all of it twice, and at home, because a key may move
// meanwhile (index.go). It returns the slot or -DIFFERS.
INLINE int search(const int v6, const struct key *k, __u64 hash)
{
	__u32 home = home_of(hash), want = want_of(hash);
#pragma clang loop unroll(disable)
	for (__u32 i = 1; i < 2 * WINDOW; i++) {
		if (holds(v6, home ^ (i & (WINDOW - 1)), k))
			return home ^ (i & (WINDOW - 1));
		if ((i & (WINDOW - 1)) != WINDOW - 1)
			continue;
		int n = scan(v6, bucket_at(hash >> 32), want, k);
		if (n < 0)
			n = scan(v6, bucket_at(hash), want, k);
		if (n >= 0)
			return n;
	}
	return -DIFFERS;
}
// Global, so that the kernel verifies them once and not for every way that leads
// to a call: a quarter of its work.
__noinline int search4(const struct key4 *k, __u64 hash) { return k ? search(0, (const struct key *)k, hash) : -DIFFERS; }
__noinline int search6(const struct key *k, __u64 hash) { return k ? search(1, k, hash) : -DIFFERS; }

// touch begins to bring slot n into the cache; nobody waits for what it reads.
INLINE void touch(__u32 n)
{
	struct slot *s = slot_at(n);
	if (s)
		(void)*(volatile __u32 *)&s->meta;
}

// search_for calls search; it copies the key, so that the address of k itself stays
// unknown: registers.
INLINE int search_for(const int v6, const struct key *k, __u64 hash)
{
	if (v6) {
		struct key copy = *k;
		return search6(&copy, hash);
	}
	struct key4 copy = {{k->w[0], k->w[1], k->w[2], k->w[3]}};
	return search4(&copy, hash);
}

// look_up_from finds the slot of a key that has a hash, first looking at slot n.
// Returns 0 or a reason.
INLINE int look_up_from(__u32 n, __u64 hash, const int v6, const struct key *k, struct view *v, struct act *a, struct six *six,
			struct slot **s)
{
	v->hash = hash & 0xffffff;
#pragma clang loop unroll(disable)
	for (int again = 0;; again = 1) {
		int r = read_slot(v6, n, k, a, six, s);
		if (r == MATCH)
			return 0;
		if (again || r == BUSY)
			return PUNT_BUSY;
		r = search_for(v6, k, hash);
		if (r < 0)
			return PUNT_MISS;
		n = r;
	}
}

// look_up begins at home.
INLINE int look_up(const int v6, const struct key *k, struct view *v, struct act *a, struct six *six, struct slot **s)
{
	__u64 hash = hash_of(v6, k);
	__u32 n = home_of(hash);
	// The next place of the search, while home is on its way: of the directions in a
	// table at 60 % some 30 % are not at home, and an IPv6 one has its second slot
	// there. No branch must depend on it; to compare both without one was slower.
	touch(n ^ 1);
	return look_up_from(n, hash, v6, k, v, a, six, s);
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

// tick returns the coarse clock in ticks of a slot's last-seen word. The clock only
// moves with the jiffies, which a program reads without a call, so it is asked once
// per jiffy for all CPUs: asking is three nested functions, and where the CPU needs a
// safe return each of them ends in a branch that was predicted wrongly (21 ns of a
// hit's 54 on Zen 3). The word is jiffy << 32 | tick; a tick of 0 is none.
INLINE __u32 tick(void)
{
	volatile __u64 *word = place(wm_table, OTHERS_OFF + 8 * WORD_TICK);
	__u64 now = bpf_jiffies64() << 32, last = *word;
	if (unlikely(!(__u32)last || (last ^ now) >> 32)) {
		last = now | (__u32)(bpf_ktime_get_coarse_ns() >> 24);
		*word = last;
	}
	return last;
}

// account adds a packet to the words of the slot that are the lane's. One
// receive queue has all packets of a direction, so these are plain additions;
// Go adds TCP flags too, so that is an atomic one.
INLINE void account(struct slot *s, const struct view *v, __u32 packets)
{
	s->bytes += v->len;
	s->packets += packets;
	s->seen = tick();
	if (unlikely(v->proto == IPPROTO_TCP && v->tcp & ~s->tcp))
		__sync_fetch_and_or(&s->tcp, (__u32)v->tcp);
}
