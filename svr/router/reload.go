package router

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"waymark/mgmt/config"
	"waymark/svr/event"
	"waymark/svr/policy"
	"waymark/svr/router/ctl"
)

// ErrRestart is how Run ends when a new configuration needs a router that
// begins anew: everything stands as after a stop with Keep, and the next router
// takes over what the lane in the kernel forwards.
var ErrRestart = errors.New("new configuration wants a new start")

// reload asks the reconciler to take the configuration that Settings.Source
// gives now.
type reload struct {
	done chan ctl.Reloaded // of one
	told chan struct{}     // closed when whoever asked knows
}

// toldWithin bounds the wait for that before a restart.
const toldWithin = time.Second

// askReload has the configuration taken and answers a client.
func (r *Router) askReload(a *answer) (told func(), err error) {
	if r.set.Source == nil {
		return func() {}, errors.New("this router cannot read its configuration again")
	}
	q := &reload{done: make(chan ctl.Reloaded, 1), told: make(chan struct{})}
	told = func() { close(q.told) }
	limit := time.NewTimer(ctl.AskLimit / 2)
	defer limit.Stop()
	select {
	case r.reloads <- q:
	case <-limit.C:
		return told, errors.New("the router is busy; nothing was taken")
	}
	select {
	case done := <-q.done:
		return told, a.object(done)
	case <-limit.C:
		return told, errors.New("the router does not say how it went")
	}
}

// takeConfig does it, on the reconciler. It tells whether the router must begin
// anew.
func (r *Router) takeConfig(q *reload) (again bool) {
	done, again := r.takeNew(q == nil)
	if q != nil {
		q.done <- done
	}
	if !again {
		return false
	}
	if q != nil {
		select {
		case <-q.told:
		case <-time.After(toldWithin):
		}
	}
	r.again = true
	return true
}

// takeNew reads the configuration and takes what can be taken. undone: it is one
// that ran before, because nobody confirmed its successor.
func (r *Router) takeNew(undone bool) (done ctl.Reloaded, again bool) {
	next, finds, err := r.set.Source()
	if err == nil && finds.Failed() {
		err = fmt.Errorf("configuration has errors:\n%s", finds)
	}
	if err != nil {
		r.log.Error("new configuration refused", "error", err)
		return ctl.Reloaded{Error: err.Error()}, false
	}
	class, why := r.takeTables(next)
	r.log.Info("new configuration", "class", class.String(), "reason", why)
	r.journal.tell(event.ConfigurationChanged(class.String(), undone))
	return ctl.Reloaded{Class: class.String(), Why: why}, class == config.Restart
}

// takeTables compares what runs with what shall run, and changes addresses under way.
func (r *Router) takeTables(next *policy.Tables) (class config.Class, why string) {
	moved, why := difference(r.newest(), next)
	switch {
	case why != "":
		return config.Restart, why
	case len(moved) == 0:
		r.takeSoft(next)
		return config.Free, ""
	}
	r.endOlder("the configuration changed")
	r.takeSoft(next)
	for _, id := range moved {
		r.kernel.Readdress(id, next.Interfaces[id].Addresses)
	}
	if r.fast != nil {
		r.fast.records.rename(fingerprint(r.newest()))
	}
	r.refresh()
	return config.Readdress, ""
}

// takeSoft takes what nothing that forwards depends on: resolvers, time servers,
// which alarms are shelved.
func (r *Router) takeSoft(next *policy.Tables) {
	t := *r.tables
	t.Resolvers, t.TimeServers, t.Maintenance, t.Shelves = next.Resolvers, next.TimeServers, next.Maintenance, next.Shelves
	r.soft = &t
	r.journal.shelve(t.Maintenance, shelves(t.Shelves))
	r.tellNames(r.seen)
	r.clockClient.Use(r.timeServers(&r.names.file))
}

// newest returns the tables as they are now: with addresses and what takeSoft
// took.
func (r *Router) newest() *policy.Tables {
	t := *r.soft
	t.Interfaces = slices.Clone(t.Interfaces)
	for id, addrs := range r.kernel.Readdressed() {
		t.Interfaces[id].Addresses = addrs
	}
	return &t
}

// difference compares two configurations of one router: the interfaces that
// only have other addresses, or why one cannot become the other under way.
func difference(old, new *policy.Tables) (moved []policy.IfID, why string) {
	if len(old.Interfaces) != len(new.Interfaces) {
		return nil, "other network-interfaces"
	}
	for i := range new.Interfaces {
		if slices.Equal(old.Interfaces[i].Addresses, new.Interfaces[i].Addresses) {
			continue
		}
		if why := bound(new, policy.IfID(i)); why != "" {
			return nil, "other addresses of " + new.Interfaces[i].Name + ", " + why
		}
		moved = append(moved, policy.IfID(i))
	}
	if part := otherPart(essence(old), essence(new)); part != "" {
		return nil, "other " + part
	}
	return moved, ""
}

// bound says why an interface's addresses cannot change under way.
func bound(t *policy.Tables, id policy.IfID) string {
	f := &t.Interfaces[id]
	for i := range t.Paths {
		if t.Paths[i].If == id {
			return "where peer paths begin"
		}
	}
	switch {
	case f.DHCP:
		return "which the network gives"
	case f.VLAN != 0:
		return "which is tagged"
	case len(f.Addresses) == 0:
		return "which would have none"
	}
	return ""
}

// essence is a copy of tables without what nothing that runs depends on, and
// without addresses of interfaces.
func essence(t *policy.Tables) policy.Tables {
	c := *t
	c.Resolvers, c.TimeServers, c.Maintenance, c.Shelves = nil, nil, false, nil
	c.Interfaces = slices.Clone(t.Interfaces)
	for i := range c.Interfaces {
		f := &c.Interfaces[i]
		f.Addresses = nil
		if f.Config != nil {
			n := *f.Config
			n.Description, n.Addresses = "", nil
			f.Config = &n
		}
	}
	c.Security = slices.Clone(t.Security)
	for i := range c.Security {
		c.Security[i].Description = ""
	}
	return c
}

// otherPart names the first part in which two tables differ.
func otherPart(a, b policy.Tables) string {
	for _, part := range []struct {
		name string
		a, b any
	}{
		{"network-interfaces", a.Interfaces, b.Interfaces}, {"tenants", a.Tenants, b.Tenants},
		{"security policies", a.Security, b.Security}, {"peer paths", a.Paths, b.Paths},
		{"services or service-routes", a.Services, b.Services}, {"session-types", a.SessionTypes, b.SessionTypes},
		{"rules", a, b},
	} {
		if !reflect.DeepEqual(part.a, part.b) {
			return part.name
		}
	}
	return ""
}
