package event

import (
	"fmt"
	"strings"
)

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

// TypeAddressChanged is the type of AddressChanged.
const TypeAddressChanged = "system.address_changed"

// AddressChanged tells that an interface has other addresses than before: what
// peers and monitors of paths have to follow.
func AddressChanged(name string, before, after []string) Event {
	return Event{
		Kind: KindSystem, Type: TypeAddressChanged, Category: NetworkInterface, Severity: Info, Source: name,
		Message: fmt.Sprintf("address of interface [%s] changed from [%s] to [%s]", name,
			strings.Join(before, ", "), strings.Join(after, ", ")),
		Addresses: after,
	}
}

// TypeConfigChange is the type of ConfigurationChanged.
const TypeConfigChange = "admin.running_config_change"

// ConfigurationChanged tells that another configuration runs, and what that
// cost. undone: the one before runs again because nobody confirmed its successor.
func ConfigurationChanged(class string, undone bool) Event {
	e := Event{Kind: KindAdmin, Type: TypeConfigChange, Category: System, Severity: Info, Source: "router",
		Message: "Running configuration changed: " + class}
	if undone {
		e.Severity, e.Message = Minor, "Commit was not confirmed, running configuration went back: "+class
	}
	return e
}

// OlderSessions tells that sessions of another version go on in the kernel, in a
// layout that this version cannot take over, how many directions they have (0: that
// cannot be read either), and how much time.
func OlderSessions(directions int, limit string) Event {
	e := Event{Kind: KindSystem, Type: "system.older_sessions", Category: Process, Severity: Info, Source: "router",
		Message: fmt.Sprintf("sessions of another version go on in the kernel, for %s at most", limit)}
	if directions > 0 {
		e.Message = fmt.Sprintf("sessions of another version (%d directions) go on in the kernel, for %s at most", directions, limit)
	}
	return e
}

// OlderSessionsEnded tells that they do not any more, why, and what they came to.
func OlderSessionsEnded(why string, packets uint64, after string) Event {
	return Event{Kind: KindSystem, Type: "system.older_sessions_ended", Category: Process, Severity: Info, Source: "router",
		Message: fmt.Sprintf("sessions of another version ended in the kernel after %s and %d packets: %s", after, packets, why)}
}

// ClockStepped tells that the machine's clock was set by an offset at once.
func ClockStepped(offset string) Event {
	return Event{Kind: KindSystem, Type: "system.ntp_adjustment", Category: System, Severity: Info, Source: "ntp",
		Message: "clock set by " + offset}
}
