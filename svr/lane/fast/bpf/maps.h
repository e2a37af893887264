// Maps, and constants that the loader sets before it loads the program.
#pragma once
#include "layout.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__uint(value_size, 64);
} wm_table SEC(".maps");

// Next-hops: six bytes of MAC, then the network-interface + 1, 0 unresolved.
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} wm_hops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct netif);
} wm_netifs SEC(".maps");

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
volatile const __u32 buckets;
volatile const __u32 base; // element of slot 0
volatile const __u32 weak; // the CPU reorders loads

// Of the interface that the program is attached to.
volatile const __u32 ifindex;
volatile const __u32 ingress; // network-interface of untagged packets
volatile const __u32 untagged; // there is one
volatile const __u32 l3dev;   // no link header
volatile const __u32 below;   // an XDP program of ours runs on it, too
volatile const __u32 magic;   // of its notes
volatile const __u32 tap;     // interface to punt to, 0: none
volatile const __u32 mac_a;   // own address, four bytes in memory order
volatile const __u32 mac_b;   // and the other two

INLINE struct counts *counters(void)
{
	__u32 zero = 0;
	return bpf_map_lookup_elem(&wm_counts, &zero);
}
