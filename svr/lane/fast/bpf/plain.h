// The short way of the XDP hook, for what most packets are: IPv4 that comes without a
// tag and leaves as IPv4, of a session, with nothing about it to refuse. It has few values
// at hand at a time, so that registers hold them. All else it leaves unchanged to the
// general way (xdp.h), which looks at everything once more and decides.
#pragma once
#include "rewrite.h"

enum { NOT_PLAIN = -1 };

// found is a slot that holds a key, as of a generation.
struct found {
	struct slot *slot;
	__u32 gen, meta;
	__u32 at;   // its number + 1
	__u64 hash; // of the key
};

// is_at tells whether slot s, the n-th, holds a key.
INLINE int is_at(__u32 n, struct slot *s, const struct key *k, struct found *f)
{
	if (unlikely(!s))
		return 0;
	f->slot = s;
	f->at = n + 1;
	f->gen = generation(s);
	f->meta = s->meta;
	return same_key(0, s, f->meta, k);
}

// find_plain finds the slot of a key. Most that are not at home are beside it, which
// saves them a call. Returns 0, PUNT_MISS, or NOT_PLAIN when the key just moves.
INLINE int find_plain(const struct key *k, __u64 hash, struct found *f)
{
	__u32 n = home_of(hash);
	touch(n ^ 1); // as look_up does
	if (likely(is_at(n, home_slot(n), k, f)))
		return 0;
	n ^= 1;
	if (is_at(n, slot_at(n), k, f))
		return 0;
	int r = search_for(0, k, hash);
	if (r < 0)
		return PUNT_MISS;
	return is_at(r, slot_at(r), k, f) ? 0 : NOT_PLAIN;
}

// plain_hop is find_hop for network-interfaces that take XDP frames.
INLINE int plain_hop(__u64 at, struct hop *h)
{
	HIDE(at); // what is checked is what is used
	if (unlikely(at >= hops))
		return 0;
	h->word = *(volatile __u64 *)place(wm_hops, at * sizeof(__u64));
	at = (LITTLE ? h->word >> 48 : h->word & 0xffff) - 1;
	HIDE(at);
	if (unlikely(at >= netifs)) // none is the largest number
		return 0;
	h->netif = at;
	h->out = place(wm_netifs, at * sizeof(struct netif));
	return h->out->flags & NETIF_XDP;
}

// sums are the checksums of a packet that leaves.
struct sums {
	__u16 ip, l4;
};

INLINE void new_sums(const __u8 proto, const struct slot *s, __u16 ip, __u16 l4, struct sums *n)
{
	n->ip = less_ttl(ip, s->addr_delta);
	n->l4 = l4;
	if (unlikely(proto == IPPROTO_UDP && !l4))
		return;
	n->l4 = add_one(l4, s->l4_delta);
	if (unlikely(proto == IPPROTO_UDP && !n->l4))
		n->l4 = 0xffff;
}

// add_tag makes room for a tag and writes the link header.
INLINE int add_tag(struct xdp_md *ctx, const struct hop *h)
{
	if (bpf_xdp_adjust_head(ctx, -4))
		return 0;
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	if (data + 18 > end)
		return 0;
	put_l2(data, h, h->out->vlan, 0);
	return 1;
}

// forward_plain does what plain does for a packet of a protocol, whose IP header was
// looked at. No byte changes before all is known.
INLINE int forward_plain(struct xdp_md *ctx, const __u8 proto, struct found *f)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 *ip = data + 14;
	__u8 *b = (void *)ip;
	const __u32 hl = 20, least = hl + (proto == IPPROTO_TCP ? 20 : 8);
	struct view v = {.proto = proto};
	if (unlikely((void *)ip + least > end))
		return XDP_PASS;
	v.len = be16(b + 2);
	if (unlikely(v.len > end - (void *)ip || v.len < least))
		return XDP_PASS;
	v.data = least;
	if (proto == IPPROTO_TCP) {
		v.data = hl + (b[hl + 12] >> 4) * 4;
		v.tcp = b[hl + 13];
		if (unlikely(v.data < least || v.data > v.len || v.tcp & (TCP_SYN | TCP_RST)))
			return NOT_PLAIN;
	}
	__u32 *w = (void *)ip + v.data;
	if (unlikely((void *)(w + 1) <= end && *w == bpf_htonl(COOKIE_1)))
		return NOT_PLAIN; // perhaps the cookie
	struct key k;
	make_key(0, ip, ingress, proto, &k);
	__u64 hash = f->hash = hash_of(0, &k);
	int why = find_plain(&k, hash, f);
	if (unlikely(why))
		return why == PUNT_MISS ? up(ctx, PUNT_MISS << 24 | (hash & 0xffffff)) : NOT_PLAIN;
	struct slot *s = f->slot;
	if (unlikely(f->meta & META(0, 0, FORM_NEW6 | FORM_PROTO)))
		return NOT_PLAIN;
	__u32 flags = s->flags;
	__u8 ttl = b[8];
	if (unlikely(!(flags & FLAG_FAST) || v.len > (flags & FLAG_MTU) || ttl <= 1))
		return NOT_PLAIN;
	struct hop h = {};
	if (unlikely(!plain_hop(s->hop, &h)))
		return NOT_PLAIN;
	struct counts *c = counters();
	if (unlikely(!c))
		return XDP_PASS;
	void *l4 = ip + 5;
	__u16 *head = (void *)ip + 10, *check = l4 + (proto == IPPROTO_TCP ? 16 : 6);
	struct sums n;
	new_sums(proto, s, *head, *check, &n);
	__u32 src = s->new_src, dst = s->new_dst, ports = s->new_ports;
	if (unlikely(generation(s) != f->gen || f->gen & 1))
		return NOT_PLAIN;
	*check = n.l4;
	*(__u32 *)l4 = ports;
	*head = n.ip;
	ip[3] = src;
	ip[4] = dst;
	b[8] = ttl - 1;
	if (unlikely(h.out->vlan)) {
		if (!add_tag(ctx, &h))
			return drop_xdp(c);
	} else {
		put_macs(data, &h);
	}
	account(s, &v, 1);
	c->fwd_xdp++;
	return bpf_redirect_map(&wm_devs, h.netif, 0);
}

// plain decides about an untagged packet of IPv4, or returns NOT_PLAIN. Where f->at is
// not 0 then, the slot f->at - 1 held its key.
INLINE int plain(struct xdp_md *ctx, struct found *f)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	void *p = data + 14;
	const __u8 *ip = p;
	if (unlikely(p + 28 > end || ip[0] != 0x45 || *(const __u16 *)(ip + 6) & bpf_htons(0x3fff)))
		return XDP_PASS; // TC finds out why
	if (ip[9] == IPPROTO_UDP)
		return forward_plain(ctx, IPPROTO_UDP, f);
	return ip[9] == IPPROTO_TCP ? forward_plain(ctx, IPPROTO_TCP, f) : XDP_PASS;
}
