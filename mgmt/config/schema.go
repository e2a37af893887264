package config

import (
	"sync"
	"time"
)

// root is the schema of a whole configuration file. It is built when it is first
// needed, because many processes of a box never do, and never written again.
var root = sync.OnceValue(func() *element {
	return markNotYet(cont("", "the file", schemaAuthority().must()))
})

func schemaAuthority() *element {
	return cont("authority", "every router under one administration",
		lf("name", name(), "", "name of the authority").must(),
		lf("description", text(1024), "", "free text"),
		ll("conductor-address", addressOrName(), "conductors of every router"),
		lf("auto-install", boolean(), "true", "install software when a box first connects"),
		lf("dynamic-hostname", text(255), "", "template for names of dynamic addresses"),
		lf("rekey-interval", orWord(duration(time.Hour, "hours", 1, 720), "never"), "never", "age at which keys are replaced"),
		lf("enhanced-security-key-management", boolean(), "false", "keys from certificates"),
		cont("session-recovery-detection", "how lost session state is noticed",
			lf("mode", enum("packet-based", "inactivity-based"), "packet-based", "what shows the loss"),
			lf("inactivity-timeout", seconds(1, 30), "5", "silence before a check")),
		lf("currency", text(16), "USD", "of billing-rate"),
		schemaShelving(),
		schemaTenant(),
		schemaSecurity(),
		schemaServiceClass(),
		schemaSessionType(),
		schemaServicePolicy(),
		schemaService(),
		schemaRouter(),
	)
}

func schemaTenant() *element {
	return listOf("tenant", "name", "a group of sources",
		lf("name", name(), "", "dots make child.parent"),
		lf("description", text(1024), "", "free text"),
		lf("generated", boolean(), "false", "made by a conductor"),
		lf("security", name(), "", "payload policy of the tenant's sessions").to("security"),
		listOf("member", "neighborhood", "sources that belong to the tenant",
			lf("neighborhood", name(), "", "where the sources are seen"),
			ll("address", prefix(), "source prefixes").must()),
	)
}

func schemaSecurity() *element {
	return listOf("security", "name", "a policy of ciphers and keys",
		lf("name", name(), "", "name of the policy"),
		lf("description", text(1024), "", "free text"),
		lf("encrypt", boolean(), "true", "encrypt metadata or payload"),
		lf("encryption-cipher", enum(string(CipherCBC128), string(CipherCBC256), string(CipherGCM128), string(CipherGCM256)),
			string(CipherCBC128), "cipher"),
		lf("encryption-key", hexBytes(32, 64), "", "key, as long as the cipher wants").hide(),
		lf("encryption-iv", hexBytes(32), "", "primes the vendor's IVs; unused here").hide(),
		lf("adaptive-encryption", boolean(), "true", "leave alone what is encrypted already"),
		lf("hmac", boolean(), "true", "deprecated, see hmac-mode"),
		lf("hmac-mode", enum(string(HMACDisabled), string(HMACRegular), string(HMACTimeBased)),
			string(HMACTimeBased), "whether packets end in a digest"),
		lf("hmac-cipher", enumLater([]string{"sha384", "sha512"}, string(HMACSHA1), string(HMACSHA256), string(HMACSHA256128)),
			string(HMACSHA256128), "digest"),
		lf("hmac-key", hexBytes(8, 16, 32, 40, 64), "", "key of the digest").hide(),
	)
}

func schemaServiceClass() *element {
	return listOf("service-class", "name", "treatment of packets",
		lf("name", name(), "", "name of the class"),
		lf("description", text(1024), "", "free text"),
		lf("dscp", integer(0, 63), "0", "mark of the packets"),
		lf("traffic-class", enum("high", "medium", "low", "best-effort"), "best-effort", "queue"),
		lf("rate-limit", boolean(), "false", "police the flows"),
		lf("max-flow-rate", integer(0, 999999999999), "", "bits per second"),
		lf("max-flow-burst", integer(0, 999999999999), "", "bits"),
		lf("priority", integer(0, 3), "", "deprecated"),
	)
}

func schemaSessionType() *element {
	const day = 24 * 3600 * 1000
	return listOf("session-type", "name", "timers of sessions by protocol and port",
		lf("name", name(), "", "name of the type"),
		lf("description", text(1024), "", "free text"),
		lf("service-class", name(), "", "class of the sessions").to("service-class").must(),
		lf("timeout", millis(1, 30*day), "180000", "idle time of an established session"),
		lf("initial-timeout", millis(1, day), "10000", "idle time until it is established"),
		lf("nat-keep-alive", boolean(), "false", "keep NAT bindings of these sessions"),
		schemaTransport([]string{"gre", "esp", "pim"}),
	)
}

// schemaTransport is the transport list; later names protocols of the model
// that are not built.
func schemaTransport(later []string) *element {
	return listOf("transport", "protocol", "protocol and ports",
		lf("protocol", enumLater(later, string(ProtoTCP), string(ProtoUDP), string(ProtoICMP)), "", "protocol"),
		schemaPortRange(1, "ports; none: all"),
	)
}

func schemaPortRange(lo int64, doc string) *element {
	return listOf("port-range", "start-port", doc,
		lf("start-port", integer(lo, 65535), "", "first port"),
		lf("end-port", integer(lo, 65535), "", "last port; default the first"))
}

func schemaServicePolicy() *element {
	mos := orWord(decimal(1, 5), "disabled")
	return listOf("service-policy", "name", "how sessions choose and keep a path",
		lf("name", name(), "", "name of the policy"),
		lf("description", text(1024), "", "free text"),
		lf("generated", boolean(), "false", "made by a conductor"),
		lf("service-class", name(), "", "class of the sessions").to("service-class"),
		lf("lb-strategy", enum("hunt", "proportional"), "hunt", "fill the best path first, or share"),
		lf("best-path", enum(BestVector, BestLatency, BestMOS), BestVector, "what makes a path best"),
		lf("best-effort", boolean(), "true", "use a poor path rather than none"),
		lf("path-quality-filter", boolean(), "false", "refuse paths beyond the limits"),
		lf("max-loss", decimal(0, 100), "0.5", "percent"),
		lf("max-latency", millis(0, 4294967295), "250", "of the path"),
		lf("max-jitter", millis(0, 4294967295), "100", "of the path"),
		lf("min-mos", mos, "disabled", "least voice quality"),
		lf("session-resiliency", enumLater([]string{"packet-duplication"}, string(ResiliencyNone), string(ResiliencyFailover),
			string(ResiliencyRevertibleFailover)), string(ResiliencyNone), "what a lost path does to sessions"),
		lf("transport-state-enforcement", enum(string(EnforceAllow), string(EnforceBlock), string(EnforceReset)),
			string(EnforceReset), "TCP packets out of state"),
		lf("ingress-source-nat", boolean(), "false", "source NAT at ingress"),
		lf("required-qp", integer(0, 4294967295), "", "deprecated"),
		lf("qp-preference", enum("highest", "lowest"), "", "deprecated"),
		listOf("vector", "name", "preference of paths",
			lf("name", name(), "", "vector of a neighborhood"),
			lf("priority", orWord(integer(1, 999999), "ordered", "never"), "ordered", "cost, or by place in the list")),
	)
}

func schemaService() *element {
	return listOf("service", "name", "a destination and who may reach it",
		lf("name", name(), "", "dots make child.parent"),
		lf("description", text(1024), "", "free text"),
		lf("enabled", boolean(), "true", "false takes the service away"),
		lf("generated", boolean(), "false", "made by a conductor"),
		lf("access-policy-generated", boolean(), "false", "made by a conductor"),
		lf("scope", enum(string(ScopePublic), string(ScopePrivate)), string(ScopePrivate), "private hides its addresses from public ones"),
		ll("address", prefix(), "destinations"),
		schemaTransport([]string{"gre", "esp", "pim"}),
		listOf("access-policy", "source", "who may, who may not",
			lf("source", source(), "", "tenant, prefix or both"),
			lf("permission", enum("allow", "deny"), "allow", "what the source may")),
		lf("security", name(), "", "payload policy").to("security"),
		lf("service-policy", name(), "", "choice of paths").to("service-policy"),
		lf("share-service-routes", boolean(), "true", "child services use these routes"),
		lf("source-nat", enum("network-interface", "disabled"), "network-interface", "as the egress interface says, or never"),
		lf("tap-multiplexing", boolean(), "false", "mirror sessions"),
		lf("application-type", enum("generic", "dhcp-relay", "dns-proxy", "ftp-control", "ftp-data"), "generic", "gateway for the application"),
		lf("application-name", text(255), "", "application by name"),
		lf("service-group", name(), "", "for reports"),
		lf("fqdn-resolution-type", enum("v4", "v6"), "v4", "family of host names"),
		schemaAppliesTo("routers that have the service; none: all"),
	)
}
