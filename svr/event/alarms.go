package event

import (
	"fmt"
	"strings"
)

// one is an alarm whose source is all that tells it from others of its row.
func one(row, source string, fill ...any) Alarm {
	return rowOf(row).with(source, []string{source}, fill...)
}

// only is an alarm that there is at most one of.
func only(row, source string, fill ...any) Alarm { return rowOf(row).with(source, nil, fill...) }

// SessionTable is the alarm of the session table, for Level.
func SessionTable() Alarm { return only("session-table", "session-table") }

// Pool is the alarm of a pool that is no session table and no wayports, for
// Level: "next-hops", "source-nat", "fragments".
func Pool(name string) Alarm { return only(name, name) }

// WaypointPool is the alarm of one pathway's wayports, for Level: those towards
// a peer through an interface.
func WaypointPool(peer, networkInterface string) Alarm {
	return rowOf("wayports").with(peer+" "+networkInterface, []string{peer, networkInterface}, peer, networkInterface)
}

// InterfaceDown is the alarm of an interface that has no carrier or no address.
func InterfaceDown(name string) Alarm { return one("interface-down", name) }

// InterfaceAdminDown is the alarm of an interface that was switched off.
func InterfaceAdminDown(name string) Alarm { return one("interface-admin-down", name) }

// DHCPUnresolved is the alarm of an interface that gets no address.
func DHCPUnresolved(name string) Alarm { return one("dhcp-unresolved", name, name) }

// SubnetOverlap is the alarm of an interface whose leased subnet overlaps one of
// another interface.
func SubnetOverlap(name, subnet, other string) Alarm {
	return one("subnet-overlap", name, subnet, name, other)
}

// PPPoEDown is the alarm of an interface whose PPPoE session is not up.
func PPPoEDown(name string) Alarm { return one("pppoe-down", name, name) }

// PPPoERefused is the alarm of an interface whose user name or password the
// access concentrator refuses.
func PPPoERefused(name string) Alarm { return one("pppoe-refused", name, name) }

// ServiceDown is the alarm of a service that the box should offer on an
// interface and does not.
func ServiceDown(service, name string) Alarm {
	return rowOf("service-down").with(name, []string{service, name}, service, name)
}

// NoTimeServer is the alarm of a box that no time server tells the time.
func NoTimeServer() Alarm { return only("no-time-server", "ntp") }

// Unresolved is the alarm of a host name that is not found.
func Unresolved(host string) Alarm { return one("hostname", host, host) }

// MemoryExceeded is the alarm of a box whose memory is in use.
func MemoryExceeded() Alarm { return only("memory", "memory") }

// CPUExceeded is the alarm of a box whose processors are busy.
func CPUExceeded() Alarm { return only("cpu", "cpu") }

// DiskLow is the alarm of a file system that is nearly full.
func DiskLow(where string) Alarm { return one("disk", where) }

// Unconfirmed is the alarm of a commit that comes back by itself.
func Unconfirmed(version int) Alarm { return only("unconfirmed", "configuration", version) }

// ClockOffset is the alarm of a peer whose clock is another by so many
// milliseconds, for Above.
func ClockOffset(peer string, ms int64) Alarm {
	return one("clock-offset", peer, peer, fmt.Sprintf("%.1f", float64(ms)/1000))
}

// BFDNeighborDown is the alarm of a standard BFD neighbour.
func BFDNeighborDown(address, networkInterface string) Alarm {
	return rowOf("bfd-neighbor").with(address, []string{address, networkInterface}, address, networkInterface)
}

// NoServicePath is the alarm of a service none of whose routes can be taken.
func NoServicePath(service string) Alarm { return one("no-service-path", service, service) }

// NoConnectivity is the agent's alarm of a conductor that it has no connection to.
func NoConnectivity(conductor string) Alarm { return one("asset-connectivity", conductor, conductor) }

// TrialFailed is init's alarm of an image that did not prove itself.
func TrialFailed(version, reason string) Alarm { return only("trial", "image", version, reason) }

// CrashLoop is init's alarm of a process that ends again and again.
func CrashLoop(process, last string) Alarm { return one("crash-loop", process, process, last) }

// Stuck is init's alarm of those who make no progress.
func Stuck(late []string) Alarm { return only("stuck", "watchdog", strings.Join(late, ", ")) }

// PeerPath names one path to a peer.
type PeerPath struct {
	Peer            string
	Destination     string // address of the remote waypoint, or what stands for it
	Node            string // own node
	DeviceInterface string
	Vlan            uint16
}

// PeerPathDown is the alarm of one path.
func PeerPathDown(p PeerPath) Alarm {
	vlan := fmt.Sprint(p.Vlan)
	a := rowOf("path-down").with(fmt.Sprintf("If - %s | Destination - %s | Vlan - %s", p.DeviceInterface, p.Destination, vlan),
		[]string{p.Peer, p.Destination, p.Node, p.DeviceInterface, vlan},
		p.Peer, p.Peer, p.Destination, p.Node, p.DeviceInterface, vlan)
	a.EventSource = strings.Join([]string{p.Peer, p.Destination, p.Node, p.DeviceInterface, vlan}, "+")
	return a
}

// PeerUnreachable is the alarm of a peer none of whose paths is up.
func PeerUnreachable(peer string) Alarm { return one("peer-unreachable", peer, peer) }
