package router

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"waymark/svr/packet"
	"waymark/svr/policy"
	"waymark/svr/router/ctl"
)

const (
	pingWait  = 2 * time.Second // for an answer
	pingEvery = time.Second     // between two requests
	pingTTL   = 64
)

// errPinging: one at a time.
var errPinging = errors.New("another service-ping is under way")

// servicePing is a host that lives in the router: its requests enter the engine
// as if they came from a host of its tenant on one of the router's interfaces,
// whose own address it has, and answers to it do not leave.
type servicePing struct {
	ifc      uint16 // IfID
	src, dst netip.Addr
	id       uint16
	answers  chan pingAnswer
}

type pingAnswer struct {
	from netip.Addr
	seq  int // of an echo reply
	kind string
	code int
	at   time.Time
}

// takes keeps a packet that is for the ping. The lane's goroutine.
func (s *servicePing) takes(p *packet.Packet, ifc uint16) bool {
	b := p.IP()
	if ifc != s.ifc {
		return false
	}
	src, dst, l4, ok := icmpOf(b)
	if !ok || dst != s.src || len(l4) < 8 {
		return false
	}
	a := pingAnswer{from: src, at: time.Now()}
	v6 := src.Is6()
	switch {
	case (l4[0] == 0 && !v6 || l4[0] == 129 && v6) && binary.BigEndian.Uint16(l4[4:]) == s.id:
		a.kind, a.seq = "reply", int(binary.BigEndian.Uint16(l4[6:]))
	case l4[0] == 3 && !v6 || l4[0] == 1 && v6:
		a.kind, a.code = "unreachable", int(l4[1])
	case l4[0] == 11 && !v6 || l4[0] == 3 && v6:
		a.kind, a.code = "exceeded", int(l4[1])
	default:
		return false
	}
	select {
	case s.answers <- a:
	default: // nobody waits for so many
	}
	return true
}

// icmpOf reads an ICMP packet without options or extension headers.
func icmpOf(b []byte) (src, dst netip.Addr, l4 []byte, ok bool) {
	switch {
	case len(b) >= packet.IPv4Size && b[0]>>4 == 4 && b[9] == packet.ProtoICMP:
		head := int(b[0]&15) * 4
		if head < packet.IPv4Size || len(b) < head {
			return src, dst, nil, false
		}
		return netip.AddrFrom4([4]byte(b[12:])), netip.AddrFrom4([4]byte(b[16:])), b[head:], true
	case len(b) >= packet.IPv6Size && b[0]>>4 == 6 && b[6] == packet.ProtoICMPv6:
		return netip.AddrFrom16([16]byte(b[8:])), netip.AddrFrom16([16]byte(b[24:])), b[packet.IPv6Size:], true
	}
	return src, dst, nil, false
}

// servicePing answers a request for one, on a connection's goroutine.
func (r *Router) servicePing(q *ctl.Ping, a *answer) error {
	s, service, err := r.planPing(q)
	if err != nil {
		return err
	}
	busy := false
	err = r.lane.Do(func() {
		if busy = r.adapter.ping != nil; !busy {
			r.adapter.ping = s
		}
	})
	if err != nil || busy {
		return errors.Join(err, errPinging)
	}
	defer r.lane.Do(func() { r.adapter.ping = nil }) // fails only when the lane has ended
	for seq := 1; seq <= q.Count; seq++ {
		began := time.Now()
		pong := ctl.Pong{Seq: seq, Service: service, Source: s.src.String(), Kind: "silence"}
		if err := r.lane.Do(func() { r.request(s, seq, q.Size) }); err != nil {
			return err
		}
		if got, ok := s.wait(seq); ok {
			pong.From, pong.Kind, pong.Code = got.from.String(), got.kind, got.code
			pong.Millis = float64(got.at.Sub(began).Microseconds()) / 1000
		}
		if err := a.object(pong); err != nil {
			return err
		}
		if err := a.flush(); err != nil {
			return err
		}
		if rest := pingEvery - time.Since(began); seq < q.Count && rest > 0 {
			time.Sleep(rest)
		}
	}
	return nil
}

// planPing finds the interface whose own address is of the tenant, and the
// service.
func (r *Router) planPing(q *ctl.Ping) (s *servicePing, service string, err error) {
	dst, err := netip.ParseAddr(q.Destination)
	if err != nil || q.Count < 1 || q.Count > ctl.PingCount || q.Size < 0 || q.Size > ctl.PingSize {
		return nil, "", fmt.Errorf("service-ping: wrong request %+v", *q)
	}
	tenant, ok := r.tables.TenantByName([]byte(q.Tenant))
	if !ok {
		return nil, "", fmt.Errorf("service-ping: there is no tenant %q", q.Tenant)
	}
	s = &servicePing{dst: dst.Unmap(), id: uint16(rand.Uint32()), answers: make(chan pingAnswer, 16)}
	status, _ := r.snapshot()
	for i := range status {
		for _, addr := range status[i].Addrs {
			own := addr.Prefix.Addr()
			key, family := packet.FromAddr(own)
			if status[i].Up && own.Is4() == s.dst.Is4() && !s.src.IsValid() && r.tables.ClassifyTenant(policy.IfID(i), key, family) == tenant {
				s.src, s.ifc = own, uint16(i)
			}
		}
	}
	if !s.src.IsValid() {
		return nil, "", fmt.Errorf("service-ping: no interface that is up has an address of tenant %s", q.Tenant)
	}
	t := s.tuple()
	id, verdict := r.tables.Lookup(tenant, &t)
	switch {
	case verdict == policy.Deny:
		return nil, "", fmt.Errorf("service-ping: a service denies %s to tenant %s", s.dst, q.Tenant)
	case verdict != policy.Routed:
		return nil, "", fmt.Errorf("service-ping: no service leads tenant %s to %s", q.Tenant, s.dst)
	}
	service = r.tables.Services[id].Name
	if q.Service != "" && q.Service != service {
		return nil, "", fmt.Errorf("service-ping: %s belongs to service %s", s.dst, service)
	}
	return s, service, nil
}

// tuple is that of the requests.
func (s *servicePing) tuple() packet.Tuple {
	proto := uint8(packet.ProtoICMP)
	if s.dst.Is6() {
		proto = packet.ProtoICMPv6
	}
	return packet.MakeTuple(netip.AddrPortFrom(s.src, s.id), netip.AddrPortFrom(s.dst, s.id), proto)
}

// request lets one request into the engine. The lane's goroutine.
func (r *Router) request(s *servicePing, seq, size int) {
	p := r.adapter.Buffer(false)
	if p == nil {
		return // silence
	}
	body := packet.Build(p, s.tuple(), pingTTL, 0, size)
	if body == nil {
		return
	}
	clear(body)
	binary.BigEndian.PutUint16(p.Buf[p.L4+6:], uint16(seq))
	p.FinishFull()
	p.If = laneID(s.ifc)
	r.adapter.Receive(p, r.clock())
}

// wait waits for the answer to a request; of an ICMP error nobody knows to
// which, so it is the newest's.
func (s *servicePing) wait(seq int) (a pingAnswer, ok bool) {
	limit := time.NewTimer(pingWait)
	defer limit.Stop()
	for {
		select {
		case a = <-s.answers:
			if a.kind != "reply" || a.seq == seq {
				return a, true
			}
		case <-limit.C:
			return a, false
		}
	}
}
