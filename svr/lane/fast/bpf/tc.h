// The TC hook: complete by itself. Super-packets stay whole, CHECKSUM_PARTIAL
// stays right because the kernel's helpers change the L4 checksum.
#pragma once
#include "punt.h"
#include "rewrite.h"

enum { MAX_SEGMENTS = 128, STRIDE = 4 };

// starts_cookie looks at the 8 bytes at offset at.
INLINE int starts_cookie(struct __sk_buff *skb, __u32 at)
{
	__u32 w[2];
	return !bpf_skb_load_bytes(skb, at, w, 8) && is_cookie(w);
}

// walk goes over the segments of a super-packet.
struct walk {
	struct __sk_buff *skb;
	__u32 first, last, size;
	int why;
};

// segments looks at the next ones; 1 ends the walk.
static long segments(__u32 i, struct walk *w)
{
	__u32 at = w->first;
#pragma unroll
	for (int n = 0; n < STRIDE; n++) {
		at += w->size;
		if (at > w->last || at > 0x1ffff) {
			w->why = 0;
			return 1;
		}
		if (starts_cookie(w->skb, at)) {
			w->why = PUNT_CONTROL;
			return 1;
		}
	}
	w->first = at;
	return 0;
}

// control tells whether a segment begins with the cookie: the packet itself, or
// any segment of a super-packet. Returns 0 or a reason. last is the last offset
// at which 8 bytes are left, first that of the payload. The walk is a helper's, for
// that is verified once. A global function would be, too; but a kernel without
// BTF of its own does not know what a context is and refuses one as its argument.
//
// ends: only the first and the last segment can. That is so for TCP from a peer: who
// puts several segments together goes by their sequence numbers, and metadata make a
// segment longer than its sequence, so that none follows it.
static __noinline int control(struct __sk_buff *skb, __u32 first, __u32 last, int ends)
{
	if (first <= last && starts_cookie(skb, first))
		return PUNT_CONTROL;
	struct walk w = {.skb = skb, .first = first, .last = last, .size = skb->gso_size, .why = PUNT_GSO};
	if (!w.size || first > last)
		return 0;
	if (ends) {
		__u32 at = first + (last + 7 - first) / w.size * w.size;
		return at <= last && starts_cookie(skb, at) ? PUNT_CONTROL : 0;
	}
	bpf_loop(MAX_SEGMENTS / STRIDE, segments, &w, 0);
	return w.why;
}

// l4_tc gives the L4 checksum its new value; at is its offset.
INLINE int l4_tc(struct __sk_buff *skb, __u32 at, const struct view *v, const struct act *a)
{
	__u64 flags = v->proto == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
	__u32 ports = fold((__u32)a->l4_delta + (__u16)~a->addr_delta);
	if (bpf_l4_csum_replace(skb, at, 0, a->addr_delta, BPF_F_PSEUDO_HDR | flags))
		return 0;
	return !bpf_l4_csum_replace(skb, at, 0, ports, flags);
}

// link_tc gives the packet the link header of its egress; ip_type as on the
// wire. The IP header begins at link_len() before.
INLINE int link_tc(struct __sk_buff *skb, const struct hop *h, __u16 type)
{
	if (h->out->flags & NETIF_L3)
		return !skb->vlan_present || !bpf_skb_vlan_pop(skb);
	if (l3dev && bpf_skb_change_head(skb, ETH_HLEN, 0))
		return 0;
	__u32 vlan = h->out->vlan;
	__u16 *w = (void *)(long)skb->data;
	if ((void *)w + ETH_HLEN > (void *)(long)skb->data_end)
		return 0;
	put_macs(w, h);
	w[6] = type;
	if (skb->vlan_present) {
		if (vlan == (skb->vlan_tci & 0xfff))
			return 1;
		if (bpf_skb_vlan_pop(skb))
			return 0;
	}
	return !vlan || !bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), vlan);
}

// exchange gives the packet an IP header of the other family.
INLINE int exchange(struct __sk_buff *skb, const int v6, const struct carried *c, const struct act *a,
		    const struct six *six)
{
	const __u32 hl = v6 ? 20 : 40;
	if (bpf_skb_change_proto(skb, v6 ? bpf_htons(ETH_P_IP) : bpf_htons(ETH_P_IPV6), 0))
		return 0;
	void *ip = (void *)(long)skb->data + link_len(), *end = (void *)(long)skb->data_end;
	if (ip + hl + 8 > end) {
		if (bpf_skb_pull_data(skb, link_len() + hl + 8))
			return 0;
		ip = (void *)(long)skb->data + link_len();
		end = (void *)(long)skb->data_end;
		if (ip + hl + 8 > end)
			return 0;
	}
	if (v6)
		put_ip4(ip, c, a);
	else
		put_ip6(ip, c, six);
	*(__u32 *)(ip + hl) = a->ports;
	return 1;
}

// send rewrites a packet that passed every test and redirects it.
INLINE int send(struct __sk_buff *skb, struct counts *n, const int v6, void *ip, const struct view *v,
		const struct act *a, const struct six *six, const struct hop *h, struct slot *s)
{
	int new6 = !!(a->form & FORM_NEW6);
	__u32 l3 = link_len(), segments = skb->gso_segs;
	__u32 out = h->out->ifindex;
	account(s, v, segments ? segments : 1);
	if (new6 == v6) {
		rewrite_ip(v6, ip, a, six);
		*(__u32 *)(ip + (v6 ? 40 : 20)) = a->ports;
	} else {
		struct carried c = {};
		carry(v6, ip, v, &c);
		if (!exchange(skb, v6, &c, a, six))
			return drop(n, DROP_ROOM);
	}
	if (!l4_tc(skb, l3 + (new6 ? 40 : 20) + (v->proto == IPPROTO_TCP ? 16 : 6), v, a) ||
	    !link_tc(skb, h, new6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP)))
		return drop(n, DROP_ROOM);
	n->fwd_tc++;
	return bpf_redirect(out, 0);
}

// refuse_tc adds to refuse what only super-packets and families need.
INLINE int refuse_tc(struct __sk_buff *skb, const int v6, void *ip, const struct view *v, const struct act *a)
{
	int by = growth(v6, a);
	__u32 size = skb->gso_size;
	int why = refuse(v, a, (size ? v->data + size : v->len) + by);
	if (why || !by || v->proto != IPPROTO_UDP)
		return why;
	if (size)
		return PUNT_GSO;
	return *(__u16 *)(ip + (v6 ? 40 : 20) + 6) ? 0 : PUNT_CSUM;
}

// noted reads what our XDP program left; 0 is no note.
INLINE __u32 noted(struct __sk_buff *skb)
{
	struct note *m = (void *)(long)skb->data_meta;
	if (!below || (void *)(m + 1) > (void *)(long)skb->data || m->magic != magic)
		return 0;
	return m->verdict;
}

INLINE int forward_tc(struct __sk_buff *skb, struct counts *n, const int v6, __u32 where)
{
	__u16 ifc = where;
	const __u32 hl = v6 ? 40 : 20, l3 = link_len();
	__u32 note = noted(skb);
	void *ip = (void *)(long)skb->data + l3, *end = (void *)(long)skb->data_end;
	if (ip + hl + 20 > end && skb->len > end - (void *)(long)skb->data) {
		__u32 pull = l3 + hl + 20;
		bpf_skb_pull_data(skb, pull < skb->len ? pull : skb->len);
		ip = (void *)(long)skb->data + l3;
		end = (void *)(long)skb->data_end;
	}
	struct view v = {};
	v.hash = note & 0xffffff;
	int why = parse(v6, ip, end, skb->len - l3, &v);
	if (why)
		return v6 ? missed6(skb, n, where, why << 24) : missed4(skb, n, where, why << 24);
	if (note && !(note & NOTE_HIT) && note >> 24 != PUNT_BUSY) {
		if (note >> 24 == PUNT_MISS)
			return v6 ? missed6(skb, n, where, note) : missed4(skb, n, where, note);
		return punt(skb, n, ifc, note >> 24, v.hash);
	}
	struct key k;
	make_key(v6, ip, ifc, v.proto, &k);
	struct act a = {};
	struct six six = {};
	HIDE_MEMORY(&six);
	struct slot *s = 0;
	if (!(note & NOTE_HIT) || read_slot(v6, note & ENTRY_SLOT, &k, &a, &six, &s) != MATCH) {
		why = look_up(v6, &k, &v, &a, &six, &s);
		if (why)
			return v6 ? missed6(skb, n, where, why << 24 | v.hash) : missed4(skb, n, where, why << 24 | v.hash);
	}
	struct hop h = {};
	why = refuse_tc(skb, v6, ip, &v, &a);
	if (!why)
		why = find_hop(&a, &h);
	if (why || !s)
		return punt(skb, n, ifc, why, v.hash);
	why = control(skb, l3 + v.data, l3 + v.len - 8, a.flags & FLAG_PEER && v.proto == IPPROTO_TCP);
	if (why)
		return punt(skb, n, ifc, why, v.hash);
	return send(skb, n, v6, ip, &v, &a, &six, &h, s);
}

SEC("tc")
int wm_tc1(struct __sk_buff *skb)
{
	struct counts *n = counters();
	if (!n)
		return TC_ACT_SHOT;
	if (l3dev && skb->mark == magic) {
		skb->mark = 0;
		return host(n, HOST_OWN);
	}
	n->in_tc++;
	__u32 ifc = ingress, station = 0, type = skb->protocol;
	if (skb->pkt_type == 3) // PACKET_OTHERHOST
		return host(n, HOST_OTHER);
	if (skb->vlan_present) {
		struct vlan_key key = {ifindex, skb->vlan_tci & 0xfff};
		struct vlan *tag = bpf_map_lookup_elem(&wm_vlans, &key);
		if (!tag || skb->vlan_proto != bpf_htons(ETH_P_8021Q))
			return host(n, HOST_PROTO);
		ifc = tag->netif;
		station = tag->flags & VLAN_STATION;
	} else if (!untagged) {
		return host(n, HOST_PROTO);
	}
	if (skb->pkt_type != 0) // PACKET_HOST
		return station ? punt(skb, n, ifc, PUNT_STATION, 0) : host(n, HOST_GROUP);
	if (type == bpf_htons(ETH_P_IP))
		return forward_tc(skb, n, 0, WHERE(ifc, station));
	if (type == bpf_htons(ETH_P_IPV6))
		return forward_tc(skb, n, 1, WHERE(ifc, station));
	return station ? punt(skb, n, ifc, PUNT_STATION, 0) : host(n, HOST_PROTO);
}
