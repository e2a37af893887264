package config

import "net/netip"

// pathMerge says, leaf by leaf, which side of a generated adjacency decides,
// and copies the leaf. What is no leaf of the peer's is ours.
var pathMerge = []struct {
	leaf string
	from Origin
	copy func(to, from *PathLeaves)
}{
	{"port-range", OriginPeer, func(t, f *PathLeaves) { t.PortRanges = f.PortRanges }},
	{"max-way-points", OriginPeer, func(t, f *PathLeaves) { t.MaxWayPoints = f.MaxWayPoints }},
	{"peer-connectivity", OriginPeer, func(t, f *PathLeaves) { t.Connectivity = f.Connectivity }},
	{"external-nat-address", OriginPeer, func(t, f *PathLeaves) {
		t.ExternalNAT, t.ExternalNATName = f.ExternalNAT, f.ExternalNATName
	}},
	{"vector", OriginOwn, func(t, f *PathLeaves) { t.Vectors = f.Vectors }},
	{"bfd.state", OriginOwn, func(t, f *PathLeaves) { t.BFD.Enabled = f.BFD.Enabled }},
	{"bfd.authentication-type", OriginOwn, func(t, f *PathLeaves) { t.BFD.AuthenticationType = f.BFD.AuthenticationType }},
	{"bfd.desired-tx-interval", OriginOwn, func(t, f *PathLeaves) { t.BFD.DesiredTx = f.BFD.DesiredTx }},
	{"bfd.required-min-rx-interval", OriginOwn, func(t, f *PathLeaves) { t.BFD.RequiredMinRx = f.BFD.RequiredMinRx }},
	{"bfd.multiplier", OriginOwn, func(t, f *PathLeaves) { t.BFD.Multiplier = f.BFD.Multiplier }},
	{"bfd.link-test-interval", OriginOwn, func(t, f *PathLeaves) { t.BFD.LinkTestInterval = f.BFD.LinkTestInterval }},
	{"bfd.link-test-length", OriginOwn, func(t, f *PathLeaves) { t.BFD.LinkTestLength = f.BFD.LinkTestLength }},
	{"bfd.dscp", OriginOwn, func(t, f *PathLeaves) { t.BFD.DSCP = f.BFD.DSCP }},
	{"bfd.hold-down-time", OriginOwn, func(t, f *PathLeaves) { t.BFD.HoldDown = f.BFD.HoldDown }},
	{"bfd.dynamic-damping", OriginOwn, func(t, f *PathLeaves) { t.BFD.DynamicDamping = f.BFD.DynamicDamping }},
	{"bfd.maximum-hold-down-time", OriginOwn, func(t, f *PathLeaves) { t.BFD.MaximumHoldDown = f.BFD.MaximumHoldDown }},
	{"udp-transform.mode", OriginOwn, func(t, f *PathLeaves) { t.UDPTransform.Always = f.UDPTransform.Always }},
	{"udp-transform.detect-interval", OriginOwn, func(t, f *PathLeaves) { t.UDPTransform.DetectInterval = f.UDPTransform.DetectInterval }},
	{"udp-transform.nat-keep-alive-mode", OriginOwn, func(t, f *PathLeaves) { t.UDPTransform.NATKeepAlive = f.UDPTransform.NATKeepAlive }},
	{"udp-transform.nat-keep-alive-timeout", OriginOwn, func(t, f *PathLeaves) {
		t.UDPTransform.NATKeepAliveTimeout = f.UDPTransform.NATKeepAliveTimeout
	}},
	{"nat-keep-alive.mode", OriginOwn, func(t, f *PathLeaves) { t.NATKeepAlive.Auto = f.NATKeepAlive.Auto }},
	{"nat-keep-alive.tcp-inactivity-timeout", OriginOwn, func(t, f *PathLeaves) { t.NATKeepAlive.TCPInterval = f.NATKeepAlive.TCPInterval }},
	{"nat-keep-alive.udp-inactivity-timeout", OriginOwn, func(t, f *PathLeaves) { t.NATKeepAlive.UDPInterval = f.NATKeepAlive.UDPInterval }},
	{"path-mtu-discovery.enabled", OriginOwn, func(t, f *PathLeaves) { t.PathMTU.Enabled = f.PathMTU.Enabled }},
	{"path-mtu-discovery.interval", OriginOwn, func(t, f *PathLeaves) { t.PathMTU.Interval = f.PathMTU.Interval }},
	{"ttl-padding", OriginOwn, func(t, f *PathLeaves) { t.TTLPadding = f.TTLPadding }},
	{"encapsulate-icmp-error-messages", OriginOwn, func(t, f *PathLeaves) { t.EncapsulateICMPErrors = f.EncapsulateICMPErrors }},
	{"payload-encryption-override", OriginOwn, func(t, f *PathLeaves) { t.EncryptionOverride = f.EncryptionOverride }},
	{"post-encryption-padding.mode", OriginOwn, func(t, f *PathLeaves) { t.PostEncryptionPadding = f.PostEncryptionPadding }},
}

// write merges a written adjacency into the generated one of the same peer and
// address, or adds it as it stands.
func (g *generator) write(w *WrittenAdjacency) {
	a := g.generatedFor(w)
	if a == nil {
		g.add(w)
		return
	}
	for _, m := range pathMerge {
		if w.Written[m.leaf] {
			m.copy(&a.PathLeaves, &w.PathLeaves)
			a.Origins[m.leaf] = OriginWritten
		}
	}
	g.writeHead(a, w)
}

// generatedFor finds what a written adjacency is about. One that names an
// address where the only path to the peer lacks it supplies that address.
func (g *generator) generatedFor(w *WrittenAdjacency) *Adjacency {
	var unknown []*Adjacency
	for i := range g.made[g.first:] {
		a := &g.made[g.first+i]
		switch {
		case a.PeerRouter != w.Peer || !a.Generated:
		case w.Address.IsValid() && a.PeerAddress == w.Address, w.Hostname != "" && a.PeerHostname == w.Hostname:
			return a
		case a.Reason == ReasonNoAddress && w.Address.Is4():
			unknown = append(unknown, a)
		}
	}
	if len(unknown) != 1 {
		return nil
	}
	return unknown[0]
}

// writeHead takes over the leaves that only adjacencies have.
func (g *generator) writeHead(a *Adjacency, w *WrittenAdjacency) {
	if w.Written["inter-router-security"] {
		a.SendPolicy = w.Security
		a.Origins["inter-router-security"] = OriginWritten
	}
	if w.Written["cost"] {
		a.Cost = w.Cost
		a.Origins["cost"] = OriginWritten
	}
	if a.Reason == ReasonNoAddress && w.Address.IsValid() {
		a.PeerAddress, a.Reason = w.Address, ""
		a.Origins["ip-address"] = OriginWritten
	}
}

// add makes an adjacency that no neighborhood generates: unwritten leaves are
// defaults, the send policy is that of the peer's interface if the authority
// knows it, else our own interface's.
func (g *generator) add(w *WrittenAdjacency) {
	fam := 0
	if w.Address.IsValid() {
		fam = family(w.Address)
	}
	local, ok := g.nif.waypoint(fam)
	if !ok {
		g.finds.add(Warning, g.path()+" > adjacency "+w.Address.String()+" "+word(w.Peer), "",
			"no path: the interface has no address of this family", "")
		return
	}
	a := g.local(local)
	a.PeerRouter, a.PeerAddress, a.PeerHostname = w.Peer, w.Address, w.Hostname
	a.PathLeaves, a.SendPolicy = w.PathLeaves, g.nif.InterRouterSecurity
	a.Origins["ip-address"], a.Origins["inter-router-security"], a.Origins["cost"] = OriginWritten, OriginOwn, OriginOwn
	for _, m := range pathMerge {
		a.Origins[m.leaf] = OriginOwn
		if w.Written[m.leaf] {
			a.Origins[m.leaf] = OriginWritten
		}
	}
	g.farEnd(&a)
	g.writeHead(&a, w)
	g.made = append(g.made, a)
}

// farEnd names node, interface and send policy of a written peer address that
// the authority has.
func (g *generator) farEnd(a *Adjacency) {
	r := g.auth.FindRouter(a.PeerRouter)
	if r == nil {
		return
	}
	for i := range r.Nodes {
		n := &r.Nodes[i]
		for j := range n.Devices {
			d := &n.Devices[j]
			for l := range d.Interfaces {
				if nif := &d.Interfaces[l]; nif.has(a.PeerAddress) {
					a.PeerNode, a.PeerDevice, a.PeerInterface = n.Name, d.Name, nif.Name
					a.SendPolicy = nif.InterRouterSecurity
					a.Origins["inter-router-security"] = OriginPeer
				}
			}
		}
	}
}

func (n *NetworkInterface) has(ip netip.Addr) bool {
	for _, a := range n.Addresses {
		if ip.IsValid() && a.IP == ip {
			return true
		}
	}
	return false
}
