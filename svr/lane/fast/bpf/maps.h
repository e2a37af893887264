// Maps, and constants that the loader sets before it loads the program.
#pragma once
#include "layout.h"

// Arrays of one large value, memory-mapped by Go, whose sizes the loader sets.
// The program has their address as a constant and needs no lookup.
SEC(".data.wm_table") char wm_table[64] = {1};   // the session table
SEC(".data.wm_hops") __u64 wm_hops[1] = {1};     // six bytes of MAC, network-interface + 1
// The rings' has a name that says nothing of a lane: each process makes its own.
SEC(".data.ring") char wm_ring[64] = {1};
SEC(".data.wm_netifs") struct netif wm_netifs[1] = {{.ifindex = 1}};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct own_key);
	__type(value, struct own);
} wm_own SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct vlan_key);
	__type(value, struct vlan);
} wm_vlans SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} wm_devs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counts);
} wm_counts SEC(".maps");

// Of the table.
volatile const __u64 hash_key[11];
volatile const __u32 buckets, slots;
volatile const __u32 base; // offset of slot 0
volatile const __u32 hops, netifs; // sizes
volatile const __u32 ring_size; // bytes of the rings' entries, powers of two; 0: this port has none
volatile const __u32 ring_first_size;
volatile const __u64 ring_key;
volatile const __u32 weak; // the CPU reorders loads

// Of the interface that the program is attached to.
volatile const __u32 ifindex;
volatile const __u32 ingress; // network-interface of untagged packets
volatile const __u32 untagged; // there is one
volatile const __u32 l3dev;   // no link header
volatile const __u32 below;   // an XDP program of ours runs on it, too
volatile const __u32 magic;   // of its notes
volatile const __u32 tap;     // interface to punt to, 0: none
volatile const __u32 older;   // a program of an older lane comes after this one
volatile const __u32 mac_a;   // own address, two bytes in memory order
volatile const __u32 mac_b;   // and the other four

// place returns the address at bytes behind the start of a large value, hidden from
// the compiler, which believes the value small, but not that it is one. The caller has
// checked at.
INLINE void *place(void *value, __u64 at)
{
	HIDE(value);
	value += at;
	if (!value)
		__builtin_unreachable();
	return value;
}

INLINE struct counts *counters(void)
{
	__u32 zero = 0;
	return bpf_map_lookup_elem(&wm_counts, &zero);
}
