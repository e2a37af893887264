package event

import (
	"fmt"
	"strings"
)

// The messages that NOCs match on, as the vendor words them.
const (
	MsgFlowTable       = "flow table limit exceeded"
	MsgWaypointPool    = "waypoint pool utilization exceeded"
	MsgInterfaceDown   = "interface operational down"
	MsgInterfaceAdmin  = "interface administratively down"
	MsgPeerUnreachable = "is not reachable" // behind "Peer <name> "
	MsgPathDown        = "path is down"     // behind "Peer <name> "
)

// SessionTable is the alarm of the session table, for Level.
func SessionTable() Alarm {
	return Alarm{Category: Platform, Severity: Major, Source: "session-table", Message: MsgFlowTable, Key: key("session-table")}
}

// WaypointPool is the alarm of one pathway's wayports, for Level: those towards
// a peer through an interface.
func WaypointPool(peer, networkInterface string) Alarm {
	return Alarm{
		Category: Platform, Severity: Major, Source: peer + " " + networkInterface,
		Message: fmt.Sprintf("%s (PeerName: %s | NetworkInterface: %s)", MsgWaypointPool, peer, networkInterface),
		Key:     key("wayports", peer, networkInterface),
	}
}

// InterfaceDown is the alarm of an interface that has no carrier or no address.
func InterfaceDown(name string) Alarm {
	return Alarm{Category: Interface, Severity: Critical, Source: name, Message: MsgInterfaceDown, Key: key("interface-down", name)}
}

// InterfaceAdminDown is the alarm of an interface that was switched off.
func InterfaceAdminDown(name string) Alarm {
	return Alarm{Category: Interface, Severity: Info, Source: name, Message: MsgInterfaceAdmin, Key: key("interface-admin-down", name)}
}

// DHCPUnresolved is the alarm of an interface that gets no address.
func DHCPUnresolved(name string) Alarm {
	return Alarm{
		Category: GIID, Severity: Major, Source: name,
		Message: fmt.Sprintf("DHCP address for interface [%s] has not been resolved", name), Key: key("dhcp-unresolved", name),
	}
}

// DHCPResolved tells that an interface got an address.
func DHCPResolved(name string) Event {
	return Event{
		Kind: KindSystem, Type: "system.dhcp_resolved", Category: GIID, Severity: Info, Source: name,
		Message: fmt.Sprintf("DHCP address for interface [%s] has successfully been resolved/renewed", name),
	}
}

// DHCPChanged tells that an interface has another address than before.
func DHCPChanged(name string) Event {
	return Event{
		Kind: KindSystem, Type: "system.dhcp_changed", Category: GIID, Severity: Minor, Source: name,
		Message: fmt.Sprintf("DHCP address for interface [%s] has changed", name),
	}
}

// PPPoEDown is the alarm of an interface whose PPPoE session is not up.
func PPPoEDown(name string) Alarm {
	return Alarm{
		Category: GIID, Severity: Major, Source: name,
		Message: fmt.Sprintf("PPPoE session for interface [%s] is down", name), Key: key("pppoe-down", name),
	}
}

// PPPoERefused is the alarm of an interface whose user name or password the
// access concentrator refuses.
func PPPoERefused(name string) Alarm {
	return Alarm{
		Category: GIID, Severity: Critical, Source: name,
		Message: fmt.Sprintf("PPPoE user name or password of interface [%s] is refused", name), Key: key("pppoe-refused", name),
	}
}

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
	source := fmt.Sprintf("%s+%s+%s+%s+%d", p.Peer, p.Destination, p.Node, p.DeviceInterface, p.Vlan)
	return Alarm{
		Category: Peer, Severity: Major,
		Source:      fmt.Sprintf("If - %s | Destination - %s | Vlan - %d", p.DeviceInterface, p.Destination, p.Vlan),
		EventSource: source,
		Message: fmt.Sprintf("Peer %s %s (PeerName: %s | Destination: %s | NodeName: %s | DeviceInterface: %s | Vlan: %d)",
			p.Peer, MsgPathDown, p.Peer, p.Destination, p.Node, p.DeviceInterface, p.Vlan),
		Key: key("path-down", p.Peer, p.Destination, p.Node, p.DeviceInterface, fmt.Sprint(p.Vlan)),
	}
}

// PeerUnreachable is the alarm of a peer none of whose paths is up.
func PeerUnreachable(peer string) Alarm {
	return Alarm{
		Category: Peer, Severity: Critical, Source: peer,
		Message: fmt.Sprintf("Peer %s %s", peer, MsgPeerUnreachable), Key: key("peer-unreachable", peer),
	}
}

// key joins the parts of a key; a zero byte is in no name.
func key(parts ...string) string { return strings.Join(parts, "\x00") }
