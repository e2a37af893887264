package config

import "net/netip"

func decodeRouter(e *entry) Router {
	r := Router{
		Name:              e.str("name"),
		Description:       e.str("description"),
		Location:          e.str("location"),
		Maintenance:       e.flag("maintenance-mode"),
		Groups:            append(values[string](e, "router-group"), values[string](e, "group")...),
		InterNodeSecurity: e.str("inter-node-security"),
		Peers: each(e, "peer", func(p *entry) Peer {
			return Peer{p.str("name"), p.str("authority-name"), p.str("router-name")}
		}),
		Nodes:         each(e, "node", decodeNode),
		ServiceRoutes: each(e, "service-route", decodeServiceRoute),
	}
	r.decodeHost(e)
	r.resolve()
	return r
}

// resolve replaces names of the router's peer list by router names.
func (r *Router) resolve() {
	names := make(map[string]string, len(r.Peers))
	for _, p := range r.Peers {
		if p.Router != "" {
			names[p.Name] = p.Router
		}
	}
	rename := func(s *string) {
		if n, ok := names[*s]; ok {
			*s = n
		}
	}
	for i := range r.ServiceRoutes {
		for j := range r.ServiceRoutes[i].Peers {
			rename(&r.ServiceRoutes[i].Peers[j])
		}
	}
	for i := range r.Nodes {
		for _, d := range r.Nodes[i].Devices {
			for _, nif := range d.Interfaces {
				for j := range nif.Adjacencies {
					rename(&nif.Adjacencies[j].Peer)
				}
			}
		}
	}
}

func decodeServiceRoute(e *entry) ServiceRoute {
	r := ServiceRoute{Name: e.str("name"), Service: e.str("service-name")}
	if p := e.str("peer"); p != "" {
		r.Peers = append(r.Peers, p)
	}
	r.Peers = append(r.Peers, values[string](e, "next-peer")...)
	r.NextHops = each(e, "next-hop", func(h *entry) NextHop {
		return NextHop{h.str("node-name"), h.str("interface"), h.addr("gateway-ip"), h.addr("target-address")}
	})
	return r
}

func decodeNode(e *entry) Node {
	return Node{
		Name:        e.str("name"),
		Description: e.str("description"),
		AssetID:     e.str("asset-id"),
		Role:        e.str("role"),
		Enabled:     e.flag("enabled"),
		Devices:     each(e, "device-interface", decodeDevice),
	}
}

func decodeDevice(e *entry) DeviceInterface {
	d := DeviceInterface{
		Name:        e.str("name"),
		Description: e.str("description"),
		Type:        e.str("type"),
		Target:      e.str("target-interface"),
		PPPoE:       decodePPPoE(e),
		Enabled:     e.flag("enabled"),
		Forwarding:  e.flag("forwarding"),
		Interfaces:  each(e, "network-interface", decodeInterface),
	}
	for i, n := range e.all("network-interface") {
		if d.Type == DeviceLTE && n.kid("billing-type") == nil {
			d.Interfaces[i].BillingType = billingMetered
		}
	}
	return d
}

func decodeInterface(e *entry) NetworkInterface {
	return NetworkInterface{
		Name:                e.str("name"),
		Description:         e.str("description"),
		GlobalID:            uint32(e.num("global-id")),
		VLAN:                uint16(e.num("vlan")),
		Type:                e.str("type"),
		Tenant:              e.str("tenant"),
		TenantPrefixes:      each(e, "tenant-prefixes", decodeTenantPrefix),
		DHCP:                DHCPMode(e.str("dhcp")),
		DHCPClient:          decodeDHCPClient(e.sub("dhcp-client")),
		HostServices:        each(e, "host-service", decodeHostService),
		PPPoE:               e.parent.str("type") == typePPPoE,
		Hostname:            e.str("hostname"),
		DefaultRoute:        e.flag("default-route"),
		Management:          e.flag("management"),
		SourceNAT:           e.flag("source-nat"),
		MTU:                 e.num("mtu"),
		EnforcedMSS:         MSSMode{e.str("enforced-mss") == "automatic", uint16(e.num("enforced-mss"))},
		ICMPDrop:            e.str("icmp") == "drop",
		InterRouterSecurity: e.str("inter-router-security"),
		BillingType:         e.str("billing-type"),
		DataQuota:           e.sub("waymark").num("data-quota"),
		QuotaDay:            e.sub("waymark").num("data-quota-day"),
		PreserveDSCP:        e.flag("preserve-dscp"),
		Addresses:           each(e, "address", decodeAddress),
		Neighbors:           each(e, "neighbor", decodeNeighbor),
		BFDNeighbors:        each(e, "bfd-neighbor", decodeBFDNeighbor),
		Neighborhoods:       each(e, "neighborhood", decodeNeighborhood),
		Adjacencies:         each(e, "adjacency", decodeWritten),
	}
}

func decodeTenantPrefix(e *entry) TenantPrefix {
	return TenantPrefix{e.str("tenant"), prefixes(e, "source-address")}
}

func decodeAddress(e *entry) Address {
	return Address{e.addr("ip-address"), e.num("prefix-length"), e.addr("gateway"), e.flag("valid-waypoint")}
}

func decodeNeighbor(e *entry) Neighbor {
	return Neighbor{e.addr("ip-address"), get[[6]byte](e, "phys-address")}
}

func decodeNeighborhood(e *entry) Neighborhood {
	return Neighborhood{e.str("name"), Topology(e.str("topology")), decodePath(e)}
}

func decodeWritten(e *entry) WrittenAdjacency {
	return WrittenAdjacency{
		Address:    e.addr("ip-address"),
		Hostname:   e.str("ip-address"),
		Peer:       e.str("peer"),
		Cost:       uint32(get[int64](e, "cost")),
		Security:   e.str("inter-router-security"),
		PathLeaves: decodePath(e),
	}
}

// subnet returns the network of an address, zero when it is not valid.
func (a Address) subnet() netip.Prefix { return a.Prefix().Masked() }
