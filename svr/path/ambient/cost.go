package ambient

import "math"

// Cost is what a channel costs by plan.
type Cost struct {
	Daily float64 // events of a day
	Bytes float64 // of IP per event
}

// Monthly returns the bytes of 30 days.
func (c Cost) Monthly() float64 { return c.Daily * c.Bytes * 30 }

// daily is how many events of a day happen every so many seconds.
func daily(seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return 86400 / seconds
}

// Sizes of our packets as bytes of IPv4 and UDP; IPv6 adds 20.
const (
	Steady  = 96 // BFD in the steady form (wire.md 9)
	Refresh = 29 // one zero byte
)

// jitter is by how much more often BFD sends than its interval says: each is
// shortened by 0 to 25 % (RFC 5880 6.8.7).
const jitter = 1 / 0.875

// Thrift is what an idle path costs in the profile of metered links.
type Thrift struct {
	Idle      float64 // seconds between two questions for their own sake
	KeepAlive float64 // seconds between two refreshes of the NAT
	TestEvery float64 // seconds between link tests
	TestLen   int     // packets of a link test
	V6        bool
}

// Costs returns what each channel costs.
func (t Thrift) Costs() map[string]Cost {
	more := 0.0
	if t.V6 {
		more = 20
	}
	// Whatever else leaves by the path refreshes the NAT as well.
	refreshes := 0.0
	if t.KeepAlive > 0 {
		refreshes = max(math.Ceil(t.Idle/t.KeepAlive)-1, 0) * daily(t.Idle)
	}
	return map[string]Cost{
		BFD:       {2 * daily(t.Idle), Steady + more},
		KeepAlive: {refreshes, Refresh + more},
		LinkTest:  {2 * float64(t.TestLen) * daily(t.TestEvery), Steady + more},
	}
}

// Regular is what a path costs with BFD in asynchronous mode.
type Regular struct {
	Send, Receive float64 // seconds between packets, before jitter
	TestEvery     float64
	TestLen       int
	Testers       int     // ends that test
	KeepAlive     float64 // seconds, 0: none
	Packet        float64 // bytes of IP
}

// Costs returns what each channel costs.
func (r Regular) Costs() map[string]Cost {
	return map[string]Cost{
		BFD:       {(daily(r.Send) + daily(r.Receive)) * jitter, r.Packet},
		LinkTest:  {2 * float64(r.TestLen*r.Testers) * daily(r.TestEvery), r.Packet},
		KeepAlive: {daily(r.KeepAlive), r.Packet},
	}
}

// vendorPacket is a packet of the vendor's BFD in bytes of IP: more than 90 of
// payload are documented less often than about 100 with headers are measured.
const vendorPacket = 100

// The vendor's settings: by default, and as its best practice for LTE has them
// (BFD every 60 s, link tests of the branch every 120 s, NAT keep-alives every
// 30 s).
var (
	VendorDefault = Regular{Send: 1, Receive: 1, TestEvery: 10, TestLen: 10, Testers: 2, Packet: vendorPacket}
	VendorLTE     = Regular{Send: 60, Receive: 60, TestEvery: 120, TestLen: 10, Testers: 1, KeepAlive: 30, Packet: vendorPacket}
)

// Total is what all channels cost, in bytes of 30 days.
func Total(costs map[string]Cost) (bytes float64) {
	for _, c := range costs {
		bytes += c.Monthly()
	}
	return bytes
}
