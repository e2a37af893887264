package config

import (
	"net/netip"
	"time"
)

// The decode functions read one entry each. They never fail: what could not be
// read is the default, and a finding says so.

func decodeAuthority(e *entry) *Authority {
	return &Authority{
		Name:            e.str("name"),
		RekeyInterval:   get[time.Duration](e, "rekey-interval"),
		Inactivity:      decodeRecovery(e.sub("session-recovery-detection")),
		Shelves:         each(e.sub("alarm-shelving"), "shelf", decodeShelf),
		Tenants:         each(e, "tenant", decodeTenant),
		Security:        each(e, "security", decodeSecurity),
		ServiceClasses:  each(e, "service-class", decodeServiceClass),
		SessionTypes:    each(e, "session-type", decodeSessionType),
		ServicePolicies: each(e, "service-policy", decodeServicePolicy),
		Services:        each(e, "service", decodeService),
		Routers:         each(e, "router", decodeRouter),
	}
}

func decodeRecovery(e *entry) time.Duration {
	if e.str("mode") != "inactivity-based" {
		return 0
	}
	return e.dur("inactivity-timeout")
}

func decodeTenant(e *entry) Tenant {
	return Tenant{Name: e.str("name"), Description: e.str("description"), Security: e.str("security"),
		Members: each(e, "member", func(m *entry) TenantMember {
			return TenantMember{m.str("neighborhood"), prefixes(m, "address")}
		})}
}

func decodeSecurity(e *entry) Security {
	return Security{
		Name:               e.str("name"),
		Description:        e.str("description"),
		Encrypt:            e.flag("encrypt"),
		Cipher:             Cipher(e.str("encryption-cipher")),
		Key:                get[[]byte](e, "encryption-key"),
		IV:                 get[[]byte](e, "encryption-iv"),
		AdaptiveEncryption: e.flag("adaptive-encryption"),
		HMACMode:           HMACMode(e.str("hmac-mode")),
		HMACCipher:         HMACCipher(e.str("hmac-cipher")),
		HMACKey:            get[[]byte](e, "hmac-key"),
	}
}

func decodeServiceClass(e *entry) ServiceClass {
	return ServiceClass{e.str("name"), uint8(e.num("dscp")), e.str("traffic-class")}
}

func decodeSessionType(e *entry) SessionType {
	return SessionType{
		Name:           e.str("name"),
		ServiceClass:   e.str("service-class"),
		Timeout:        get[time.Duration](e, "timeout"),
		InitialTimeout: get[time.Duration](e, "initial-timeout"),
		NATKeepAlive:   e.flag("nat-keep-alive"),
		Transports:     each(e, "transport", decodeTransport),
	}
}

func decodeTransport(e *entry) Transport {
	return Transport{Protocol(e.str("protocol")), each(e, "port-range", decodePortRange)}
}

func decodePortRange(e *entry) PortRange {
	r := PortRange{Start: uint16(e.num("start-port")), End: uint16(e.num("end-port"))}
	if e.kid("end-port") == nil {
		r.End = r.Start
	}
	return r
}

func decodeServicePolicy(e *entry) ServicePolicy {
	return ServicePolicy{
		Name:              e.str("name"),
		Description:       e.str("description"),
		ServiceClass:      e.str("service-class"),
		LBStrategy:        e.str("lb-strategy"),
		BestPath:          e.str("best-path"),
		BestEffort:        e.flag("best-effort"),
		PathQualityFilter: e.flag("path-quality-filter"),
		MaxLoss:           get[float64](e, "max-loss"),
		MaxLatency:        get[time.Duration](e, "max-latency"),
		MaxJitter:         get[time.Duration](e, "max-jitter"),
		MinMOS:            get[float64](e, "min-mos"),
		Resiliency:        Resiliency(e.str("session-resiliency")),
		Enforcement:       StateEnforcement(e.str("transport-state-enforcement")),
		Vectors:           decodeVectors(e),
	}
}

// maxCost is the highest vector priority of the model.
const maxCost = 999999

// decodeVectors numbers the ordered vectors 1, 10, 100, … in list order.
func decodeVectors(e *entry) []Vector {
	cost := 1
	return each(e, "vector", func(v *entry) Vector {
		vec := Vector{Name: v.str("name")}
		switch n := get[int64](v, "priority"); {
		case n != 0:
			vec.Cost = int(n)
		case v.str("priority") == "never":
			vec.Never = true
		default:
			vec.Cost = min(cost, maxCost)
			cost = vec.Cost * 10
		}
		return vec
	})
}

func decodeService(e *entry) Service {
	return Service{
		Name:               e.str("name"),
		Description:        e.str("description"),
		Enabled:            e.flag("enabled"),
		Scope:              Scope(e.str("scope")),
		Addresses:          prefixes(e, "address"),
		Transports:         each(e, "transport", decodeTransport),
		AccessPolicies:     each(e, "access-policy", decodeAccess),
		Security:           e.str("security"),
		ServicePolicy:      e.str("service-policy"),
		ShareServiceRoutes: e.flag("share-service-routes"),
		SourceNAT:          e.str("source-nat"),
		AppliesTo:          each(e, "applies-to", decodeAppliesTo),
	}
}

func decodeAccess(e *entry) AccessPolicy {
	p := get[AccessPolicy](e, "source")
	p.Deny = e.str("permission") == "deny"
	return p
}

// prefixes returns a leaf-list of prefixes without host bits.
func prefixes(e *entry, name string) []netip.Prefix {
	ps := values[netip.Prefix](e, name)
	for i := range ps {
		ps[i] = ps[i].Masked()
	}
	return ps
}
