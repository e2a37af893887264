// Package path knows the state of peer paths: usable or not, and why, how
// good, what MTU. It is pure: events and times go in, states come out.
package path

import (
	"net/netip"
	"time"
)

// Status is the state of one path at the moment it was asked for.
type Status struct {
	Up bool
	// Pending: not up, and it shows within seconds whether it will be. New
	// sessions may wait for that; established ones stay where they are.
	Pending bool
	Reason  string        // why it is not up, empty when it is; one of the Reason constants
	MTU     int           // bytes of IP packet that fit, 0 = unknown
	RTT     time.Duration // newest round trip, 0 = not measured
	MinRTT  time.Duration // smallest round trip, 0 = not measured
	Hops    int           // routers between the two ends, as BFD's packets met them
	// Shedding is when the peer last said that it loses data that arrives, or is late
	// with it, on the router's clock; 0: never.
	Shedding int64

	Local  netip.Addr // own waypoint in use, zero while unknown
	Remote netip.Addr // peer's waypoint in use, zero while unknown
}

// Reasons of a path that is not up.
const (
	ReasonNoCarrier = "no-carrier" // its interface is down or missing
	ReasonNoAddress = "no-address" // no own address yet, or the peer's is unknown
	ReasonAdmin     = "admin"      // switched off by configuration

	ReasonInitializing = "initializing" // BFD has just begun
	ReasonNoAnswer     = "no-answer"    // the peer never answered BFD
	ReasonRestarting   = "restarting"   // the peer restarts
	ReasonHoldDown     = "hold-down"    // BFD is up again, not yet for long enough
	ReasonBFD          = "bfd"          // BFD is down
	ReasonMTU          = "mtu"          // BFD is up, but packets of 1,280 bytes do not pass
	ReasonNoData       = "no-data"      // BFD is up, but health checks of sessions have no answers
	ReasonPeerNoData   = "peer-no-data" // the peer says so of one of those two
)

// Life is what BFD says of a path.
type Life uint8

// The words of BFD; Unwatched is a path without it.
const (
	Unwatched Life = iota
	Initializing
	NoAnswer
	Alive
	Restarting
	HeldDown
	Dead
	NoRoom     // dead by ReasonMTU
	NoData     // dead by ReasonNoData
	PeerNoData // dead by ReasonPeerNoData
)

// judge lets BFD have its say on a path that has carrier and addresses.
func (s *Status) judge(l Life) {
	switch l {
	case Unwatched, Alive:
		s.Up = true
	case Initializing:
		s.Pending, s.Reason = true, ReasonInitializing
	case Restarting:
		s.Pending, s.Reason = true, ReasonRestarting
	case NoAnswer:
		s.Reason = ReasonNoAnswer
	case HeldDown:
		s.Reason = ReasonHoldDown
	case NoRoom:
		s.Reason = ReasonMTU
	case NoData:
		s.Reason = ReasonNoData
	case PeerNoData:
		s.Reason = ReasonPeerNoData
	default:
		s.Reason = ReasonBFD
	}
}

// Monitor tells the state of paths by policy's PathID. An unknown id is down
// with reason admin. It may be asked from any goroutine, per new session.
type Monitor interface {
	Status(id uint16) Status
}
