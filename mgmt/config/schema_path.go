package config

func schemaNeighborhood() *element {
	leaves := []*element{
		lf("name", name(), "", "network that peers share"),
		lf("topology", enum(string(TopologyMesh), string(TopologyHub), string(TopologySpoke)), string(TopologySpoke), "who peers with whom"),
	}
	return listOf("neighborhood", "name", "network that peers may share", append(leaves, pathLeaves()...)...)
}

func schemaAdjacency() *element {
	leaves := []*element{
		lf("ip-address", addressOrName(), "", "waypoint of the peer"),
		lf("peer", name(), "", "router behind it"),
		lf("generated", boolean(), "false", "made by a conductor"),
		lf("cost", integer(0, 4294967295), "0", "of the path"),
		lf("inter-router-security", name(), "", "policy we send with").to("security"),
		ll("source-nat-address", prefix(), "where the peer's packets may come from"),
	}
	return listOf("adjacency", "ip-address peer", "a peer path", append(leaves, pathLeaves()...)...)
}

// pathLeaves are the leaves that neighborhood and adjacency share.
func pathLeaves() []*element {
	return []*element{
		ll("vector", name(), "names that service-policies prefer"),
		lf("peer-connectivity", enum(string(Bidirectional), string(OutboundOnly)), string(Bidirectional), "who can start"),
		lf("peer-path-overlay", enumLater([]string{"bfd-tunnel"}, "svr"), "svr", "how packets travel"),
		lf("external-nat-address", addressOrName(), "", "our address as peers see it"),
		schemaPortRange(1025, "ports that peers may use; none: 16385-65533"),
		lf("max-way-points", integer(50000, 1000000), "50000", "live sessions of a path"),
		lf("qp-value", integer(0, 4294967295), "0", "deprecated"),
		schemaBFD(),
		schemaUDPTransform(),
		cont("nat-keep-alive", "NAT bindings of sessions",
			lf("mode", enum("auto", "disabled"), "auto", "whether they are kept"),
			lf("tcp-inactivity-timeout", seconds(1, 86400), "1800", "spacing for TCP"),
			lf("udp-inactivity-timeout", seconds(1, 86400), "30", "spacing for UDP")),
		cont("path-mtu-discovery", "MTU of the path",
			lf("enabled", boolean(), "false", "probe it"),
			lf("interval", seconds(1, 86400), "600", "between probes")),
		lf("ttl-padding", orWord(integer(0, 255), "auto", "disabled"), "disabled", "hop limit the path adds"),
		lf("encapsulate-icmp-error-messages", boolean(), "false", "carry ICMP errors in UDP"),
		lf("payload-encryption-override", enum("enable-encryption", "disable-override"), "disable-override", "encrypt clear services here"),
		cont("post-encryption-padding", "one byte behind the ciphertext",
			lf("mode", enum("disabled", "enabled"), "disabled", "whether it is added")),
		cont("packet-resiliency", "duplicates",
			lf("enabled", boolean(), "true", "allow them on this path")),
		cont("performance-monitoring", "quality of sessions",
			lf("enabled", boolean(), "false", "measure it"),
			lf("profile", name(), "", "how")),
		cont("session-optimization", "acceleration",
			lf("mode", enum("never-on", "auto"), "", "whether it is used")),
	}
}

func schemaBFD() *element {
	return cont("bfd", "liveness and quality of the path",
		lf("state", enum("enabled", "disabled"), "enabled", "whether BFD runs"),
		lf("authentication-type", enum("simple", "sha256"), "sha256", "how packets are signed"),
		lf("desired-tx-interval", millis(50, 600000), "1000", "between our packets"),
		lf("required-min-rx-interval", millis(0, 4294967295), "1000", "least we can take"),
		lf("multiplier", integer(3, 20), "3", "missed packets until down"),
		lf("link-test-interval", seconds(1, 86400), "10", "between tests"),
		lf("link-test-length", integer(0, 255), "10", "packets of a test; 0: off"),
		lf("dscp", integer(0, 63), "0", "mark"),
		lf("hold-down-time", seconds(1, 300), "5", "until an up path is used"),
		lf("dynamic-damping", enum("enabled", "disabled"), "disabled", "longer after each flap"),
		lf("maximum-hold-down-time", seconds(1, 86400), "3600", "end of that"),
	)
}

func schemaUDPTransform() *element {
	return cont("udp-transform", "TCP and ICMP in UDP",
		lf("mode", enum("auto-detect", "always-transform"), "auto-detect", "when"),
		lf("detect-interval", seconds(1, 86400), "300", "between looks for a firewall"),
		lf("nat-keep-alive-mode", enum("disabled", "enabled"), "disabled", "keep NAT bindings"),
		lf("nat-keep-alive-timeout", seconds(1, 86400), "30", "spacing"),
	)
}
