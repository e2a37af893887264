package policy

import (
	"fmt"

	"waymark/mgmt/config"
)

// addServices numbers the services that apply to this router, with what they
// inherit.
func (b *builder) addServices() error {
	b.t.serviceByName = map[string]ServiceID{}
	for i := range b.a.Services {
		b.services[b.a.Services[i].Name] = &b.a.Services[i]
	}
	for i := range b.a.Services {
		c := &b.a.Services[i]
		if !c.Enabled || !c.AppliesToRouter(b.router) {
			continue
		}
		if len(b.t.Services) >= maxIDs {
			return fmt.Errorf("add service %q: %w", c.Name, ErrTooMany)
		}
		if err := b.addService(inherit(b.services, *c)); err != nil {
			return fmt.Errorf("add service %q: %w", c.Name, err)
		}
	}
	for i := range b.t.Services {
		s := &b.t.Services[i]
		s.Parent = ancestor(b.t.serviceByName, s.Name, NoService)
	}
	return nil
}

// inherit fills what a child names nowhere from its ancestors, the nearest
// first: addresses, access-policy, security, service-policy. An ancestor hands
// down its own even where it does not apply or is disabled itself.
func inherit(all map[string]*config.Service, s config.Service) config.Service {
	for p := ancestor(all, s.Name, nil); p != nil; p = ancestor(all, p.Name, nil) {
		if len(s.Addresses) == 0 {
			s.Addresses = p.Addresses
		}
		if len(s.AccessPolicies) == 0 {
			s.AccessPolicies = p.AccessPolicies
		}
		if s.Security == "" {
			s.Security = p.Security
		}
		if s.ServicePolicy == "" {
			s.ServicePolicy = p.ServicePolicy
		}
	}
	return s
}

func (b *builder) addService(c config.Service) (err error) {
	s := Service{ID: ServiceID(len(b.t.Services)), Name: c.Name, Scope: ScopePrivate,
		Addresses: c.Addresses, Transport: transports(c.Transports)}
	if c.Scope == config.ScopePublic {
		s.Scope = ScopePublic
	}
	if s.Security, err = b.securityID(c.Security); err != nil {
		return err
	}
	if s.Policy, err = b.policy(c.ServicePolicy); err != nil {
		return err
	}
	for _, p := range c.AccessPolicies {
		a := Access{Tenant: NoTenant, Source: p.Prefix, Deny: p.Deny}
		if p.Tenant != "" {
			if a.Tenant, err = b.tenantID(p.Tenant); err != nil {
				return err
			}
		}
		s.Access = append(s.Access, a)
	}
	b.t.serviceByName[c.Name] = s.ID
	b.t.Services = append(b.t.Services, s)
	return nil
}

// policy returns the service-policy of a name; an empty name is the default.
func (b *builder) policy(name string) (*ServicePolicy, error) {
	if p := b.policies[name]; p != nil {
		return p, nil
	}
	c := config.DefaultServicePolicy()
	if name != "" {
		found := b.a.FindServicePolicy(name)
		if found == nil {
			return nil, fmt.Errorf("find service-policy %q: %w", name, ErrReference)
		}
		c = *found
	}
	p := makePolicy(&c)
	if class := b.a.FindServiceClass(c.ServiceClass); class != nil {
		p.DSCP = class.DSCP
	}
	if c.PathQualityFilter {
		p.SLA = len(b.t.SLAs)
		b.t.SLAs = append(b.t.SLAs, p)
	}
	b.policies[name] = p
	return p, nil
}

func makePolicy(c *config.ServicePolicy) *ServicePolicy {
	p := &ServicePolicy{Name: c.Name, Class: c.ServiceClass, BestEffort: c.BestEffort,
		MaxLoss: c.MaxLoss, MaxLatency: c.MaxLatency, MaxJitter: c.MaxJitter, MinMOS: c.MinMOS, SLA: NoSLA}
	switch c.BestPath {
	case config.BestLatency:
		p.Best = BestLatency
	case config.BestMOS:
		p.Best = BestMOS
	}
	if c.LBStrategy == "proportional" {
		p.Strategy = Proportional
	}
	switch c.Resiliency {
	case config.ResiliencyFailover:
		p.Resiliency = ResiliencyFailover
	case config.ResiliencyRevertibleFailover:
		p.Resiliency = ResiliencyRevertible
	}
	switch c.Enforcement {
	case config.EnforceAllow:
		p.Enforcement = EnforceAllow
	case config.EnforceBlock:
		p.Enforcement = EnforceBlock
	}
	for _, v := range c.Vectors {
		p.Vectors = append(p.Vectors, Vector{v.Name, uint32(v.Cost), v.Never})
	}
	return p
}
