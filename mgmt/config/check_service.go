package config

import "strings"

// service checks one service and who may reach it.
func (k *checker) service(e *entry) {
	k.addresses(e)
	for _, p := range e.all("access-policy") {
		src := p.kid("source")
		if src == nil {
			continue
		}
		if t := get[AccessPolicy](p, "source").Tenant; t != "" && t != GlobalTenant && !k.exists("tenant", t) {
			k.err(src, "there is no such tenant", k.known("tenant"))
		}
	}
	for _, t := range e.all("transport") {
		k.icmpPorts(t)
	}
	for _, a := range e.all("applies-to") {
		k.appliesTo(a)
	}
}

// addresses warns about a service that can match nothing: neither addresses of
// its own nor those of a parent.
func (k *checker) addresses(e *entry) {
	if len(e.all("address")) > 0 {
		return
	}
	for n := e.str("name"); ; {
		_, parent, dotted := strings.Cut(n, ".")
		if !dotted {
			break
		}
		if k.names["service"][parent] {
			return
		}
		n = parent
	}
	k.add(Warning, e.below("address"), "", "is missing: the service matches nothing", "")
}

func (k *checker) icmpPorts(t *entry) {
	if r := t.kid("port-range"); r != nil && t.str("protocol") == string(ProtoICMP) {
		k.err(r, "icmp has no ports", "")
	}
}

func (k *checker) appliesTo(a *entry) {
	need := map[string]string{"router": "router-name", "router-group": "group-name"}[a.str("type")]
	if need != "" && a.kid(need) == nil {
		k.missing(a, need, "is missing: type is "+a.str("type"), "one or more")
	}
	for _, other := range []string{"router-name", "group-name"} {
		if x := a.kid(other); x != nil && other != need && a.str("type") != "" {
			k.err(x, "does not belong to type "+a.str("type"), "")
		}
	}
}

// neighborhoodsAndVectors warns about names that no interface has.
func (k *checker) neighborhoodsAndVectors() {
	hoods, vectors := make(map[string]bool), make(map[string]bool)
	var walk func(e *entry)
	walk = func(e *entry) {
		if e.el.name == "neighborhood" && e.el.shape == list {
			hoods[e.str("name")] = true
		}
		if e.el.name == "vector" && e.el.shape == leafList {
			vectors[e.text] = true
		}
		for _, c := range e.kids {
			walk(c)
		}
	}
	walk(k.auth)
	for _, p := range k.auth.all("service-policy") {
		k.unusedNames(p.all("vector"), "name", vectors, "no interface has this vector")
	}
	for _, t := range k.auth.all("tenant") {
		k.unusedNames(t.all("member"), "neighborhood", hoods, "no interface is in this neighborhood")
	}
}

func (k *checker) unusedNames(list []*entry, key string, have map[string]bool, problem string) {
	for _, e := range list {
		if n := e.kid(key); n != nil && !have[n.text] {
			k.warn(n, problem)
		}
	}
}
