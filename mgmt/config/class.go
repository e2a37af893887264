package config

import (
	"slices"
	"strings"
)

// Class says what a change of a leaf costs the box that runs it.
type Class uint8

// Classes, the cheapest first.
const (
	Free      Class = iota // nothing is interrupted
	Readdress              // addresses change while it runs; sessions of other addresses live
	Restart                // a part begins anew; what the lane in the kernel forwards goes on as far as numbers stay
)

// String names the class as `compare` does.
func (c Class) String() string {
	return [...]string{"free", "re-address", "restart"}[c]
}

// Effect is what a change does, and to which part of the box.
type Effect struct {
	Class Class
	Part  string // process: "router"
}

// String says it in words: "restart router", "free".
func (e Effect) String() string {
	if e.Class == Restart {
		return "restart " + e.Part
	}
	return e.Class.String()
}

// freeNames are leaves that mean the same wherever they stand: notes.
var freeNames = []string{"description", "generated", "access-policy-generated"}

// free are leaves that nothing which runs depends on, besides those of notYet
// and notes, which are free by what they are.
var free = []string{
	"authority/router/node/asset-id",
	// Taken by the router under way.
	"authority/alarm-shelving",
	"authority/router/maintenance-mode",
	"authority/router/dns-config",
	"authority/router/system",
}

// readdress are changed under way. On an interface that peer paths begin on,
// or that takes its addresses from the network, the router restarts all the
// same, and says so.
var readdress = []string{
	nif + "address/ip-address",
	nif + "address/prefix-length",
	nif + "address/gateway",
}

// restartRouter is what the router learns when it starts: its tables have
// numbers that sessions refer to. A list or container stands for what is below.
var restartRouter = []string{
	"authority/name",
	"authority/tenant",
	"authority/security",
	"authority/service-class",
	"authority/session-type",
	"authority/service-policy",
	"authority/service",
	"authority/session-recovery-detection",
	"authority/router/name",
	"authority/router/group",
	"authority/router/router-group",
	"authority/router/inter-node-security",
	"authority/router/peer",
	"authority/router/service-route",
	"authority/router/node/name",
	"authority/router/node/role",
	"authority/router/node/enabled",
	dev + "name",
	dev + "type",
	dev + "target-interface",
	dev + "enabled",
	dev + "forwarding",
	dev + "pppoe",
	nif + "name",
	nif + "global-id",
	nif + "vlan",
	nif + "type",
	nif + "tenant",
	nif + "tenant-prefixes",
	nif + "dhcp",
	nif + "source-nat",
	nif + "mtu",
	nif + "enforced-mss",
	nif + "inter-router-security",
	nif + "billing-type",
	nif + "waymark",
	nif + "address/valid-waypoint",
	nif + "neighborhood",
	nif + "adjacency",
	nif + "bfd-neighbor",
	nif + "dhcp-client",
	nif + "host-service",
}

// effects are the rows by path.
var effects = func() map[string]Effect {
	rows := map[string]Effect{}
	for _, p := range append(slices.Clone(free), notes...) {
		rows[p] = Effect{Class: Free}
	}
	for _, p := range readdress {
		rows[p] = Effect{Readdress, "router"}
	}
	for _, p := range restartRouter {
		rows[p] = Effect{Restart, "router"}
	}
	return rows
}()

// effectOf returns the effect of a change at an element with this path of
// names. ok is false if no row covers it; it counts as the dearest then.
func effectOf(el *element, names []string) (e Effect, ok bool) {
	if el.notYet || slices.Contains(freeNames, el.name) {
		return Effect{Class: Free}, true
	}
	for n := len(names); n > 0; n-- {
		if e, ok := effects[strings.Join(names[:n], "/")]; ok {
			return e, true
		}
	}
	return Effect{Restart, "router"}, false
}
