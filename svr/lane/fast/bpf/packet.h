// Reading packets: what both hooks need to know before they look up.
#pragma once
#include "maps.h"

// view is a parsed IP packet. Offsets count from the IP header.
struct view {
	__u32 len;   // of the IP packet
	__u32 data;  // offset of the L4 payload
	__u32 hash;  // 24 bits for the punt mark
	__u8 proto, ttl;
	__u8 tcp;    // TCP flags
};

#define TCP_FIN 1
#define TCP_SYN 2
#define TCP_RST 4

INLINE __u16 be16(const void *p) { return bpf_ntohs(*(const __u16 *)p); }

// parse reads IP and L4 header; avail is the length of the packet from the IP
// header on, end the end of its readable part. Returns 0 or a reason.
INLINE int parse(const int v6, void *ip, void *end, __u32 avail, struct view *v)
{
	const __u32 hl = v6 ? 40 : 20;
	__u8 *p = ip;
	if (ip + hl + 8 > end)
		return PUNT_ODD;
	if (v6) {
		if ((p[0] & 0xf0) != 0x60)
			return PUNT_ODD;
		v->len = be16(p + 4) + 40;
		v->proto = p[6];
		v->ttl = p[7];
		if (v->proto == 44)
			return PUNT_FRAGMENT;
	} else {
		if (p[0] != 0x45)
			return PUNT_ODD;
		v->len = be16(p + 2);
		v->proto = p[9];
		v->ttl = p[8];
		if (*(__u16 *)(p + 6) & bpf_htons(0x3fff))
			return PUNT_FRAGMENT;
	}
	if (v->len > avail || v->len < hl + 8)
		return PUNT_ODD;
	if (v->proto == IPPROTO_UDP) {
		v->data = hl + 8;
		v->tcp = 0;
		return 0;
	}
	if (v->proto != IPPROTO_TCP)
		return PUNT_PROTO;
	if (ip + hl + 20 > end)
		return PUNT_ODD;
	v->data = hl + (p[hl + 12] >> 4) * 4;
	v->tcp = p[hl + 13];
	return v->data < hl + 20 || v->data > v->len ? PUNT_ODD : 0;
}

#define COOKIE_1 0x4c48dbc6
#define COOKIE_2 0xddf6670c

// is_cookie compares with the cookie in network byte order.
INLINE int is_cookie(const __u32 *w)
{
	return w[0] == bpf_htonl(COOKIE_1) && w[1] == bpf_htonl(COOKIE_2);
}

// fold brings a sum to 16 bits with end-around carry.
INLINE __u16 fold(__u32 s)
{
	s = (s >> 16) + (s & 0xffff);
	return (s >> 16) + s;
}

// add_csum applies a delta to a complete checksum field (RFC 1624, 3).
INLINE __u16 add_csum(__u16 field, __u32 delta)
{
	return ~fold((__u32)(__u16)~field + delta);
}

// add_one is add_csum for a delta of 16 bits: one carry is all there can be.
INLINE __u16 add_one(__u16 field, __u16 delta)
{
	__u32 s = (__u32)(__u16)~field + delta;
	return ~(s + (s >> 16));
}

// less_ttl is add_csum of a delta to an IPv4 header whose hop limit falls by one.
INLINE __u16 less_ttl(__u16 field, __u16 delta) { return add_csum(field, delta + (__u32)(__u16)~bpf_htons(0x0100)); }
