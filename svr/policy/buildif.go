package policy

import (
	"fmt"

	"waymark/mgmt/config"
)

// SessionPrefix begins the name of the Linux interface of a PPPoE session; the
// name of its device-interface follows.
const SessionPrefix = "pp-"

// addInterfaces numbers the network-interfaces in the order of the file.
func (b *builder) addInterfaces() error {
	for i := range b.node.Devices {
		d := &b.node.Devices[i]
		for j := range d.Interfaces {
			if len(b.t.Interfaces) >= maxIDs {
				return fmt.Errorf("add network-interface: %w", ErrTooMany)
			}
			if err := b.addInterface(d, &d.Interfaces[j]); err != nil {
				return fmt.Errorf("add network-interface %q: %w", d.Interfaces[j].Name, err)
			}
		}
	}
	return nil
}

func (b *builder) addInterface(d *config.DeviceInterface, n *config.NetworkInterface) (err error) {
	f := Interface{ID: IfID(len(b.t.Interfaces)), Device: d.Name, Name: n.Name, Type: d.Type, Target: d.Target,
		GlobalID: n.GlobalID, VLAN: n.VLAN, MTU: n.MTU, DHCP: n.DHCP == config.DHCPv4, Tenant: NoTenant,
		SourceNAT: n.SourceNAT, Metered: n.Metered(), DropICMP: n.ICMPDrop,
		Enabled: b.node.Enabled && d.Enabled && d.Forwarding, Config: n}
	if d.PPPoE != nil {
		f.Line, f.Target, f.VLAN = line(d.Target, n.VLAN), SessionPrefix+d.Name, 0
		f.DHCP, f.PPPoE = true, d.PPPoE
	}
	f.EnforcedMSS, f.MSS = mssMode(n.EnforcedMSS)
	for _, a := range n.Addresses {
		f.Addresses = append(f.Addresses, Address{a.Prefix(), a.Gateway, a.ValidWaypoint})
	}
	for _, h := range n.Neighborhoods {
		f.Vectors = append(f.Vectors, h.Vectors...)
	}
	if f.RecvPolicy, err = b.securityID(n.InterRouterSecurity); err != nil {
		return err
	}
	if n.Tenant != "" {
		if f.Tenant, err = b.tenantID(n.Tenant); err != nil {
			return err
		}
	}
	b.ifByName[n.Name] = f.ID
	b.t.Interfaces = append(b.t.Interfaces, f)
	return nil
}

// line is what a session runs on.
func line(port string, tag uint16) Line {
	l := Line{Name: port, Port: port, Tag: tag}
	if tag != 0 {
		l.Name = config.TaggedLine(port, int(tag))
	}
	return l
}

func mssMode(m config.MSSMode) (MSSMode, uint16) {
	switch {
	case m.Max != 0:
		return MSSFixed, m.Max
	case m.Automatic:
		return MSSAutomatic, 0
	}
	return MSSDisabled, 0
}

// addSources fills the table of source prefixes of every interface.
func (b *builder) addSources() error {
	b.t.sources = sourceTable{lpm: newLPM(len(b.t.Interfaces), sourceKinds)}
	for i := range b.node.Devices {
		d := &b.node.Devices[i]
		for j := range d.Interfaces {
			if err := b.addSourcesOf(&d.Interfaces[j]); err != nil {
				return fmt.Errorf("add tenants of %q: %w", d.Interfaces[j].Name, err)
			}
		}
	}
	return nil
}

func (b *builder) addSourcesOf(n *config.NetworkInterface) error {
	id := b.ifByName[n.Name]
	for _, tp := range n.TenantPrefixes {
		tenant, err := b.tenantID(tp.Tenant)
		if err != nil {
			return err
		}
		for _, p := range tp.Addresses {
			b.addMember(MemberRow{If: id, Prefix: p, Tenant: tenant, Source: SourceInterface}, stepTenantPrefix)
		}
	}
	if t := b.t.Interfaces[id].Tenant; t != NoTenant {
		b.t.members = append(b.t.members, MemberRow{If: id, Tenant: t, Source: SourceInterface})
	}
	for _, h := range n.Neighborhoods {
		b.addMembers(id, h.Name)
	}
	return nil
}

// addMembers adds the tenant members of one neighborhood to an interface.
func (b *builder) addMembers(id IfID, neighborhood string) {
	for _, t := range b.a.Tenants {
		for _, m := range t.Members {
			if m.Neighborhood != neighborhood {
				continue
			}
			for _, p := range m.Addresses {
				b.addMember(MemberRow{If: id, Prefix: p, Tenant: b.t.tenantByName[t.Name],
					Source: SourceNeighborhood, Neighborhood: neighborhood}, stepMember)
			}
		}
	}
}

func (b *builder) addMember(r MemberRow, step int) {
	b.t.sources.insert(prefixKey(uint16(r.If), step, r.Prefix), uint32(r.Tenant))
	b.t.members = append(b.t.members, r)
}
