package config

import "net/netip"

// Values of dns-config > mode.
const (
	dnsAutomatic = "automatic"
	dnsStatic    = "static"
)

// maxServers bounds the DNS servers and the NTP servers of a router.
const maxServers = 4

// schemaDNSConfig is a list as in the vendor's model, where mode is its key.
func schemaDNSConfig() *element {
	return listOf("dns-config", "mode", "resolvers of the box, one entry",
		lf("mode", enum(dnsAutomatic, dnsStatic), "", "as the networks say, or the addresses here"),
		ll("address", address(), "resolvers, in order"))
}

func schemaSystem() *element {
	return cont("system", "the box itself",
		cont("ntp", "where the time comes from",
			listOf("server", "ip-address", "time servers",
				lf("ip-address", addressOrName(), "", "address or host name"))))
}

// decodeHost fills what the box uses for itself.
func (r *Router) decodeHost(e *entry) {
	for _, d := range e.all("dns-config") {
		if d.str("mode") == dnsStatic {
			r.Resolvers = values[netip.Addr](d, "address")
		}
	}
	for _, s := range e.sub("system").sub("ntp").all("server") {
		r.TimeServers = append(r.TimeServers, s.kid("ip-address").text)
	}
}

// host checks resolvers and time servers of a router.
func (r *routerChecker) host() {
	list := r.at.all("dns-config")
	if len(list) > 1 {
		r.err(list[1], "is a second mode", "one entry")
	}
	for _, d := range list {
		switch n := len(d.all("address")); {
		case d.str("mode") == dnsStatic && n == 0:
			r.missing(d, "address", "is missing", "1-4 addresses")
		case d.str("mode") == dnsAutomatic && n > 0:
			r.err(d.kid("address"), "stands beside mode automatic", "mode static")
		case n > maxServers:
			r.err(d.all("address")[maxServers], "is one too many", "1-4 addresses")
		}
	}
	if s := r.at.sub("system").sub("ntp").all("server"); len(s) > maxServers {
		r.err(s[maxServers], "is one too many", "1-4 servers")
	}
}
