package config

import "strings"

// Three classes of leaves stand here in one place, so that nothing is accepted
// silently.
//
// Not yet effective: accepted when well-formed, with a warning unless the value
// is the default. A list or container stands for all that is below it. Who
// builds the feature deletes the row. Leaves of the vendor's model that the
// schema lacks are errors.
var notYet = []string{
	"authority/conductor-address",
	"authority/auto-install",
	"authority/dynamic-hostname",
	"authority/rekey-interval",
	"authority/enhanced-security-key-management",
	"authority/tenant/security",
	"authority/security/hmac",
	"authority/service-class/dscp",
	"authority/service-class/traffic-class",
	"authority/service-class/rate-limit",
	"authority/service-class/max-flow-rate",
	"authority/service-class/max-flow-burst",
	"authority/service-class/priority",
	"authority/service-policy/ingress-source-nat",
	"authority/service-policy/required-qp",
	"authority/service-policy/qp-preference",
	"authority/service/tap-multiplexing",
	"authority/service/application-type",
	"authority/service/application-name",
	"authority/service/fqdn-resolution-type",
	"authority/router/conductor-address",
	"authority/router/reverse-flow-enforcement",
	"authority/router/max-inter-node-way-points",
	"authority/router/peering-common-name",
	"authority/router/service-route/next-hop/source-nat-pool",
	"authority/router/node/forwarding-core-mode",
	"authority/router/node/forwarding-core-count",
	"authority/router/node/power-saver",
	"authority/router/node/reachability-detection",
	dev + "pci-address",
	dev + "link-settings",
	dev + "promiscuous-mode",
	dev + "strip-vlan",
	dev + "shared-phys-address",
	dev + "capture-filter",
	dev + "session-optimization",
	dev + "traffic-engineering",
	nif + "hostname",
	nif + "conductor",
	nif + "default-route",
	nif + "management",
	nif + "management-vector",
	nif + "icmp",
	nif + "prioritization-mode",
	nif + "rewrite-dscp",
	nif + "preserve-dscp",
	nif + "neighbor",
	nif + "traffic-engineering",
	nif + "address/utility-ip-address",
	nif + "address/ppp-peer-ip",
	nif + "address/in-subnet-arp-prefix",
	nif + "adjacency/source-nat-address",
	path + "qp-value",
	path + "payload-encryption-override",
	path + "post-encryption-padding",
	path + "packet-resiliency",
	path + "performance-monitoring",
	path + "session-optimization",
}

// Accepted and validated without a warning although what they drive comes with
// BFD and path steering, the next part to be built: the example uses them, and
// a file that is right then is right now.
var withBFD = []string{
	nif + "billing-type",
	path + "udp-transform/detect-interval",
}

// Notes for people: no packet depends on them, now or later.
var notes = []string{
	"authority/currency",
	"authority/service/service-group",
	"authority/security/encryption-iv",
	"authority/security/adaptive-encryption", // false is what we do; true is warned about by a check
	"authority/router/location",
	"authority/router/location-coordinates",
	"authority/router/administrative-group",
	"authority/router/node/location",
	"authority/router/node/asset-validation-enabled",
	nif + "billing-rate",
	nif + "carrier",
}

const (
	dev = "authority/router/node/device-interface/"
	nif = dev + "network-interface/"
	// path stands for both neighborhood and adjacency.
	path = nif + "PATH/"
)

// markNotYet flags the elements of the list above; a path that the schema lacks
// is a mistake of this package and panics.
func markNotYet(root *element) *element {
	for _, p := range notYet {
		for _, el := range elementsAt(root, p) {
			el.markBelow()
		}
	}
	return root
}

// elementsAt returns the elements of a path, two of them for PATH.
func elementsAt(root *element, p string) []*element {
	var found []*element
	for _, kind := range []string{"neighborhood", "adjacency"} {
		el := root.at(strings.Split(strings.Replace(p, "PATH", kind, 1), "/")...)
		if el == nil {
			panic("no element " + p)
		}
		if len(found) == 0 || found[0] != el {
			found = append(found, el)
		}
	}
	return found
}

func (e *element) markBelow() {
	e.notYet = true
	for _, c := range e.children {
		c.markBelow()
	}
}
