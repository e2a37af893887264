package router

import (
	"fmt"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/session"
)

// sessionPage is how many records one look at the engine covers: the lane
// forwards packets between two looks.
const sessionPage = 128

// showSessions lists both directions of every session. Sessions that come or go
// while it runs are in the list or not.
func (r *Router) showSessions(a *answer) error {
	rows := make([]session.Row, 0, 2*sessionPage)
	for from := 0; from >= 0; {
		rows = rows[:0]
		err := r.lane.Do(func() {
			from = r.parts.Engine.SessionPage(from, sessionPage, func(row *session.Row) { rows = append(rows, *row) })
		})
		if err != nil {
			return err
		}
		for i := range rows {
			if err := a.row(r.sessionRow(&rows[i], &rows[i^1])...); err != nil {
				return err
			}
		}
	}
	return nil
}

// sessionRow writes one direction; other is the opposite one.
func (r *Router) sessionRow(s, other *session.Row) []any {
	t, in := r.tables, &r.tables.Interfaces[s.Key.If]
	dir := "fwd"
	if s.Reverse {
		dir = "rev"
	}
	natIP, natPort := "0.0.0.0", uint16(0)
	if s.To.Src != s.Key.Src || s.To.SrcPort != s.Key.SrcPort {
		natIP, natPort = s.To.SrcAddr().String(), s.To.SrcPort
	}
	path := s.Path
	if path == policy.NoPath {
		path = other.Path
	}
	peer, pathName := any(nil), any(nil)
	if path != policy.NoPath {
		peer, pathName = t.Peers[t.Paths[path].Peer].Name, r.pathName(path)
	}
	cipher, hmac := r.protection(s)
	return []any{uuidText(s.UUID), dir, t.Services[s.Service].Name, t.Tenants[s.Tenant].Name, in.Device, in.Name, in.Tag(),
		protoText(s.Key.Proto), s.Key.SrcAddr().String(), s.Key.SrcPort, s.Key.DstAddr().String(), s.Key.DstPort,
		natIP, natPort, s.Encrypted, max(s.Timeout, 0) / 1e9, s.Uptime / 1e9,
		s.Packets, s.Bytes, cipher, hmac, peer, pathName,
		s.To.SrcAddr().String(), s.To.SrcPort, s.To.DstAddr().String(), s.To.DstPort,
		s.Answered, s.Signal, s.Recovered}
}

// pathName names a path with the waypoints it has now.
func (r *Router) pathName(id policy.PathID) string {
	p, s := &r.tables.Paths[id], r.parts.Carrier.Status(uint16(id))
	return policy.PathName(r.tables.Interfaces[p.If].Name, s.Local, s.Remote)
}

// protection returns cipher and HMAC mode of a session's payload, null without.
func (r *Router) protection(s *session.Row) (cipher, hmac any) {
	id := r.tables.Services[s.Service].Security
	if id == policy.NoSecurity {
		return nil, nil
	}
	p := &r.tables.Security[id]
	if s.Encrypted {
		cipher = string(p.Cipher)
	}
	return cipher, string(p.HMACMode)
}

func protoText(p uint8) string {
	switch p {
	case packet.ProtoTCP:
		return "tcp"
	case packet.ProtoUDP:
		return "udp"
	case packet.ProtoICMP:
		return "icmp"
	case packet.ProtoICMPv6:
		return "icmpv6"
	}
	return fmt.Sprint(p)
}

func uuidText(u [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:])
}
