// Chooses the TAP queue of a punted packet: packets of known sessions in the
// first half of the queues, all others in the second, so that a flood of
// unknown flows fills queues of its own. One flow stays on one queue.
#pragma once
#include "punt.h"

volatile const __u32 workers; // pairs of queues

SEC("socket")
int wm_steer1(struct __sk_buff *skb)
{
	__u8 mark[6];
	if (!workers || bpf_skb_load_bytes(skb, 0, mark, 6))
		return 0;
	__u8 why = mark[2] & ~MARK_STAMP;
	__u32 hash = mark[3] | mark[4] << 8 | mark[5] << 16;
	return hash % workers + (known(why) ? 0 : workers);
}
