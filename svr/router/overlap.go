package router

import (
	"waymark/svr/event"
	"waymark/svr/host"
)

// alarmOverlaps raises and clears the alarms of leases whose subnet another
// interface has too: packets to it leave by one of them only.
func (r *Router) alarmOverlaps(v *host.View) {
	for id, lease := range v.Leases {
		other := v.Overlapping(r.tables, id)
		r.journal.set(event.SubnetOverlap(r.tables.Interfaces[id].Name, lease.Address.Masked().String(), other), other != "")
	}
	for i := range r.tables.Interfaces {
		if f := &r.tables.Interfaces[i]; f.DHCP && v.Leases[f.ID] == nil {
			r.journal.set(event.SubnetOverlap(f.Name, "", ""), false)
		}
	}
}
