package dhcp4

import "net/netip"

// EventKind says what happened.
type EventKind uint8

// Kinds of events.
const (
	Obtained  EventKind = iota // a lease where there was none
	Renewed                    // the same lease for longer
	Altered                    // the same address, something else changed
	Moved                      // another address
	Expired                    // nobody extended the lease
	Refused                    // a server said NAK
	Taken                      // another station has the address
	GivenBack                  // released on demand
	NoServer                   // nobody answers
)

var eventNames = [...]string{"obtained", "renewed", "altered", "moved", "expired", "refused", "taken", "given back",
	"no server answers"}

// String names the kind.
func (k EventKind) String() string { return eventNames[k] }

// Event is something that happened to an address.
type Event struct {
	Kind    EventKind
	Address netip.Addr // zero: none
	Server  netip.Addr // zero: none
}

func (m *Machine) tell(k EventKind, a, server netip.Addr) {
	m.out.Events = append(m.out.Events, Event{Kind: k, Address: a, Server: server})
}
