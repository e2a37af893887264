// The XDP hook: forwards hits towards interfaces that take XDP frames. All else
// goes up unchanged, with a note that saves the TC hook its lookup.
#pragma once
#include "rewrite.h"

static __noinline int up(struct xdp_md *ctx, __u32 verdict)
{
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(struct note)))
		return XDP_PASS;
	struct note *n = (void *)(long)ctx->data_meta;
	if ((void *)(n + 1) > (void *)(long)ctx->data)
		return XDP_PASS;
	n->magic = magic;
	n->verdict = verdict;
	return XDP_PASS;
}

// l4_xdp gives ports and checksum their new values. UDP without a checksum
// keeps none.
INLINE void l4_xdp(__u8 *l4, const struct view *v, const struct act *a)
{
	__u16 *check = (void *)l4 + (v->proto == IPPROTO_TCP ? 16 : 6);
	if (v->proto == IPPROTO_TCP) {
		*check = add_csum(*check, a->l4_delta);
	} else if (*check) {
		__u16 c = add_csum(*check, a->l4_delta);
		*check = c ? c : 0xffff;
	}
	*(__u32 *)l4 = a->ports;
}

// put_l2 writes the link header in front of the IP header.
INLINE void put_l2(void *p, const struct hop *h, __u32 vlan, int v6)
{
	__u16 *w = p, type = v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	put_macs(p, h);
	if (!vlan) {
		w[6] = type;
		return;
	}
	w[6] = bpf_htons(ETH_P_8021Q);
	w[7] = bpf_htons(vlan);
	w[8] = type;
}

INLINE int drop_xdp(struct counts *n)
{
	n->drop_xdp++;
	n->reason[DROP_ROOM]++;
	return XDP_DROP;
}

#include "plain.h"

// reshape moves the start of the frame by what link and IP header grow, writes
// a new IP header when the family changes, and the link header.
INLINE int reshape(struct xdp_md *ctx, const int v6, __u32 l2, const struct carried *c,
		   const struct act *a, const struct six *six, const struct hop *h, __u32 vlan)
{
	int new6 = !!(a->form & FORM_NEW6), by = growth(v6, a);
	__u32 l2new = vlan ? 18 : 14;
	if (bpf_xdp_adjust_head(ctx, (int)l2 - (int)l2new - by))
		return 0;
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	if (by) {
		void *ip = data + l2new;
		if (new6) {
			if (ip + 40 > end)
				return 0;
			put_ip6(ip, c, six);
		} else {
			if (ip + 20 > end)
				return 0;
			put_ip4(ip, c, a);
		}
	}
	if (data + 18 > end)
		return 0;
	put_l2(data, h, vlan, new6);
	return 1;
}

// hit_xdp forwards a packet of one family that a session decides about; its IP
// header is l2 bytes behind the start of the frame.
INLINE int hit_xdp(struct xdp_md *ctx, const int v6, __u32 l2, struct view *v, const struct act *a,
		   const struct six *six, struct slot *s)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	void *ip = data + l2;
	const __u32 hl = v6 ? 40 : 20;
	int by = growth(v6, a);
	struct hop h = {};
	if (ip + hl + 8 > end)
		return XDP_PASS;
	int why = refuse(v, a, v->len + by);
	if (!why)
		why = find_hop(a, &h);
	if (why)
		return up(ctx, (__u32)why << 24 | v->hash);
	if (v->len >= v->data + 8) {
		__u32 *w = ip + v->data;
		if ((void *)(w + 2) > end)
			return XDP_PASS;
		if (is_cookie(w))
			return up(ctx, PUNT_CONTROL << 24 | v->hash);
	}
	if (!(h.out->flags & NETIF_XDP))
		return up(ctx, NOTE_HIT | a->slot);
	__u8 *l4 = ip + hl;
	if (by && v->proto == IPPROTO_UDP && !*(__u16 *)(l4 + 6))
		return up(ctx, PUNT_CSUM << 24 | v->hash);
	struct counts *n = counters();
	if (!n || (v->proto == IPPROTO_TCP && (void *)l4 + 20 > end))
		return XDP_PASS;
	__u32 vlan = h.out->vlan;
	struct carried c = {};
	l4_xdp(l4, v, a);
	if (by)
		carry(v6, ip, v, &c);
	else
		rewrite_ip(v6, ip, a, six);
	if (by || vlan || l2 != 14) {
		if (!reshape(ctx, v6, l2, &c, a, six, &h, vlan))
			return drop_xdp(n);
	} else {
		put_macs(data, &h);
	}
	account(s, v, 1);
	n->fwd_xdp++;
	return bpf_redirect_map(&wm_devs, h.netif, 0);
}

// forward_xdp looks a packet of one family up; the key may have been found before.
INLINE int forward_xdp(struct xdp_md *ctx, const int v6, __u32 l2, __u16 ifc, const struct found *f)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	void *ip = data + l2;
	struct view v = {};
	if (parse(v6, ip, end, end - ip, &v))
		return XDP_PASS; // TC finds out why
	struct key k;
	make_key(v6, ip, ifc, v.proto, &k);
	struct act a;
	struct six six = {};
	HIDE_MEMORY(&six);
	struct slot *s = 0;
	int why;
	if (!v6 && f->at)
		why = look_up_from(f->at - 1, f->hash, v6, &k, &v, &a, &six, &s);
	else
		why = look_up(v6, &k, &v, &a, &six, &s);
	if (why)
		return up(ctx, (__u32)why << 24 | v.hash);
	return hit_xdp(ctx, v6, l2, &v, &a, &six, s);
}

SEC("xdp")
int wm_xdp1(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u16 *w = data;
	if (unlikely(data + 18 > end))
		return XDP_PASS;
	if (unlikely(w[0] != mac_a || *(__u32 *)(w + 1) != mac_b))
		return XDP_PASS; // group, or another station
	__u32 l2 = 14, ifc = ingress;
	__u16 type = w[6];
	struct found f = {};
	if (unlikely(type == bpf_htons(ETH_P_8021Q))) {
		struct vlan_key key = {ifindex, be16(w + 7) & 0xfff};
		struct vlan *tag = bpf_map_lookup_elem(&wm_vlans, &key);
		if (!tag)
			return XDP_PASS;
		ifc = tag->netif;
		type = w[8];
		l2 = 18;
	} else if (unlikely(!untagged)) {
		return XDP_PASS;
	} else if (likely(type == bpf_htons(ETH_P_IP))) {
		int did = plain(ctx, &f);
		if (likely(did != NOT_PLAIN))
			return did;
	}
	if (type == bpf_htons(ETH_P_IP))
		return forward_xdp(ctx, 0, l2, ifc, &f);
	if (type == bpf_htons(ETH_P_IPV6))
		return forward_xdp(ctx, 1, l2, ifc, &f);
	return XDP_PASS;
}
