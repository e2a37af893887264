package lane

// PortCounters count one port's packets. The lane's goroutine writes them;
// read them through Lane.Do.
type PortCounters struct {
	RxPackets   uint64 // packets handed to the handler; a super-packet is one
	RxBytes     uint64 // their IP bytes
	RxIgnored   uint64 // frames that were not for us: other MAC, other protocol, unknown tag
	RxDropped   uint64 // lost by the kernel: ring full (PACKET_STATISTICS)
	RxTruncated uint64 // longer than a ring frame and not queued: receive buffer full
	RxMalformed uint64 // frames whose offload fields make no sense
	TxPackets   uint64 // messages the kernel took; a super-packet is one
	TxBytes     uint64 // their IP bytes
	TxErrors    uint64 // refused by the kernel: queue full, device down, too long
	TxNoDevice  uint64 // of TxErrors: the device is down or gone
	TxCoalesced uint64 // packets that were merged into another one
	TxSegmented uint64 // super-packets cut in software, offload off
	Offloads    Offload
}

// Counters count what belongs to no single port.
type Counters struct {
	NoBuffer    uint64 // Lane.Buffer answered nil
	NoInterface uint64 // Send to a network-interface that no port carries
	NoHop       uint64 // Send to a next-hop that does not exist or failed
	HopHeld     uint64 // packets kept until their next-hop answered
	HopDropped  uint64 // of those: dropped because it did not, or no room
	Rounds      uint64 // turns of the loop that found work
	Wakeups     uint64 // returns from epoll_wait
}
