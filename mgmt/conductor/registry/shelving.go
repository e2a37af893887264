package registry

import (
	"waymark/mgmt/config"
	"waymark/svr/event"
)

// shelving is which alarms the running configuration hides, by router: those of
// routers in maintenance, and what the authority's shelves hold. It is as on the
// boxes, but for what conductors see of them, and at once.
type shelving struct {
	maintenance map[string]bool
	shelves     map[string][]event.Shelf // of each router; "" for alarms of none
}

func newShelving(a *config.Authority) shelving {
	s := shelving{maintenance: map[string]bool{}, shelves: map[string][]event.Shelf{}}
	for _, r := range append([]config.Router{{}}, a.Routers...) {
		s.maintenance[r.Name] = r.Maintenance
		for i := range a.Shelves {
			if x := &a.Shelves[i]; x.AppliesToRouter(&r) {
				s.shelves[r.Name] = append(s.shelves[r.Name], x.Event())
			}
		}
	}
	return s
}

// judge names what hides an alarm, "" for nothing. Of a router that the
// configuration does not have, the box's word counts.
func (s *shelving) judge(r *AlarmRow, told string) string {
	in, known := s.maintenance[r.Router]
	switch {
	case !known:
		return told
	case in:
		return event.ShelfMaintenance
	}
	rec := event.Record{Router: r.Router, Node: r.Node, Category: event.Category(r.Category), Severity: event.Severity(r.Severity), Message: r.Message}
	for i := range s.shelves[r.Router] {
		if x := &s.shelves[r.Router][i]; x.Holds(&rec) {
			return x.Name
		}
	}
	return ""
}

// Shelved parts alarms from those that are hidden.
func Shelved(all []AlarmRow) (seen, hidden []AlarmRow) {
	seen, hidden = []AlarmRow{}, []AlarmRow{}
	for _, r := range all {
		if r.Shelf == "" {
			seen = append(seen, r)
		} else {
			hidden = append(hidden, r)
		}
	}
	return seen, hidden
}
