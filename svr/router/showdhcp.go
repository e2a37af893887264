package router

import (
	"encoding/hex"
	"net/netip"
	"time"

	"waymark/net/dhcp4"
	"waymark/svr/event"
	"waymark/svr/host"
	"waymark/svr/policy"
)

// unresolvedAfter is how long an interface may be without an address before
// that is an alarm.
const unresolvedAfter = 10 * time.Second

// tellLeases tells operators of new and changed addresses.
func (r *Router) tellLeases(v *host.View) {
	for _, n := range r.kernel.TakeLeased() {
		name := r.tables.Interfaces[n.If].Name
		if n.Obtained {
			r.journal.tell(event.DHCPResolved(name))
		}
		if old, ok := r.leased[n.If]; ok && old != n.Addr {
			r.journal.tell(event.DHCPChanged(name))
		}
		r.leased[n.If] = n.Addr
	}
	for id, lease := range v.Leases { // an earlier process told of those it left
		if _, ok := r.leased[id]; !ok {
			r.leased[id] = lease.Address.Addr()
		}
	}
}

// alarmLeases raises and clears the alarm of interfaces that get no address.
func (r *Router) alarmLeases() {
	for i := range r.tables.Interfaces {
		f := &r.tables.Interfaces[i]
		if f.PPPoE != nil {
			r.alarmSession(f, r.kernel.PPPoE(f.ID))
		}
		if !host.HasClient(f) {
			continue
		}
		if r.status[f.ID].Reason != host.ReasonNoAddress { // the reconciler alone writes it
			delete(r.waiting, f.ID)
		} else if _, ok := r.waiting[f.ID]; !ok {
			r.waiting[f.ID] = time.Now()
		}
		since, waits := r.waiting[f.ID]
		r.journal.set(event.DHCPUnresolved(f.Name), waits && time.Since(since) >= unresolvedAfter)
	}
}

// leaseTrack is what the reconciler remembers of addresses by DHCP.
type leaseTrack struct {
	leased  map[policy.IfID]netip.Addr // the last address told
	waiting map[policy.IfID]time.Time  // without address since
}

func newLeaseTrack() leaseTrack {
	return leaseTrack{leased: map[policy.IfID]netip.Addr{}, waiting: map[policy.IfID]time.Time{}}
}

// Values of Dhcp State.
const (
	dhcpResolved   = "resolved"
	dhcpUnresolved = "unresolved"
	dhcpExternal   = "external" // the address was put there by somebody else
)

func (r *Router) showDHCP(a *answer) error {
	status, _ := r.snapshot()
	for i := range r.tables.Interfaces {
		f := &r.tables.Interfaces[i]
		if !f.DHCP || f.PPPoE != nil {
			continue
		}
		if err := a.row(r.dhcpRow(f, r.kernel.DHCP(f.ID), status[i].Addrs, a.detail)...); err != nil {
			return err
		}
	}
	return nil
}

// dhcpRow is the row of one interface. addrs are the addresses it has.
func (r *Router) dhcpRow(f *policy.Interface, s dhcp4.Status, addrs []policy.Address, detail bool) []any {
	state, address, bits, gateway := dhcpUnresolved, any(nil), any(nil), any(nil)
	if len(addrs) > 0 {
		state = dhcpExternal
		address, bits, gateway = addrs[0].Prefix.Addr().String(), addrs[0].Prefix.Bits(), addrOrNull(addrs[0].Gateway)
	}
	if s.Lease != nil {
		state = dhcpResolved
		address, bits, gateway = s.Lease.Address.Addr().String(), s.Lease.Address.Bits(), addrOrNull(s.Lease.Gateway)
	}
	row := []any{r.tables.RouterName, r.tables.NodeName, f.Device, f.Name, state, address, bits, gateway}
	if detail {
		row = append(row, s.State.String())
		row = append(row, leaseDetail(&s)...)
	}
	return row
}

func leaseDetail(s *dhcp4.Status) []any {
	if s.Lease == nil {
		return []any{nil, nil, nil, nil, nil, nil, []string{}, []string{}, nil}
	}
	mtu := any(nil)
	if s.Lease.MTU > 0 {
		mtu = s.Lease.MTU
	}
	dns := []string{}
	for _, a := range s.Lease.DNS {
		dns = append(dns, a.String())
	}
	return []any{timeOrNull(s.Start), timeOrNull(s.At(s.Lease.T1)), timeOrNull(s.At(s.Lease.T2)),
		timeOrNull(s.At(s.Lease.Seconds)), mtu, addrOrNull(s.Lease.Server), dns, orEmpty(s.Lease.Conductor.Hosts), orNull(hex.EncodeToString(s.Lease.Conductor.HostKey))}
}

// timeOrNull writes an instant, null when there is none.
func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Truncate(time.Second)
}
