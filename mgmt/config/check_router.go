package config

// router checks one router: its nodes, peers and service-routes.
func (k *checker) router(e *entry) {
	own := make(map[string]*entry)
	for _, n := range e.all("node") {
		k.node(n, own)
	}
	for _, p := range e.all("peer") {
		k.peer(e, p)
	}
	for _, r := range e.all("service-route") {
		k.serviceRoute(e, r)
	}
}

// peer checks an entry of the peer list; a router of another authority cannot
// be checked.
func (k *checker) peer(router, p *entry) {
	foreign := p.str("authority-name") != "" && p.str("authority-name") != k.auth.str("name")
	if n := p.kid("router-name"); n != nil && !foreign {
		k.routerName(router, n)
	}
}

// peerName checks a leaf that names a remote router or an entry of the
// router's peer list.
func (k *checker) peerName(router, n *entry) {
	if n == nil || n.text == "" {
		return
	}
	for _, p := range router.all("peer") {
		if p.str("name") == n.text {
			return
		}
	}
	k.routerName(router, n)
}

func (k *checker) routerName(router, n *entry) {
	switch {
	case n.text == "":
	case n.text == router.str("name"):
		k.err(n, "is this router itself", "another router")
	case !k.names["router"][n.text]:
		k.err(n, "there is no such router", k.known("router"))
	}
}

func (k *checker) serviceRoute(router, e *entry) {
	k.peerName(router, e.kid("peer"))
	for _, p := range e.all("next-peer") {
		k.peerName(router, p)
	}
	hops := e.all("next-hop")
	peers := e.kid("peer") != nil || e.kid("next-peer") != nil
	switch {
	case !peers && len(hops) == 0:
		k.err(e, "leads nowhere", "peer, next-peer or next-hop")
	case peers && len(hops) > 0:
		k.err(e, "leads to peers and to next-hops", "one of both")
	}
	for _, h := range hops {
		k.nextHop(router, h)
	}
}

// nextHop checks that node and interface exist and the gateway is on link.
func (k *checker) nextHop(router, h *entry) {
	nodeName, ifName := h.kid("node-name"), h.kid("interface")
	if nodeName == nil || ifName == nil {
		return
	}
	nodes := make(map[string]bool)
	var node *entry
	for _, n := range router.all("node") {
		if nodes[n.str("name")] = true; n.str("name") == nodeName.text {
			node = n
		}
	}
	if node == nil {
		k.err(nodeName, "there is no such node", listed(nodes))
		return
	}
	ifs := make(map[string]bool)
	for _, d := range node.all("device-interface") {
		for _, i := range d.all("network-interface") {
			ifs[i.str("name")] = true
			if i.str("name") == ifName.text {
				k.onLink(h.kid("gateway-ip"), i)
			}
		}
	}
	if !ifs[ifName.text] {
		k.err(ifName, "there is no such network-interface", listed(ifs))
	}
}

// onLink checks a gateway against the subnets of its interface; with dhcp they
// are not known.
func (k *checker) onLink(gateway, nif *entry) {
	if gateway == nil || gateway.val == nil || nif.str("dhcp") != string(DHCPDisabled) {
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
