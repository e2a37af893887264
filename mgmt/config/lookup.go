package config

import (
	"strings"
	"time"
)

// find returns the first element whose name is name, nil if there is none.
func find[T any](list []T, name string, nameOf func(*T) string) *T {
	for i := range list {
		if nameOf(&list[i]) == name {
			return &list[i]
		}
	}
	return nil
}

// FindTenant returns the tenant of that name, or nil.
func (a *Authority) FindTenant(name string) *Tenant {
	return find(a.Tenants, name, func(t *Tenant) string { return t.Name })
}

// FindSecurity returns the security policy of that name, or nil.
func (a *Authority) FindSecurity(name string) *Security {
	return find(a.Security, name, func(s *Security) string { return s.Name })
}

// FindServiceClass returns the service-class of that name, or nil.
func (a *Authority) FindServiceClass(name string) *ServiceClass {
	return find(a.ServiceClasses, name, func(c *ServiceClass) string { return c.Name })
}

// FindServicePolicy returns the service-policy of that name, or nil.
func (a *Authority) FindServicePolicy(name string) *ServicePolicy {
	return find(a.ServicePolicies, name, func(p *ServicePolicy) string { return p.Name })
}

// FindService returns the service of that name, or nil.
func (a *Authority) FindService(name string) *Service {
	return find(a.Services, name, func(s *Service) string { return s.Name })
}

// Parent returns the nearest service that this one is a child of: child.parent
// is a child of parent, and a.b.parent too where b.parent does not exist. Nil
// if there is none.
func (a *Authority) Parent(s *Service) *Service {
	for name := s.Name; ; {
		_, rest, dotted := strings.Cut(name, ".")
		if !dotted {
			return nil
		}
		if p := a.FindService(rest); p != nil {
			return p
		}
		name = rest
	}
}

// SecurityOf returns the payload policy of a service, its own or inherited, or
// nil.
func (a *Authority) SecurityOf(s *Service) *Security {
	for ; s != nil; s = a.Parent(s) {
		if s.Security != "" {
			return a.FindSecurity(s.Security)
		}
	}
	return nil
}

// FindRouter returns the router of that name, or nil.
func (a *Authority) FindRouter(name string) *Router {
	return find(a.Routers, name, func(r *Router) string { return r.Name })
}

// FindNode returns the node of that name, or nil. An empty name finds the only
// node of a router that has one.
func (r *Router) FindNode(name string) *Node {
	if name == "" && len(r.Nodes) == 1 {
		return &r.Nodes[0]
	}
	return find(r.Nodes, name, func(n *Node) string { return n.Name })
}

// FindInterface returns the network-interface of that name and its device, or
// nils.
func (n *Node) FindInterface(name string) (*DeviceInterface, *NetworkInterface) {
	for i := range n.Devices {
		d := &n.Devices[i]
		if ni := find(d.Interfaces, name, func(x *NetworkInterface) string { return x.Name }); ni != nil {
			return d, ni
		}
	}
	return nil, nil
}

// AppliesToRouter tells whether the router has the service.
func (s *Service) AppliesToRouter(r *Router) bool { return anyApplies(s.AppliesTo, r) }

func anyApplies(list []AppliesTo, r *Router) bool {
	if len(list) == 0 {
		return true
	}
	for _, a := range list {
		if a.matches(r) {
			return true
		}
	}
	return false
}

func (a *AppliesTo) matches(r *Router) bool {
	switch a.Type {
	case "authority":
		return true
	case "router":
		return contains(a.Routers, r.Name)
	}
	for _, g := range r.Groups {
		if contains(a.Groups, g) {
			return true
		}
	}
	return false
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

// shipped returns the session-types that exist without configuration; a
// configured one of the same name replaces it.
func shipped() []SessionType {
	st := func(name string, timeout int, ts ...Transport) SessionType {
		return SessionType{Name: name, Timeout: time.Duration(timeout) * time.Millisecond,
			InitialTimeout: 10 * time.Second, Transports: ts}
	}
	tr := func(p Protocol, ports ...uint16) Transport {
		t := Transport{Protocol: p}
		for _, n := range ports {
			t.Ports = append(t.Ports, PortRange{n, n})
		}
		return t
	}
	return []SessionType{
		st("DNS", 5000, tr(ProtoUDP, 53), tr(ProtoTCP, 53)),
		st("SSH", 1900000, tr(ProtoTCP, 22)),
		st("HTTP", 7200000, tr(ProtoTCP, 80, 8080)),
		st("TCP", 1900000, tr(ProtoTCP)),
		st("UDP", 180000, tr(ProtoUDP)),
		st("ICMP", 10000, tr(ProtoICMP)),
	}
}

// AllSessionTypes returns the configured session-types, then the shipped ones
// that no configured one replaces by name.
func (a *Authority) AllSessionTypes() []SessionType {
	all := append([]SessionType(nil), a.SessionTypes...)
	for _, s := range shipped() {
		if find(all, s.Name, func(t *SessionType) string { return t.Name }) == nil {
			all = append(all, s)
		}
	}
	return all
}

// SessionTypeFor returns the session-type of a protocol and server port: a
// named port beats a bare protocol, configured ones beat shipped ones, then
// the order of the file.
func (a *Authority) SessionTypeFor(p Protocol, port uint16) SessionType {
	var bare *SessionType
	all := a.AllSessionTypes()
	for i := range all {
		named, any := all[i].match(p, port)
		if named {
			return all[i]
		}
		if any && bare == nil {
			bare = &all[i]
		}
	}
	if bare != nil {
		return *bare
	}
	return SessionType{Timeout: 180 * time.Second, InitialTimeout: 10 * time.Second}
}

// match tells whether a transport names the port, or the protocol alone.
func (s *SessionType) match(p Protocol, port uint16) (named, bare bool) {
	for _, t := range s.Transports {
		if t.Protocol != p {
			continue
		}
		bare = bare || len(t.Ports) == 0
		for _, r := range t.Ports {
			named = named || r.Contains(port)
		}
	}
	return named, bare
}
