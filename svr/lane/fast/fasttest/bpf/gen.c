// Programs for measurements: a generator of 60-byte UDP frames (BPF_PROG_TEST_RUN
// with live frames), sinks that count, a bare redirect, and a checker.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} devs SEC(".maps");

volatile const __u32 out, flows, random_order, source, target, mac[3];
volatile const __u16 port;

enum { SENT, GOT, BAD, TAGS }; // TAGS: the sum of their numbers

static __always_inline __u64 *counter(__u32 i) { return bpf_map_lookup_elem(&counters, &i); }

static __always_inline __u16 fold(__u32 s)
{
	s = (s >> 16) + (s & 0xffff);
	return (s >> 16) + s;
}

// Flow f: source address + (f >> 14), source port 16384 + (f & 0x3fff).
SEC("xdp")
int gen(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u16 *w = data;
	__u64 *n = counter(SENT);
	if (!n || data + 60 > end)
		return XDP_ABORTED;
	__u64 i = (*n)++;
	if (random_order) {
		i *= 0x9E3779B97F4A7C15ull;
		i ^= i >> 32;
		i *= 0xD6E8FEB86659FD93ull;
		i >>= 32;
	}
	__u32 f = (__u32)i & (flows - 1);
	// Frames come back changed: every field is written.
	*(__u32 *)(data + 0) = mac[0];
	*(__u32 *)(data + 4) = mac[1];
	*(__u32 *)(data + 8) = mac[2];
	w[6] = bpf_htons(ETH_P_IP);
	w[7] = bpf_htons(0x4500);
	w[8] = bpf_htons(46);
	w[9] = 0;
	w[10] = bpf_htons(0x4000);
	w[11] = bpf_htons(64 << 8 | 17);
	*(__u32 *)(data + 26) = bpf_htonl(source + (f >> 14));
	*(__u32 *)(data + 30) = bpf_htonl(target);
	w[17] = bpf_htons(16384 + (f & 0x3fff));
	w[18] = bpf_htons(port);
	w[19] = bpf_htons(26);
	*(__u32 *)(data + 42) = f; // so that a sink can check
	__u32 addrs = (__u32)w[13] + w[14] + w[15] + w[16];
	w[12] = ~fold((__u32)w[7] + w[8] + w[10] + w[11] + addrs);
	__u32 rest = 0;
#pragma unroll
	for (int j = 21; j < 30; j++)
		rest += w[j];
	__u16 c = ~fold(addrs + bpf_htons(17) + 2 * (__u32)w[19] + w[17] + w[18] + rest);
	w[20] = c ? c : 0xffff;
	return bpf_redirect(out, 0);
}

SEC("xdp")
int sink(struct xdp_md *ctx)
{
	__u16 *w = (void *)(long)ctx->data;
	__u64 *n = counter(GOT);
	if ((void *)(w + 7) > (void *)(long)ctx->data_end || w[6] != bpf_htons(ETH_P_IP))
		return XDP_DROP; // what the kernel sends by itself
	if (n)
		(*n)++;
	return XDP_DROP;
}

// check counts frames whose addresses and ports do not belong together: the
// rewrite gives flow f of writer round r the source port 16384 + (f & 0x3fff),
// and a destination that both name the same.
SEC("xdp")
int check(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u16 *w = data;
	__u64 *n = counter(GOT), *bad = counter(BAD);
	if (!n || !bad || data + 60 > end || w[6] != bpf_htons(ETH_P_IP))
		return XDP_DROP;
	(*n)++;
	__u32 src = bpf_ntohl(*(__u32 *)(data + 26)), dst = bpf_ntohl(*(__u32 *)(data + 30));
	__u32 sport = bpf_ntohs(w[17]), dport = bpf_ntohs(w[18]);
	__u32 flow = *(__u32 *)(data + 42), round = dst & 0xff;
	__u32 sum = 0;
#pragma unroll
	for (int j = 7; j < 17; j++)
		sum += w[j];
	__u32 l4 = (__u32)w[13] + w[14] + w[15] + w[16] + bpf_htons(17) + w[19];
#pragma unroll
	for (int j = 17; j < 30; j++)
		l4 += w[j];
	if ((src & 0xff) != round || (sport & 0xff) != round || (dport & 0xff) != round ||
	    (dst >> 8 & 0xffff) != flow || fold(sum) != 0xffff || fold(l4) != 0xffff)
		(*bad)++;
	return XDP_DROP;
}

SEC("xdp")
int bare(struct xdp_md *ctx) { return bpf_redirect_map(&devs, 0, 0); }

SEC("tc")
int tc_sink(struct __sk_buff *skb)
{
	__u64 *n = counter(GOT);
	if (skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_OK;
	if (n)
		(*n)++;
	if (skb->vlan_present && (n = counter(TAGS)))
		*n += skb->vlan_tci & 0xfff;
	return TC_ACT_SHOT;
}

char _license[] SEC("license") = "Apache-2.0";
