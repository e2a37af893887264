package fast

import (
	"unsafe"

	"waymark/svr/pool"
)

// Version counts changes of what programs and process share beyond the session
// table: maps, their values, the mark of punted packets. It is part of the
// programs' names.
const Version = 1

const (
	progTC    = "wm_tc1"
	progXDP   = "wm_xdp1"
	progSteer = "wm_steer1"
	progCut   = "wm_cut1" // in the object
	stem      = "wm_"     // in the names of programs and maps of every version

	mapTable  = ".data.wm_table"
	mapHops   = ".data.wm_hops"
	mapNetifs = ".data.wm_netifs"
	mapOwn    = "wm_own"
	mapVLANs  = "wm_vlans"
	mapDevs   = "wm_devs"
	mapCounts = "wm_counts"

	offHash  = 64 // of the hash keys in the table's header page (svr/pool)
	hashKeys = 11
)

// Action.Flags of a direction (pool.Action): the lane forwards only with Fast; with
// Peer packets come from a peer; the low 14 bits are the path MTU in bytes of IP packet as it leaves.
const (
	Fast    = 1 << 15
	Peer    = 1 << 14
	MTUMask = 1<<14 - 1
)

// Reason says why a packet was not forwarded.
type Reason uint8

// Reasons, as bpf/layout.h numbers them.
const (
	PuntMiss     Reason = 1  // no session
	PuntSlow     Reason = 2  // the session is not for the fast lane (yet)
	PuntBusy     Reason = 3  // the slot was being written
	PuntControl  Reason = 4  // the payload begins with the cookie
	PuntTCP      Reason = 5  // SYN or RST
	PuntTTL      Reason = 6  // hop limit at its end
	PuntMTU      Reason = 7  // longer than the path takes
	PuntHop      Reason = 8  // next-hop not resolved
	PuntOdd      Reason = 9  // options, extension headers, lengths that do not fit
	PuntFragment Reason = 10 // piece of an IP packet
	PuntProto    Reason = 11 // neither TCP nor UDP
	PuntOwn      Reason = 12 // lane port of an own address, no session
	PuntGSO      Reason = 13 // super-packet that the kernel cannot translate
	PuntStation  Reason = 14 // not IP or not for one station, on a tag that Go answers
	PuntCsum     Reason = 15 // UDP without checksum would become IPv6
	DropReader   Reason = 32 // no TAP to punt to
	DropRoom     Reason = 33 // the kernel had no memory to change the packet
	// DropDevice: a device that takes XDP frames did not take one, or whatever
	// else it dropped meanwhile. Not the programs' to count: see egress.
	DropDevice Reason = 34
	HostOwn    Reason = 48 // passed: to an own address
	HostGroup  Reason = 49 // passed: broadcast or multicast
	HostOther  Reason = 50 // passed: to another station
	HostProto  Reason = 51 // passed: not IP, or an unknown tag
	reasons           = 64
)

var reasonNames = map[Reason]string{
	PuntMiss: "miss", PuntSlow: "slow", PuntBusy: "busy", PuntControl: "control", PuntTCP: "tcp-flags",
	PuntTTL: "ttl", PuntMTU: "mtu", PuntHop: "next-hop", PuntOdd: "odd", PuntFragment: "fragment",
	PuntProto: "protocol", PuntOwn: "own", PuntGSO: "super-packet", PuntStation: "station",
	PuntCsum: "no-checksum", DropReader: "no-reader", DropRoom: "no-memory", DropDevice: "device", HostOwn: "own-address",
	HostGroup: "group", HostOther: "other-station", HostProto: "other-protocol",
}

// String returns the name of a reason, as `show` and counters print it.
func (r Reason) String() string { return reasonNames[r] }

// Punted, Dropped and Host tell which of the three a reason belongs to.

// Punted tells that packets with this reason go to Go.
func (r Reason) Punted() bool { return r > 0 && r < DropReader }

// Dropped tells that packets with this reason are lost.
func (r Reason) Dropped() bool { return r >= DropReader && r < HostOwn }

// Host tells that packets with this reason go to the kernel's own stack.
func (r Reason) Host() bool { return r >= HostOwn && r < reasons }

// Values of the maps, as bpf/layout.h has them.
type (
	netifValue struct {
		index uint32
		vlan  uint16
		flags uint16
		mac   [6]byte
		mtu   uint16
	}
	// Fields are exported for the marshaller of the maps.
	ownKey struct {
		Addr   [16]byte
		Family uint32
	}
	ownValue struct {
		Flags, Ranges uint16
		Ports         [MaxRanges]PortRange
	}
	vlanKey   struct{ Index, VLAN uint32 }
	vlanValue struct{ Netif, Flags uint16 }
	counts    [countReasons + reasons]uint64
)

const (
	netifXDP    = 1
	netifL3     = 2
	ownWaypoint = 1
	ownBreakout = 2
	vlanStation = 1

	// places in counts
	countTC         = 0 // packets that TC decided about
	countForwardTC  = 1
	countForwardXDP = 2
	countDropXDP    = 3
	countCopied     = 4
	countOlder      = 5
	countCut        = 6
	countCutLost    = 7
	countReasons    = 8
)

// Sizes of the values, the same on every architecture.
const (
	hopSize               = 8
	netifSize             = 16
	ownKeySize, ownSize   = 20, 20
	vlanKeySize, vlanSize = 8, 4
	countsSize            = (countReasons + reasons) * 8

	_ = -uint(Fast ^ pool.FlagFast)
	_ = -uint(Peer ^ pool.FlagPeer)
	_ = -uint(MTUMask ^ pool.FlagMTU)
	_ = -uint(unsafe.Sizeof(netifValue{}) ^ netifSize)
	_ = -uint(unsafe.Sizeof(ownKey{}) ^ ownKeySize)
	_ = -uint(unsafe.Sizeof(ownValue{}) ^ ownSize)
	_ = -uint(unsafe.Sizeof(vlanKey{}) ^ vlanKeySize)
	_ = -uint(unsafe.Sizeof(vlanValue{}) ^ vlanSize)
	_ = -uint(unsafe.Sizeof(counts{}) ^ countsSize)
)
