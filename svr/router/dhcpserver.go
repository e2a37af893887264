package router

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"waymark/mgmt/config"
	"waymark/net/dhcpd"
	"waymark/net/frame"
	"waymark/net/link"
	"waymark/svr/policy"
)

// dhcpdOptions are those of an interface's DHCP server. It is pure.
func dhcpdOptions(run string, f *policy.Interface, h *config.HostService, l link.Link) dhcpd.Options {
	o := dhcpd.Options{Interface: f.Target, Index: l.Index, VLAN: f.VLAN, File: filepath.Join(run, ServedPrefix+f.Tagged()+".json"),
		Config: dhcpd.Config{MAC: l.MAC, MaxLease: h.MaxLease}}
	forwards := false
	for _, other := range f.Config.HostServices {
		forwards = forwards || other.Enabled && other.Type == config.ServeDNS
	}
	for i := range h.Pools {
		p := &h.Pools[i]
		for _, a := range f.Addresses {
			if a.Prefix.Masked().Contains(p.Start) {
				o.Config.Pools = append(o.Config.Pools, dhcpPool(p, a.Prefix, forwards))
				break
			}
		}
	}
	return o
}

// Options of a DHCP server (RFC 2132).
const (
	optRouter, optDNS, optDomain, optMTU, optNTP = 3, 6, 15, 26, 42
)

func dhcpPool(p *config.AddressPool, server netip.Prefix, forwards bool) dhcpd.Pool {
	d := dhcpd.Pool{Server: server, Start: p.Start, End: p.End, Static: map[frame.MAC]netip.Addr{}, Options: map[uint8][]byte{}}
	for _, s := range p.Static {
		d.Static[s.MAC] = s.Address
	}
	for _, c := range p.Custom {
		d.Options[c.Code] = c.Value
	}
	router, dns := p.Router, p.DNS
	if !router.IsValid() {
		router = server.Addr()
	}
	if len(dns) == 0 && forwards {
		dns = []netip.Addr{server.Addr()}
	}
	for code, list := range map[uint8][]netip.Addr{optRouter: {router}, optDNS: dns, optNTP: p.NTP} {
		for _, a := range list {
			d.Options[code] = append(d.Options[code], a.AsSlice()...)
		}
	}
	if p.Domain != "" {
		d.Options[optDomain] = []byte(p.Domain)
	}
	if p.MTU > 0 {
		d.Options[optMTU] = binary.BigEndian.AppendUint16(nil, uint16(p.MTU))
	}
	return d
}

// lookWait bounds how long show waits for a service.
const lookWait = 2 * time.Second

// showDHCPServer lists the leases that the box gave.
func (r *Router) showDHCPServer(a *answer) error {
	for i := range r.tables.Interfaces {
		f := &r.tables.Interfaces[i]
		d := r.daemons.running(f.ID, config.ServeDHCP)
		if d == nil {
			continue
		}
		ctx, cancel := context.WithTimeout(context.Background(), lookWait)
		leases, _, _, err := d.dhcp.Look(ctx)
		cancel()
		if err != nil {
			return fmt.Errorf("ask DHCP server of %s: %w", f.Name, err)
		}
		for _, l := range leases {
			mac, ends := any(nil), any(nil)
			if l.MAC != (frame.MAC{}) {
				mac = net.HardwareAddr(l.MAC[:]).String()
			}
			if l.Left > 0 {
				ends = time.Now().Add(l.Left).UTC().Truncate(time.Second)
			}
			if err := a.row(r.tables.RouterName, r.tables.NodeName, f.Name, l.Address.String(), mac, orNull(l.Hostname),
				string(l.State), ends, orNull(l.ClientID())); err != nil {
				return err
			}
		}
	}
	return nil
}
