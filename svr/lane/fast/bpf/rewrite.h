// Changing headers, in the form both hooks share. The L4 checksum is not here:
// XDP sees complete ones, TC leaves it to the kernel's helpers.
#pragma once
#include "table.h"

struct hop {
	__u64 word;
	__u32 netif;
	struct netif *out;
};

// find_hop reads a next-hop and its network-interface. Returns 0 or a reason.
INLINE int find_hop(const struct act *a, struct hop *h)
{
	__u64 at = a->hop;
	HIDE(at); // what is checked is what is used
	if (at >= hops)
		return PUNT_HOP;
	h->word = *(volatile __u64 *)place(wm_hops, at * sizeof(__u64));
	at = LITTLE ? h->word >> 48 : h->word & 0xffff;
	if (!at || --at >= netifs)
		return PUNT_HOP;
	h->netif = at;
	h->out = place(wm_netifs, at * sizeof(struct netif));
	return h->out->ifindex ? 0 : PUNT_HOP;
}

// put_macs writes both Ethernet addresses. The pieces are aligned when the IP
// header behind them is.
INLINE void put_macs(void *p, const struct hop *h)
{
	const void *mac = h->out->mac;
	*(__u16 *)p = LITTLE ? h->word : h->word >> 48;
	*(__u32 *)(p + 2) = h->word >> 16;
	*(__u32 *)(p + 6) = *(const __u32 *)mac;
	*(__u16 *)(p + 10) = *(const __u16 *)(mac + 4);
}

// rewrite_ip changes addresses and hop limit of a header whose family stays.
INLINE void rewrite_ip(const int v6, void *ip, const struct act *a, const struct six *six)
{
	__u8 *b = ip;
	__u32 *w = ip;
	if (v6) {
		b[7]--;
		const __u32 *s = six->w, *d = s + 4;
#pragma unroll
		for (int i = 0; i < 4; i++) {
			w[2 + i] = s[i];
			w[6 + i] = d[i];
		}
		return;
	}
	b[8]--;
	__u16 *check = ip + 10;
	*check = less_ttl(*check, a->addr_delta);
	w[3] = a->src;
	w[4] = a->dst;
}

// carried are the fields that survive an exchange of the IP header.
struct carried {
	__u32 l4_len;
	__u8 tos, ttl, proto;
};

INLINE void carry(const int v6, const void *ip, const struct view *v, struct carried *c)
{
	const __u8 *b = ip;
	c->tos = v6 ? be16(b) >> 4 : b[1];
	c->ttl = v->ttl - 1;
	c->proto = v->proto;
	c->l4_len = v->len - (v6 ? 40 : 20);
}

// put_ip4 writes a fresh IPv4 header: DF set, identification 0.
INLINE void put_ip4(void *ip, const struct carried *c, const struct act *a)
{
	__u32 *w = ip, sum;
	__u16 *h = ip;
	h[0] = bpf_htons(0x4500 | c->tos);
	h[1] = bpf_htons(c->l4_len + 20);
	w[1] = bpf_htonl(0x4000);
	h[4] = bpf_htons(c->ttl << 8 | c->proto);
	w[3] = a->src;
	w[4] = a->dst;
	sum = (__u32)h[0] + h[1] + h[3] + h[4] + (a->src & 0xffff) + (a->src >> 16) + (a->dst & 0xffff) + (a->dst >> 16);
	h[5] = ~fold(sum);
}

// put_ip6 writes a fresh IPv6 header: flow label 0.
INLINE void put_ip6(void *ip, const struct carried *c, const struct six *six)
{
	__u32 *w = ip;
	__u16 *h = ip;
	w[0] = bpf_htonl(0x60000000 | (__u32)c->tos << 20);
	h[2] = bpf_htons(c->l4_len);
	h[3] = bpf_htons(c->proto << 8 | c->ttl);
	const __u32 *s = six->w, *d = s + 4;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		w[2 + i] = s[i];
		w[6 + i] = d[i];
	}
}
