package config

import (
	"net/netip"
	"time"
)

func decodePath(e *entry) PathLeaves {
	padding := e.str("ttl-padding")
	return PathLeaves{
		Vectors:               values[string](e, "vector"),
		Connectivity:          Connectivity(e.str("peer-connectivity")),
		ExternalNAT:           get[netip.Addr](e, "external-nat-address"),
		ExternalNATName:       e.str("external-nat-address"),
		PortRanges:            each(e, "port-range", decodePortRange),
		MaxWayPoints:          e.num("max-way-points"),
		BFD:                   decodeBFD(e.sub("bfd")),
		UDPTransform:          decodeTransform(e.sub("udp-transform")),
		NATKeepAlive:          decodeKeepAlive(e.sub("nat-keep-alive")),
		PathMTU:               PathMTU{e.sub("path-mtu-discovery").flag("enabled"), e.sub("path-mtu-discovery").dur("interval")},
		TTLPadding:            TTLPadding{padding == "auto", uint8(e.num("ttl-padding"))},
		EncapsulateICMPErrors: e.flag("encapsulate-icmp-error-messages"),
		EncryptionOverride:    e.str("payload-encryption-override") == "enable-encryption",
		PostEncryptionPadding: e.sub("post-encryption-padding").str("mode") == "enabled",
		Written:               written(e),
	}
}

func (e *entry) dur(name string) time.Duration { return get[time.Duration](e, name) }

func decodeBFD(e *entry) BFD {
	return BFD{
		Enabled:            e.str("state") == "enabled",
		AuthenticationType: e.str("authentication-type"),
		DesiredTx:          e.dur("desired-tx-interval"),
		RequiredMinRx:      e.dur("required-min-rx-interval"),
		Multiplier:         e.num("multiplier"),
		LinkTestInterval:   e.dur("link-test-interval"),
		LinkTestLength:     e.num("link-test-length"),
		DSCP:               uint8(e.num("dscp")),
		HoldDown:           e.dur("hold-down-time"),
		DynamicDamping:     e.str("dynamic-damping") == "enabled",
		MaximumHoldDown:    e.dur("maximum-hold-down-time"),
	}
}

func decodeTransform(e *entry) UDPTransform {
	return UDPTransform{
		Always:              e.str("mode") == "always-transform",
		DetectInterval:      e.dur("detect-interval"),
		NATKeepAlive:        e.str("nat-keep-alive-mode") == "enabled",
		NATKeepAliveTimeout: e.dur("nat-keep-alive-timeout"),
	}
}

func decodeKeepAlive(e *entry) NATKeepAlive {
	return NATKeepAlive{e.str("mode") == "auto", e.dur("tcp-inactivity-timeout"), e.dur("udp-inactivity-timeout")}
}

// written returns the leaves that stand in the file: "vector",
// "bfd.multiplier", "port-range".
func written(e *entry) map[string]bool {
	set := make(map[string]bool)
	for _, k := range e.kids {
		if k.el.shape != container {
			set[k.el.name] = true
			continue
		}
		for _, leaf := range k.kids {
			set[k.el.name+"."+leaf.el.name] = true
		}
	}
	return set
}
