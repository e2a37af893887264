package config

// routerChecker checks one router; it knows what the router's other objects
// may name.
type routerChecker struct {
	*checker
	at         *entry
	peers      map[string]bool
	nodes      map[string]bool
	interfaces map[string]map[string]*entry // node → network-interface
	own        map[string]*entry            // addresses so far
}

// router checks one router: its nodes, peers and service-routes.
func (k *checker) router(e *entry) {
	r := &routerChecker{k, e, make(map[string]bool), make(map[string]bool),
		make(map[string]map[string]*entry), make(map[string]*entry)}
	r.index()
	for _, n := range e.all("node") {
		r.node(n)
	}
	for _, p := range e.all("peer") {
		r.peer(p)
	}
	for _, s := range e.all("service-route") {
		r.serviceRoute(s)
	}
}

// index notes the names of peers, nodes and interfaces.
func (r *routerChecker) index() {
	for _, p := range r.at.all("peer") {
		r.peers[p.str("name")] = true
	}
	for _, n := range r.at.all("node") {
		ifs := make(map[string]*entry)
		for _, d := range n.all("device-interface") {
			for _, i := range d.all("network-interface") {
				ifs[i.str("name")] = i
			}
		}
		r.nodes[n.str("name")], r.interfaces[n.str("name")] = true, ifs
	}
}

// peer checks an entry of the peer list; a router of another authority cannot
// be checked.
func (r *routerChecker) peer(p *entry) {
	foreign := p.str("authority-name") != "" && p.str("authority-name") != r.auth.str("name")
	if n := p.kid("router-name"); n != nil && !foreign {
		r.routerName(n)
	}
}

// peerName checks a leaf that names a remote router or an entry of the
// router's peer list.
func (r *routerChecker) peerName(n *entry) {
	if n != nil && !r.peers[n.text] {
		r.routerName(n)
	}
}

func (r *routerChecker) routerName(n *entry) {
	switch {
	case n.text == "":
	case n.text == r.at.str("name"):
		r.err(n, "is this router itself", "another router")
	case !r.exists("router", n.text):
		r.err(n, "there is no such router", r.known("router"))
	}
}

func (r *routerChecker) serviceRoute(e *entry) {
	r.peerName(e.kid("peer"))
	for _, p := range e.all("next-peer") {
		r.peerName(p)
	}
	hops := e.all("next-hop")
	peers := e.kid("peer") != nil || e.kid("next-peer") != nil
	switch {
	case !peers && len(hops) == 0:
		r.err(e, "leads nowhere", "peer, next-peer or next-hop")
	case peers && len(hops) > 0:
		r.err(e, "leads to peers and to next-hops", "one of both")
	}
	for _, h := range hops {
		r.nextHop(h)
	}
}

// nextHop checks that node and interface exist and the gateway is on link.
func (r *routerChecker) nextHop(h *entry) {
	node, nif := h.kid("node-name"), h.kid("interface")
	if node == nil || nif == nil || r.read[r.at.below("node")] {
		return
	}
	ifs := r.interfaces[node.text]
	switch {
	case ifs == nil:
		r.err(node, "there is no such node", listed(r.nodes))
	case ifs[nif.text] == nil:
		r.err(nif, "there is no such network-interface", nameSet(ifs))
	default:
		r.onLink(h.kid("gateway-ip"), ifs[nif.text])
	}
}

func nameSet(m map[string]*entry) string {
	set := make(map[string]bool, len(m))
	for n := range m {
		set[n] = true
	}
	return listed(set)
}

// onLink checks a gateway against the subnets of its interface; with a dynamic one they
// are not known.
func (k *checker) onLink(gateway, nif *entry) {
	if gateway == nil || gateway.val == nil || nif.str("dhcp") != string(DHCPDisabled) ||
		nif.parent.str("type") == typePPPoE {
		return
	}
	ip := gateway.parent.addr("gateway-ip")
	nets := make(map[string]bool)
	for _, a := range nif.all("address") {
		subnet := decodeAddress(a).subnet()
		if !ip.IsValid() || subnet.Contains(ip) {
			return
		}
		nets[subnet.String()] = true
	}
	k.err(gateway, "is in no subnet of the interface", listed(nets))
}
