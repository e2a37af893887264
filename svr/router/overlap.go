package router

import (
	"waymark/svr/event"
	"waymark/svr/policy"
)

// alarmOverlaps raises and clears the alarms of leases whose subnet another
// interface has too: packets to it leave by one of them only.
func (r *Router) alarmOverlaps(v *view) {
	for id, lease := range v.leases {
		other := overlapping(r.tables, v, id)
		r.journal.set(event.SubnetOverlap(r.tables.Interfaces[id].Name, lease.Address.Masked().String(), other), other != "")
	}
	for i := range r.tables.Interfaces {
		if f := &r.tables.Interfaces[i]; f.DHCP && v.leases[f.ID] == nil {
			r.journal.set(event.SubnetOverlap(f.Name, "", ""), false)
		}
	}
}

// overlapping names the first other interface with a subnet that overlaps the
// one leased on interface id; empty: there is none. It is pure.
func overlapping(t *policy.Tables, v *view, id policy.IfID) string {
	leased := v.leases[id].Address
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		if f.ID == id || !f.Enabled {
			continue
		}
		for _, a := range v.state(f).addrs {
			if a.Prefix.Overlaps(leased) {
				return f.Name
			}
		}
	}
	return ""
}
