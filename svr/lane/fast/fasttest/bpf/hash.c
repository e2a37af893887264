// A contestant of the session table: the lane's XDP program for IPv4 without
// tags, with a preallocated BPF hash map in place of the table.
#include "../../bpf/xdp.h"

struct hash_key {
	__u32 w[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct hash_key);
	__type(value, struct slot);
} sessions SEC(".maps");

SEC("xdp")
int hash(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	void *ip = data + 14;
	__u16 *w = data;
	struct view v = {};
	if (data + 18 > end || w[0] != mac_a || *(__u32 *)(w + 1) != mac_b || w[6] != bpf_htons(ETH_P_IP) ||
	    parse(0, ip, end, end - ip, &v))
		return XDP_PASS;
	struct key k;
	make_key(0, ip, ingress, v.proto, &k);
	struct hash_key hk = {{k.w[0], k.w[1], k.w[2], k.w[3]}};
	struct slot *s = bpf_map_lookup_elem(&sessions, &hk);
	if (!s)
		return XDP_PASS;
	struct act a = {.src = s->new_src, .dst = s->new_dst, .ports = s->new_ports, .hop = s->hop, .flags = s->flags,
			.addr_delta = s->addr_delta, .l4_delta = s->l4_delta};
	struct six six = {};
	return hit_xdp(ctx, 0, 14, &v, &a, &six, s);
}

char _license[] SEC("license") = "Apache-2.0";
