package host

import (
	"net/netip"
	"path/filepath"

	"waymark/net/addr"
	"waymark/net/dhcp4"
	"waymark/net/link"
	"waymark/net/pppoe"
	"waymark/net/pppoe/ppp"
	"waymark/net/vlan"
	"waymark/svr/policy"
)

// dialers are the PPPoE clients of a router. What they get joins the view as
// leases of the DHCP clients do, and their news go the same way.
type dialers struct {
	Config
	dhcp *dhcpClients
	clients[*pppoe.Client, pppoe.Status]
}

func newDialers(c *Config, d *dhcpClients) *dialers {
	return &dialers{Config: *c, dhcp: d, clients: newClients[*pppoe.Client, pppoe.Status](d.changed)}
}

// lines returns the names of the Linux interfaces below PPPoE sessions, ports
// before the VLAN devices on them.
func lines(t *policy.Tables) (names []string) {
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		if !f.Enabled || f.PPPoE == nil {
			continue
		}
		names = append(names, f.Line.Port)
		if f.Line.Tag != 0 {
			names = append(names, f.Line.Name)
		}
	}
	return names
}

// wantVLANs are the devices that the kernel's PPPoE needs on tagged ports.
func wantVLANs(t *policy.Tables, v *View) (list []vlan.Device) {
	for i := range t.Interfaces {
		f := &t.Interfaces[i]
		port, there := v.Links[f.Line.Port]
		if f.Enabled && f.PPPoE != nil && f.Line.Tag != 0 && there && port.Type == Ethernet {
			list = append(list, vlan.Device{Name: f.Line.Name, Parent: port.Index, Tag: f.Line.Tag})
		}
	}
	return list
}

// applyVLANs makes them and tells whether there were any to make.
func (k *Kernel) applyVLANs(v *View) (changed bool) {
	plan, err := vlan.Apply(k.conn, wantVLANs(k.tables, v))
	if err != nil {
		k.log.Warn("cannot make VLAN devices", "error", err)
	}
	return !plan.Empty()
}

// isSession tells whether a Linux interface is that of a PPPoE session.
func isSession(t *policy.Tables, name string) bool {
	for i := range t.Interfaces {
		if f := &t.Interfaces[i]; f.PPPoE != nil && f.Target == name {
			return true
		}
	}
	return false
}

// follow starts and ends clients as lines come and go, tells them of their links
// and enters what their sessions gave into the view.
func (d *dialers) follow(v *View) {
	v.sessions = map[policy.IfID]*pppoe.Session{}
	for i := range d.Tables.Interfaces {
		f := &d.Tables.Interfaces[i]
		if f.PPPoE == nil || !f.Enabled {
			continue
		}
		l, there := v.Links[f.Line.Name]
		run := d.on(f.ID, l, there)
		if run == nil && there && l.Type == Ethernet {
			run = d.start(f, l, v.Links[f.Line.Port].Index)
		}
		if run == nil {
			continue
		}
		run.link(l, l.Usable())
		if s := d.get(f.ID).Session; s != nil {
			v.sessions[f.ID] = s
			if lease := sessionLease(s); lease != nil {
				v.Leases[f.ID] = lease
			}
		}
	}
}

// unnamedPeer is the gateway of a session whose other end does not tell its
// address; pppd uses the same.
var unnamedPeer = netip.AddrFrom4([4]byte{10, 112, 112, 112})

// sessionLease is what a session gives in the form of a lease that never ends;
// nil without IPv4.
func sessionLease(s *pppoe.Session) *dhcp4.Lease {
	if !s.Address.IsValid() {
		return nil
	}
	l := &dhcp4.Lease{Address: netip.PrefixFrom(s.Address, 32), Gateway: s.Peer, Server: s.Peer, DNS: s.DNS, MTU: s.MTU,
		Seconds: dhcp4.Infinite}
	if !l.Gateway.IsValid() || l.Gateway == s.Address {
		l.Gateway = unnamedPeer
	}
	return l
}

// linkLocal is the address that IPv6CP agreed on.
func (v *View) linkLocal(id policy.IfID, index int) []addr.Address {
	s := v.sessions[id]
	if s == nil || !s.IPv6 {
		return nil
	}
	a := [16]byte{0xfe, 0x80}
	copy(a[8:], s.OwnID[:])
	return []addr.Address{{Index: index, Prefix: netip.PrefixFrom(netip.AddrFrom16(a), 64)}}
}

// dialled judges an interface that has a PPPoE session, or should.
func (v *View) dialled(f *policy.Interface, s State) State {
	line, there := v.Links[f.Line.Name]
	l, made := v.Links[f.Target]
	lease := v.Leases[f.ID]
	s.Addrs = nil
	if lease != nil && made {
		s.Addrs, s.MTU = v.leased(f, lease, l.Index), lease.LimitMTU(s.MTU)
	}
	switch {
	case !f.Enabled:
		s.Reason = ReasonAdmin
	case !there:
		s.Reason = ReasonNoDevice
	case !line.Usable():
		s.Reason = ReasonNoCarrier
	case len(s.Addrs) == 0 || !l.Usable():
		s.Reason = ReasonNoAddress
	default:
		s.Up = true
	}
	return s
}

// start starts the client of an interface on its line and the port below.
func (d *dialers) start(f *policy.Interface, l link.Link, port int) *clientRun[*pppoe.Client] {
	id := f.ID
	cfg := pppoe.Config{MAC: l.MAC, ServiceName: f.PPPoE.ServiceName, ACName: f.PPPoE.AccessConcentrator,
		User: f.PPPoE.User, Password: f.PPPoE.Password, MRU: uint16(min(f.MTU, 1500)), IPv6: true}
	if f.PPPoE.PAP {
		cfg.Auth = ppp.PAP
	}
	c := pppoe.NewClient(pppoe.Options{
		Ethernet: l.Name, Index: l.Index, Port: port, Name: f.Target, Config: cfg, Log: d.Log,
		File:    filepath.Join(d.RunDir, PPPoEPrefix+l.Name+".json"),
		Changed: func(s pppoe.Status) { d.put(id, s) },
		Event:   func(e pppoe.Event) { d.note(id, e) },
	})
	return d.run(id, l, c)
}

// note is called by clients, before the status that goes with the event.
func (d *dialers) note(id policy.IfID, e pppoe.Event) {
	switch e.Kind {
	case pppoe.Established:
		d.dhcp.note(id, dhcp4.Event{Kind: dhcp4.Obtained, Address: e.Address})
	case pppoe.Readdressed:
		d.dhcp.note(id, dhcp4.Event{Kind: dhcp4.Moved, Address: e.Address})
	}
}
