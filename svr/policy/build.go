package policy

import (
	"errors"
	"fmt"
	"strings"

	"waymark/mgmt/config"
)

// Errors of Build. A configuration that passed its checks gives none but
// ErrNoNode.
var (
	ErrNoNode    = errors.New("no such router or node")
	ErrReference = errors.New("dangling reference")
	ErrTooMany   = errors.New("too many objects")
)

// builder compiles one node; t is the result.
type builder struct {
	a      *config.Authority
	router *config.Router
	node   *config.Node
	t      *Tables

	security map[string]SecurityID
	ifByName map[string]IfID
	policies map[string]*ServicePolicy
	services map[string]*config.Service // all of the authority
}

// Build compiles the configuration for one node of a router; an empty node
// name means the only one. The tables keep no reference that a later change of
// a would reach, except to a's own slices and strings, which are never
// changed.
func Build(a *config.Authority, router, node string) (*Tables, error) {
	b := builder{a: a, t: &Tables{}, security: map[string]SecurityID{},
		ifByName: map[string]IfID{}, policies: map[string]*ServicePolicy{},
		services: map[string]*config.Service{}}
	if b.router = a.FindRouter(router); b.router != nil {
		b.node = b.router.FindNode(node)
	}
	if b.node == nil {
		return nil, fmt.Errorf("build policy of %q node %q: %w", router, node, ErrNoNode)
	}
	b.t.RouterName, b.t.NodeName = b.router.Name, b.node.Name
	b.t.Inactivity = b.a.Inactivity
	b.t.Resolvers, b.t.TimeServers = b.router.Resolvers, b.router.TimeServers
	b.t.Maintenance = b.router.Maintenance
	for i := range b.a.Shelves {
		if s := &b.a.Shelves[i]; s.AppliesToRouter(b.router) {
			b.t.Shelves = append(b.t.Shelves, *s)
		}
	}
	for _, step := range []func() error{b.addSecurity, b.addTenants, b.addInterfaces, b.addSources,
		b.addPaths, b.addServices, b.addRoutes} {
		if err := step(); err != nil {
			return nil, fmt.Errorf("build policy of %s: %w", router, err)
		}
	}
	b.t.buildFIB()
	b.addSessionTypes()
	return b.t, nil
}

func (b *builder) addSecurity() error {
	for i, s := range b.a.Security {
		if i >= maxIDs {
			return fmt.Errorf("add security: %w", ErrTooMany)
		}
		b.security[s.Name] = SecurityID(i)
		b.t.Security = append(b.t.Security, SecurityPolicy{SecurityID(i), s})
	}
	return nil
}

// securityID returns the id of a name; an empty name is NoSecurity.
func (b *builder) securityID(name string) (SecurityID, error) {
	if name == "" {
		return NoSecurity, nil
	}
	id, ok := b.security[name]
	if !ok {
		return NoSecurity, fmt.Errorf("find security %q: %w", name, ErrReference)
	}
	return id, nil
}

// addTenants numbers the tenants; <global> is the first.
func (b *builder) addTenants() error {
	t := b.t
	t.Tenants = []Tenant{{ID: Global, Name: GlobalName, Parent: NoTenant, Security: NoSecurity}}
	t.tenantByName = map[string]TenantID{GlobalName: Global}
	for _, c := range b.a.Tenants {
		id := len(t.Tenants)
		if id >= maxIDs {
			return fmt.Errorf("add tenant %q: %w", c.Name, ErrTooMany)
		}
		sec, err := b.securityID(c.Security)
		if err != nil {
			return fmt.Errorf("add tenant %q: %w", c.Name, err)
		}
		t.Tenants = append(t.Tenants, Tenant{TenantID(id), c.Name, NoTenant, sec})
		t.tenantByName[c.Name] = TenantID(id)
	}
	for i := range t.Tenants {
		t.Tenants[i].Parent = ancestor(t.tenantByName, t.Tenants[i].Name, NoTenant)
	}
	return nil
}

// ancestor returns the nearest existing parent of a dotted name child.parent.
func ancestor[ID any](byName map[string]ID, name string, none ID) ID {
	for {
		_, parent, ok := strings.Cut(name, ".")
		if !ok {
			return none
		}
		if id, ok := byName[parent]; ok {
			return id
		}
		name = parent
	}
}

// tenantID returns the id of a name that must exist.
func (b *builder) tenantID(name string) (TenantID, error) {
	id, ok := b.t.tenantByName[name]
	if !ok {
		return NoTenant, fmt.Errorf("find tenant %q: %w", name, ErrReference)
	}
	return id, nil
}

func (b *builder) addSessionTypes() {
	for _, s := range b.a.AllSessionTypes() {
		b.t.SessionTypes = append(b.t.SessionTypes, SessionType{Name: s.Name, ServiceClass: s.ServiceClass,
			Idle: s.Timeout, Initial: s.InitialTimeout, NATKeepAlive: s.NATKeepAlive,
			Transport: transports(s.Transports)})
	}
	b.t.buildTimeouts(b.a)
}

// transports turns protocol names into numbers; ICMP is that of IPv4, for both
// families.
func transports(in []config.Transport) (out []Transport) {
	for _, t := range in {
		out = append(out, Transport{Proto: t.Protocol.Number(4), Ports: portRanges(t.Ports)})
	}
	return out
}

func portRanges(in []config.PortRange) (out []PortRange) {
	for _, r := range in {
		out = append(out, PortRange{r.Start, r.End})
	}
	return out
}
