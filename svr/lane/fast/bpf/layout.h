// Layout shared with Go: the session table (svr/pool/layout.go), the small maps
// around it, reasons and counters (../layout.go). Change a number here, there,
// and raise the version in both; a test compares the two.
#pragma once
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define LITTLE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
#define INLINE static __always_inline
// Hints: the way of a hit is laid out without jumps.
#define likely(v) __builtin_expect(!!(v), 1)
#define unlikely(v) __builtin_expect(!!(v), 0)
#define BARRIER() asm volatile("" ::: "memory")
// HIDE keeps the compiler from knowing where a value came from.
#define HIDE(v) asm volatile("" : "+r"(v))
// HIDE_MEMORY makes the compiler keep an object in memory.
#define HIDE_MEMORY(p) asm volatile("" : : "r"(p) : "memory")

// A slot of the table, and a second one of a direction with an IPv6 side
// (svr/pool/layout.go): seven words of each pair of addresses. The first slot has
// the eighth in dst or new_dst and the number of the second in src or new_src.
struct slot {
	__u32 gen, meta;
	__u32 src, dst;
	__u32 ports, new_src;
	__u32 new_dst, new_ports;
	__u16 hop, flags, addr_delta, l4_delta;
	__u64 bytes, packets;
	__u32 seen, tcp;
};
enum { SIX = 7 };
struct second {
	__u32 gen, meta;
	__u32 new[SIX], key[SIX];
};
_Static_assert(sizeof(struct slot) == 64, "slot");
_Static_assert(sizeof(struct second) == 64, "second slot");

// Fields of slot.meta, a u16 and two bytes in memory.
#if LITTLE
#define META_FORM(m) ((m) >> 24)
#define META(ifc, proto, form) ((__u32)(ifc) | (__u32)(proto) << 16 | (__u32)(form) << 24)
#else
#define META_FORM(m) ((m) & 0xff)
#define META(ifc, proto, form) ((__u32)(ifc) << 16 | (__u32)(proto) << 8 | (__u32)(form))
#endif
enum { FORM_LIVE = 1, FORM_KEY6 = 2, FORM_NEW6 = 4, FORM_PAIR = 8, FORM_PROTO = 0x70 };

// The table: header page, buckets of eight words, slots; how many of them, in the
// aligned block around a key's home, may hold it without an entry in a bucket.
enum { INDEX_OFF = 4096, WAYS = 8, WINDOW = 8 };
// Words of the header page that are the lane's (../older.go); this one is the programs'.
enum { OTHERS_OFF = 1024, WORD_TICK = 3 };
#define ENTRY_USED (1u << 31)
#define ENTRY_SLOT ((1u << 22) - 1)

// Action.Flags.
enum { FLAG_FAST = 0x8000, FLAG_PEER = 0x4000, FLAG_MTU = 0x3fff };

// A network-interface as egress. Each 8 bytes are written at once.
struct netif {
	__u32 ifindex;
	__u16 vlan; // 0: untagged
	__u16 flags;
	__u8 mac[6];
	__u16 mtu;
};
enum { NETIF_XDP = 1, NETIF_L3 = 2 };

// An own address; IPv4 in the first word, the rest zero.
struct own_key {
	__u32 addr[4];
	__u32 family;
};
struct own {
	__u16 flags, ranges;
	struct {
		__u16 first, last;
	} range[4];
};
enum { OWN_WAYPOINT = 1, OWN_BREAKOUT = 2 };

// A tag on a device.
struct vlan_key {
	__u32 ifindex, vlan;
};
struct vlan {
	__u16 netif, flags;
};
enum { VLAN_STATION = 1 }; // the lane itself answers ARP and neighbour discovery

// Reasons, in counters and in the mark of a punted packet.
enum {
	PUNT_MISS = 1,     // no session
	PUNT_SLOW = 2,     // the session is not for the fast lane (yet)
	PUNT_BUSY = 3,     // the slot was being written
	PUNT_CONTROL = 4,  // the payload begins with the cookie
	PUNT_TCP = 5,      // SYN or RST
	PUNT_TTL = 6,      // hop limit at its end
	PUNT_MTU = 7,      // longer than the path takes
	PUNT_HOP = 8,      // next-hop not resolved
	PUNT_ODD = 9,      // options, extension headers, lengths that do not fit
	PUNT_FRAGMENT = 10,
	PUNT_PROTO = 11,   // neither TCP nor UDP
	PUNT_OWN = 12,     // wayport or breakout port of an own address, no session
	PUNT_GSO = 13,     // super-packet that the kernel cannot translate
	PUNT_STATION = 14, // not IP, on a tag that the lane answers itself
	PUNT_CSUM = 15,    // UDP without checksum would become IPv6
	DROP_READER = 32,  // no TAP to punt to
	DROP_ROOM,         // the kernel had no memory to change the packet
	HOST_OWN = 48,     // to an own address
	HOST_GROUP,        // broadcast and multicast
	HOST_OTHER,        // to another station
	HOST_PROTO,        // not IP, or an unknown tag
	REASONS = 64,
	MARK_STAMP = 0x80, // beside a reason in a packet's mark: it is stamped (ring.h)
};

// Counters of one CPU. A packet that XDP passes up is TC's to count. The first three
// stay where they are in every version (../older.go).
struct counts {
	__u64 in_tc, fwd_tc, fwd_xdp, drop_xdp;
	__u64 copied; // to the TAP, and passed to the host
	__u64 older;  // to the program of an older lane, which counts them, too
	__u64 cut, cut_lost; // segments that Go left to be cut
	__u64 reason[REASONS];
};

// What XDP leaves in front of a packet that it passes up.
struct note {
	__u32 magic, verdict;
};
#define NOTE_HIT ENTRY_USED // | slot; otherwise reason << 24 | hash
