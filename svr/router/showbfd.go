package router

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"waymark/svr/path"
	"waymark/svr/path/peer"
	"waymark/svr/policy"
	"waymark/svr/watch"
)

// showBFD prints the peer paths that BFD watches, then the standard neighbours.
func (r *Router) showBFD(a *answer) error {
	for _, s := range r.bfd.List() {
		if err := a.row(r.bfdRow(a, &s)...); err != nil {
			return err
		}
	}
	return nil
}

// bfdRow is the row of a path or of a standard neighbour.
func (r *Router) bfdRow(a *answer, s *watch.Status) []any {
	name, dest, status := any(nil), any(nil), any(s.Verdict.String())
	if s.Neighbor {
		status = nil
	} else {
		p := &r.tables.Paths[s.ID]
		name = r.tables.Peers[p.Peer].Name
		if d := destination(p); d != "unknown" {
			dest = d
		}
	}
	port := any(nil)
	if s.Remote.IsValid() {
		dest, port = s.Remote.Addr().String(), s.Remote.Port()
	}
	detection := any(nil)
	if s.Detection > 0 {
		detection = toMillis(s.Detection)
	}
	clock := any(nil)
	if s.ClockKnown {
		clock = s.ClockOffset
	}
	row := []any{name, r.tables.NodeName, r.tables.Interfaces[s.If].Name, dest, port, status, s.State.String(),
		s.RemoteState.String(), toMillis(s.Tx), detection, s.Multiplier, s.Ups, s.Downs}
	if a.detail {
		row = append(row, s.Diag, s.RemoteDiag, discText(s.Disc), discText(s.RemoteDisc), addrOrNull(s.Local), portOrNull(s.NAT),
			s.NATChanges, float64(s.HoldDown)/1e9, s.Endpoints, s.Counts.Switched, s.Counts.Refused, clock, s.Packets, s.Bytes,
			s.Demand, seconds(s.Lifetime), seconds(s.KeepAlive))
	}
	return row
}

func toMillis(ns int64) float64 { return float64(ns/1e4) / 100 }

// seconds writes a time, null for none.
func seconds(ns int64) any {
	if ns == 0 {
		return nil
	}
	return hundredths(float64(ns) / 1e9)
}

func discText(d uint32) any {
	if d == 0 {
		return nil
	}
	return fmt.Sprintf("%08x", d)
}

// portOrNull writes address and port, null when there is none.
func portOrNull(a netip.AddrPort) any {
	if !a.IsValid() {
		return nil
	}
	return a.String()
}

// quality is what link tests found out about a path: latency, jitter in ms, loss
// in percent, MOS. Without tests the latency is that of BFD itself.
func (r *Router) quality(id policy.PathID, measured any, up bool) (latency, jitter, loss, mos any) {
	rtt, j, l, ok := r.bfd.Quality(id)
	if !ok || !up {
		return measured, nil, nil, nil
	}
	score := path.MOS(time.Duration(rtt), time.Duration(j), l)
	return toMillis(rtt), toMillis(j), hundredths(l), hundredths(score)
}

func hundredths(f float64) float64 { return math.Round(f*100) / 100 }

// bfdStats tells what became of the datagrams on the BFD ports, and by how much
// the timer was late at worst.
func (r *Router) bfdStats(tell func(name string, value uint64) error) error {
	counts, late := r.bfd.Counts()
	for d, n := range counts {
		if err := tell("bfd/received-"+peer.Drop(d).String(), n); err != nil {
			return err
		}
	}
	return tell("bfd/timer-late-most-us", uint64(late.Microseconds()))
}
