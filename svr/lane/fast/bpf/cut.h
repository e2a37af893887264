// Behind the pair of devices that cuts for Go (../cut.go): TCP that is encrypted or
// signed grows without moving its sequence numbers, which the kernel's segmentation
// does not know. Go sends such segments as one super-packet with a mark in place of
// the Ethernet addresses; the kernel cuts it between the two devices, and here every
// segment gets its own number, and goes where its next-hop is.
#pragma once
#include "tc.h"

// The mark, in host byte order.
struct cut_mark {
	__u16 hop;
	__u16 growth;      // bytes of a segment that the numbers do not count
	__u16 size;        // of every segment but the last
	__u16 first, low;  // the number of the first one, upper half first
	__u16 zero;
};
_Static_assert(sizeof(struct cut_mark) == 12, "mark of what is to be cut");

INLINE int cut_lost(struct counts *n)
{
	n->cut_lost++;
	return TC_ACT_SHOT;
}

// renumber takes off a sequence number what segments before this one grew by. The
// checksum is partial: it has the pseudo-header alone.
INLINE void renumber(__u32 *seq, const struct cut_mark *m)
{
	__u32 is = bpf_ntohl(*seq), at = is - ((__u32)m->first << 16 | m->low);
	*seq = bpf_htonl(is - at / m->size * m->growth);
}

SEC("tc")
int wm_cut1(struct __sk_buff *skb)
{
	struct counts *n = counters();
	if (!n)
		return TC_ACT_SHOT;
	void *p = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	__u32 ip = skb->protocol == bpf_htons(ETH_P_IPV6) ? 40 : 20;
	struct cut_mark m;
	if (p + ETH_HLEN + ip + 20 > end)
		return cut_lost(n);
	__builtin_memcpy(&m, p, sizeof(m));
	struct act a = {.hop = m.hop};
	struct hop h = {};
	if (m.zero || !m.size || find_hop(&a, &h))
		return cut_lost(n);
	renumber(p + ETH_HLEN + ip + 4, &m);
	__u32 out = h.out->ifindex;
	if (!link_tc(skb, &h, skb->protocol))
		return cut_lost(n);
	n->cut++;
	return bpf_redirect(out, 0);
}
