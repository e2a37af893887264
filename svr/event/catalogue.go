package event

import (
	"fmt"
	"strings"
)

// Row is an alarm of the catalogue. What stands in <> in a message differs from
// one to the next.
type Row struct {
	Name     string // first part of the key
	Category Category
	Severity Severity
	Message  string
	By       string // process that tells it
	Raise    string // when it is raised
	Clear    string // when it is cleared
	Ours     bool   // the vendor has no such alarm
}

// The limits of what the box watches of itself, in percent. FreePercent is how
// much of a file system must be left.
const (
	MemoryRaise, MemoryClear = 90, 85
	CPURaise, CPUClear       = 85, 75
	FreeRaise, FreeClear     = 10, 15
)

// Clock offsets towards a peer, in milliseconds: digests that count time fail
// when clocks are two seconds apart.
const ClockRaise, ClockClear = 2000, 1000

// Catalogue lists every alarm there is, by category. docs/alarms.md is made of it.
var Catalogue = []Row{
	{"asset-connectivity", System, Major, "No connectivity to <conductor>", "agent", "the connection to a conductor is lost", "it is back", false},
	{"cpu", System, Major, "Host cpu utilization exceeded", "router", "above 85 % for 30 s", "75 % and below", false},
	{"memory", System, Critical, "system memory exceeded", "router", "90 % of the memory in use", "85 % and below", false},
	{"disk", System, Major, "disk space low", "router", "10 % or less is left of the configuration's file system", "15 % and more", false},
	{"hostname", System, Major, "Hostname [<name>] is unresolved", "router", "the name of a time server is not found for 30 s", "it is found", false},
	{"no-time-server", System, Major, "No active NTP server", "router", "no time server agrees for an hour, two minutes after the start", "one does", false},
	{"unconfirmed", System, Minor, "Configuration is not confirmed: it goes back to version <version>", "router", "a commit waits for its confirmation", "it is confirmed or undone", true},
	{"clock-offset", System, Major, "Clock differs from that of peer <peer> by <seconds> s", "router", "by 2 s: digests that count time fail", "by less than 1 s", true},
	{"trial", System, Major, "Trial boot of version <version> failed: <reason>", "init", "a new image did not prove itself and the box went back", "another image proves itself", true},
	{"crash-loop", Process, Critical, "Process <process> ends again and again and is left alone (last: <reason>)", "init", "too many ends in a short time", "it runs steadily", true},
	{"stuck", Process, Critical, "No progress of <processes>: the watchdog is not fed", "init", "a part makes no progress", "it does", true},
	{"service-down", Process, Major, "Process has exited unexpectedly: <service> of interface [<interface>]", "router", "a service on a LAN ended by itself", "it serves again", false},
	{"interface-down", Interface, Critical, "interface operational down", "router", "no carrier, no device or no address", "it is up", false},
	{"interface-admin-down", Interface, Info, "interface administratively down", "router", "enabled is false", "it is true", false},
	{"data-quota", Interface, Minor, "80 % of the month's data quota of interface [<interface>] are used", "router", "80 % of data-quota in a month", "the next month, or a larger quota", true},
	{"data-quota-urgent", Interface, Major, "95 % of the month's data quota of interface [<interface>] are used", "router", "95 % of data-quota in a month", "the next month, or a larger quota", true},
	{"dhcp-unresolved", GIID, Major, "DHCP address for interface [<interface>] has not been resolved", "router", "no lease for 10 s", "a lease", false},
	{"subnet-overlap", GIID, Minor, "DHCP subnet <subnet> of interface [<interface>] overlaps a subnet of interface [<other>]", "router", "a lease whose subnet is another interface's too", "it is not", true},
	{"pppoe-down", GIID, Major, "PPPoE session for interface [<interface>] is down", "router", "no session for 10 s", "a session", true},
	{"pppoe-refused", GIID, Critical, "PPPoE user name or password of interface [<interface>] is refused", "router", "the access concentrator refuses them", "a session, or another failure", true},
	{"path-down", Peer, Major, "Peer <peer> path is down (PeerName: <peer> | Destination: <address> | NodeName: <node> | DeviceInterface: <device> | Vlan: <vlan>)", "router", "BFD finds a path down", "it is up", false},
	{"peer-unreachable", Peer, Critical, "Peer <peer> is not reachable", "router", "every path is down", "one is up", false},
	{"bfd-neighbor", Peer, Major, "BFD neighbor <address> is down (NetworkInterface: <interface>)", "router", "a standard BFD neighbour is not up for 10 s", "it is up", true},
	{"no-service-path", Service, Major, "Service <service> has no path", "router", "none of a service's routes can be taken for 10 s", "one can", true},
	{"session-table", Platform, Major, "flow table limit exceeded", "router", "90 % of the session table in use", "80 % and below", false},
	{"next-hops", Platform, Major, "arp table limit exceeded", "router", "90 % of the next-hops in use", "80 % and below", false},
	{"source-nat", Platform, Major, "source NAT table limit exceeded", "router", "90 % of the source NAT mappings in use", "80 % and below", true},
	{"fragments", Platform, Major, "fragment table limit exceeded", "router", "90 % of the fragment store in use", "80 % and below", true},
	{"wayports", Platform, Major, "waypoint pool utilization exceeded (PeerName: <peer> | NetworkInterface: <interface>)", "router", "90 % of the wayports of a pathway in use", "80 % and below", false},
}

// rowOf returns a row of the catalogue; a name that it lacks is a mistake of
// this package and panics.
func rowOf(name string) *Row {
	for i := range Catalogue {
		if Catalogue[i].Name == name {
			return &Catalogue[i]
		}
	}
	panic("no alarm " + name)
}

// with is an alarm of the row: key tells it from others of the row, fill stands
// in place of what differs in the message.
func (r *Row) with(source string, key []string, fill ...any) Alarm {
	var text strings.Builder
	rest := r.Message
	for _, f := range fill {
		before, after, _ := strings.Cut(rest, "<")
		_, rest, _ = strings.Cut(after, ">")
		fmt.Fprint(&text, before, f)
	}
	return Alarm{Category: r.Category, Severity: r.Severity, Source: source, Message: text.String() + rest,
		Key: strings.Join(append([]string{r.Name}, key...), "\x00")}
}
