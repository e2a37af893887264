package policy

import (
	"slices"
	"time"

	"waymark/mgmt/config"
	"waymark/svr/packet"
)

// Timers of protocols that no session-type describes.
const (
	defaultIdle    = 180 * time.Second
	defaultInitial = 10 * time.Second
)

// timeoutTable holds the timers by protocol, cut at the ports where they
// change.
type timeoutTable struct{ tcp, udp, icmp []timers }

// timers hold from port first to the next element's first.
type timers struct {
	first         uint16
	idle, initial time.Duration
	keep          bool // nat-keep-alive
}

// Timeout returns the timers of a session of service s by protocol and server
// port: idle once it is established, initial until then. ICMP has no ports.
func (t *Tables) Timeout(_ ServiceID, proto uint8, port uint16) (idle, initial time.Duration) {
	if f := t.timersFor(proto, port); f != nil {
		return f.idle, f.initial
	}
	return defaultIdle, defaultInitial
}

// LongestIdle returns the longest idle timer that an established session may have.
func (t *Tables) LongestIdle() time.Duration {
	longest := time.Duration(defaultIdle)
	for _, list := range [][]timers{t.timeouts.tcp, t.timeouts.udp, t.timeouts.icmp} {
		for i := range list {
			longest = max(longest, list[i].idle)
		}
	}
	return longest
}

// KeepAlive says whether the session-type by protocol and server port wants its
// NAT bindings kept.
func (t *Tables) KeepAlive(proto uint8, port uint16) bool {
	f := t.timersFor(proto, port)
	return f != nil && f.keep
}

// timersFor finds what holds for a protocol and port, nil without anything.
func (t *Tables) timersFor(proto uint8, port uint16) *timers {
	var list []timers
	switch proto {
	case packet.ProtoTCP:
		list = t.timeouts.tcp
	case packet.ProtoUDP:
		list = t.timeouts.udp
	case packet.ProtoICMP, packet.ProtoICMPv6:
		list, port = t.timeouts.icmp, 0
	}
	for lo, hi := 0, len(list); lo < hi; {
		mid := (lo + hi) / 2
		if list[mid].first > port {
			hi = mid
		} else if lo = mid + 1; lo == len(list) || list[lo].first > port {
			return &list[mid]
		}
	}
	return nil
}

// buildTimeouts cuts the ports of every protocol where some session-type
// begins or ends; the configuration says which type holds in between.
func (t *Tables) buildTimeouts(a *config.Authority) {
	t.timeouts = timeoutTable{
		tcp:  timersOf(a, config.ProtoTCP),
		udp:  timersOf(a, config.ProtoUDP),
		icmp: timersOf(a, config.ProtoICMP)[:1],
	}
}

func timersOf(a *config.Authority, p config.Protocol) (out []timers) {
	for _, port := range portStarts(a.AllSessionTypes(), p) {
		s := a.SessionTypeFor(p, port)
		out = append(out, timers{port, s.Timeout, s.InitialTimeout, s.NATKeepAlive})
	}
	return out
}

// portStarts returns 0 and every port at which a session-type begins or ends.
func portStarts(types []config.SessionType, p config.Protocol) []uint16 {
	s := []uint16{0}
	for _, st := range types {
		for _, tr := range st.Transports {
			for _, r := range tr.Ports {
				if tr.Protocol != p {
					continue
				}
				s = append(s, r.Start)
				if r.End != 0xffff {
					s = append(s, r.End+1)
				}
			}
		}
	}
	slices.Sort(s)
	return slices.Compact(s)
}
