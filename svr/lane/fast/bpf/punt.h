// Ways out of the TC hook other than forwarding: to the TAP, to the host.
#pragma once
#include "ring.h"
#include "table.h"

// Layer 2 of the packet under the TC hook.
INLINE __u32 link_len(void) { return l3dev ? 0 : ETH_HLEN; }

// mark_macs writes what Go wants to know in place of the destination address:
// network-interface (big endian), reason, hash.
INLINE int mark_macs(struct __sk_buff *skb, __u32 ifc, __u32 reason, __u32 hash)
{
	__u16 *w = (void *)(long)skb->data;
	if ((void *)w + ETH_HLEN > (void *)(long)skb->data_end)
		return 0;
	w[0] = bpf_htons(ifc);
	w[1] = bpf_htons(reason << 8 | (hash >> 16 & 0xff));
	w[2] = bpf_htons(hash & 0xffff);
	return 1;
}

// stamp says in a marked packet, in place of the source address, what the ring took
// before it.
INLINE void stamp(struct __sk_buff *skb, __u32 first)
{
	__u16 *w = (void *)(long)skb->data;
	__u32 lines;
	if ((void *)w + ETH_HLEN > (void *)(long)skb->data_end || !ring_stamp(first, &lines))
		return;
	w[1] |= bpf_htons(MARK_STAMP << 8);
	*(__u32 *)(w + 4) = lines;
}

// known tells reasons of packets that have a session.
INLINE int known(__u32 reason)
{
	return reason != PUNT_MISS && reason != PUNT_OWN && reason != PUNT_ODD && reason != PUNT_PROTO &&
	       reason != PUNT_FRAGMENT && reason != PUNT_STATION;
}

// ringed tells reasons of packets that may come by a ring: they are TCP or UDP, whole.
INLINE int ringed(__u32 reason) { return known(reason) || reason == PUNT_MISS || reason == PUNT_OWN; }

INLINE int drop(struct counts *n, __u32 reason)
{
	n->reason[reason & (REASONS - 1)]++;
	return TC_ACT_SHOT;
}

// punt sends the packet to Go. Without a reader the TAP drops and counts. A packet
// without a session goes on to the program of an older lane first, which may have
// one, and punts it otherwise.
static __noinline int punt(struct __sk_buff *skb, struct counts *n, __u32 ifc, __u32 reason, __u32 hash)
{
	if (older && reason == PUNT_MISS) {
		n->older++;
		return TC_ACT_UNSPEC;
	}
	if (!tap)
		return drop(n, DROP_READER);
	if (l3dev) {
		__u16 type = skb->protocol;
		if (bpf_skb_change_head(skb, ETH_HLEN, 0))
			return drop(n, DROP_ROOM);
		__u16 *w = (void *)(long)skb->data;
		if ((void *)w + ETH_HLEN > (void *)(long)skb->data_end)
			return drop(n, DROP_ROOM);
		w[3] = w[4] = w[5] = 0;
		w[6] = type;
	} else if (skb->vlan_present && bpf_skb_vlan_pop(skb)) {
		return drop(n, DROP_ROOM);
	}
	if (!mark_macs(skb, ifc, reason, hash))
		return drop(n, DROP_ROOM);
	n->reason[reason & (REASONS - 1)]++;
	if (ring_size && ringed(reason)) {
		if (ring_put(skb, !known(reason)))
			return TC_ACT_SHOT;
		stamp(skb, !known(reason));
	}
	return bpf_redirect(tap, 0);
}

// host leaves the packet to the kernel: past the program of an older lane, which
// knows the addresses of its time.
INLINE int host(struct counts *n, __u32 reason)
{
	n->reason[reason & (REASONS - 1)]++;
	return older ? TC_ACT_OK : TC_ACT_UNSPEC;
}

// both gives a copy to Go and leaves the packet to the kernel: only they know
// whose it is. On a device without link header there is no way back from a
// marked copy: the kernel's comes in once more there, with a mark that says so,
// and Go gets the packet itself.
INLINE int both(struct __sk_buff *skb, struct counts *n, __u32 ifc, __u32 reason)
{
	__u8 old[6];
	if (l3dev) {
		skb->mark = magic;
		if (!bpf_clone_redirect(skb, ifindex, BPF_F_INGRESS))
			n->copied++;
		skb->mark = 0;
		return punt(skb, n, ifc, reason, 0);
	}
	if (!tap || bpf_skb_load_bytes(skb, 0, old, 6))
		return host(n, HOST_OWN);
	if (mark_macs(skb, ifc, reason, 0)) {
		if (!bpf_clone_redirect(skb, tap, 0))
			n->copied++;
		bpf_skb_store_bytes(skb, 0, old, 6, 0);
	}
	return host(n, HOST_OWN);
}

// Port plan of an own address (docs/wire.md 8).
INLINE int lane_port(const struct own *o, __u16 port)
{
	if (o->flags & OWN_WAYPOINT && port >= 16385 && port <= 65533)
		return 1;
	if (o->flags & OWN_BREAKOUT && port >= 2048 && port <= 9999)
		return 1;
#pragma unroll
	for (int i = 0; i < 4; i++)
		if (i < o->ranges && port >= o->range[i].first && port <= o->range[i].last)
			return 1;
	return 0;
}

enum { PROTO_ICMP6 = 58, ICMP_ECHO_REPLY = 0, ICMP6_ERRORS = 127, ICMP6_ECHO_REPLY = 129 };

// own_icmp: errors may be about the lane's packets, answers to its echoes too.
INLINE int own_icmp(const int v6, __u8 type, const struct own *o)
{
	if (type == (v6 ? ICMP6_ECHO_REPLY : ICMP_ECHO_REPLY))
		return o->flags & OWN_BREAKOUT;
	return v6 ? type <= ICMP6_ERRORS : type == 3 || type == 11 || type == 12;
}

// WHERE packs a network-interface and whether the lane itself answers for it.
#define WHERE(ifc, station) ((__u32)(ifc) | (station ? 1 << 16 : 0))

// missed decides about a packet without a session: where as above, why is the
// reason of parse or look_up << 24 | hash.
INLINE int missed(struct __sk_buff *skb, struct counts *n, const int v6, __u32 where, __u32 why)
{
	__u32 ifc = where & 0xffff, station = where >> 16, reason = why >> 24, hash = why & 0xffffff;
	const __u32 hl = v6 ? 40 : 20;
	void *ip = (void *)(long)skb->data + link_len(), *end = (void *)(long)skb->data_end;
	if (ip + hl > end || station)
		return punt(skb, n, ifc, reason, hash);
	struct own_key k = {.family = v6 ? 6 : 4};
	__u32 *w = ip;
	__u8 *b = ip;
	k.addr[0] = v6 ? w[6] : w[4];
	if (v6) {
		k.addr[1] = w[7];
		k.addr[2] = w[8];
		k.addr[3] = w[9];
		if ((w[6] & bpf_htonl(0xffc00000)) == bpf_htonl(0xfe800000))
			return host(n, HOST_OWN); // link-local
	}
	struct own *o = bpf_map_lookup_elem(&wm_own, &k);
	if (!o)
		return punt(skb, n, ifc, reason, hash);
	__u8 proto = v6 ? b[6] : b[9];
	if (v6 ? proto == 44 : *(__u16 *)(b + 6) & bpf_htons(0x3fff))
		return both(skb, n, ifc, PUNT_FRAGMENT);
	__u32 at = v6 ? 40 : (b[0] & 15) * 4; // options: still the host's
	__u8 *l4 = ip + at;
	if (at < hl || (void *)l4 + 4 > end)
		return host(n, HOST_OWN);
	if (proto == (v6 ? PROTO_ICMP6 : IPPROTO_ICMP))
		return own_icmp(v6, l4[0], o) ? both(skb, n, ifc, PUNT_PROTO) : host(n, HOST_OWN);
	if ((proto == IPPROTO_TCP || proto == IPPROTO_UDP) && lane_port(o, be16(l4 + 2)))
		return punt(skb, n, ifc, reason == PUNT_MISS && !older ? PUNT_OWN : reason, hash);
	return host(n, HOST_OWN);
}
static __noinline int missed4(struct __sk_buff *skb, struct counts *n, __u32 where, __u32 why)
{
	return missed(skb, n, 0, where, why);
}
static __noinline int missed6(struct __sk_buff *skb, struct counts *n, __u32 where, __u32 why)
{
	return missed(skb, n, 1, where, why);
}
