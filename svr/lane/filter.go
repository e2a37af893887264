package lane

import "golang.org/x/sys/unix"

// Offsets of ancillary data in classic BPF (linux/filter.h).
const (
	skfAdOff        = 0xfffff000 // SKF_AD_OFF
	skfProtocol     = skfAdOff + 0
	skfPktType      = skfAdOff + 4
	skfVLANPresent  = skfAdOff + 48
	filterAccept    = 0x40000
	packetHost      = 0 // PACKET_HOST
	packetBroadcast = 1
	packetMulticast = 2
)

// filterProgram keeps what the lane never handles out of the ring: on the
// untagged side everything but IPv4 and IPv6 to our own MAC; tagged frames pass
// (ARP and neighbour discovery are ours there) if the port has tags, except
// those to other stations.
func filterProgram(untagged, tagged bool) []unix.SockFilter {
	const (
		ld  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		jeq = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		jgt = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
		ret = unix.BPF_RET | unix.BPF_K
	)
	pass := func(yes bool) uint32 {
		if yes {
			return filterAccept
		}
		return 0
	}
	return []unix.SockFilter{
		0:  {Code: ld, K: skfVLANPresent},
		1:  {Code: jeq, K: 0, Jt: 3},               // untagged: to 5
		2:  {Code: ld, K: skfPktType},              // tagged
		3:  {Code: jgt, K: packetMulticast, Jt: 6}, // other station: to 10
		4:  {Code: ret, K: pass(tagged)},
		5:  {Code: ld, K: skfPktType},
		6:  {Code: jeq, K: packetHost, Jf: 3}, // not for us: to 10
		7:  {Code: ld, K: skfProtocol},
		8:  {Code: jeq, K: unix.ETH_P_IP, Jt: 2}, // to 11
		9:  {Code: jeq, K: unix.ETH_P_IPV6, Jt: 1},
		10: {Code: ret, K: 0},
		11: {Code: ret, K: pass(untagged)},
	}
}
