package config

import "fmt"

// typePPPoE is the type of device-interfaces that dial in.
const typePPPoE = "pppoe"

// MaxPPPoEMTU is the largest packet of a PPPoE session (RFC 4638).
const MaxPPPoEMTU = 1500

// PPPoE says how a device-interface dials in.
type PPPoE struct {
	User, Password     string
	PAP                bool   // authentication-protocol pap, else chap
	ServiceName        string // "": any
	AccessConcentrator string // its name; "": any
}

// schemaPPPoE is the vendor's container; service-name and access-concentrator
// are ours.
func schemaPPPoE() *element {
	return cont("pppoe", "how to dial in",
		lf("user-name", text(255), "", "who we are").must(),
		lf("password", text(255), "", "its password").must().hide(),
		lf("authentication-protocol", enum("chap", "pap"), "chap", "how to prove it"),
		lf("service-name", text(255), "", "service to ask for; default: any"),
		lf("access-concentrator", text(255), "", "name of the only one to dial; default: any"))
}

func decodePPPoE(device *entry) *PPPoE {
	if device.str("type") != typePPPoE {
		return nil
	}
	e := device.sub("pppoe")
	return &PPPoE{User: e.str("user-name"), Password: e.str("password"), PAP: e.str("authentication-protocol") == "pap",
		ServiceName: e.str("service-name"), AccessConcentrator: e.str("access-concentrator")}
}

// pppoe checks what belongs together on a device-interface that dials in.
func (r *routerChecker) pppoe(d *entry) {
	if d.str("type") != typePPPoE {
		if p := d.kid("pppoe"); p != nil {
			r.err(p, "stands in a device-interface that does not dial in", "type pppoe")
		}
		return
	}
	if d.kid("pppoe") == nil {
		r.missing(d, "pppoe", "is missing: the device-interface dials in", "")
	}
	ifs := d.all("network-interface")
	if len(ifs) > 1 {
		r.err(ifs[1], "is the second of a device-interface that dials in", "one per session")
	}
	for _, i := range ifs {
		r.session(i)
	}
}

// maxLinkName is the longest name of a Linux interface (IFNAMSIZ less its zero).
const maxLinkName = 15

// TaggedLine names the VLAN device that a session on a tagged port runs on.
func TaggedLine(port string, tag int) string { return fmt.Sprintf("%s.%d", port, tag) }

// taggedLine refuses a tag that gives the line a name which is another's, or
// longer than names can be.
func (r *routerChecker) taggedLine(i *entry) {
	tag, device := int(i.num("vlan")), i.parent
	if tag == 0 {
		return
	}
	name := TaggedLine(device.str("target-interface"), tag)
	if len(name) > maxLinkName {
		r.err(i.kid("vlan"), fmt.Sprintf("makes the name of the line, %s, too long", name), fmt.Sprintf("%d characters", maxLinkName))
	}
	for _, d := range device.parent.all("device-interface") {
		if d.str("target-interface") == name {
			r.err(i.kid("vlan"), fmt.Sprintf("makes the line %s, which is the port of %s", name, d.path()), "")
		}
	}
}

// session checks the network-interface of a session.
func (r *routerChecker) session(i *entry) {
	r.taggedLine(i)
	if i.str("dhcp") != string(DHCPDisabled) {
		r.err(i.kid("dhcp"), "stands beside pppoe: the address comes with the session", string(DHCPDisabled))
	}
	if mtu := i.num("mtu"); mtu > MaxPPPoEMTU {
		r.err(i.kid("mtu"), "is too large for a PPPoE session", fmt.Sprintf("576-%d", MaxPPPoEMTU))
	}
	for _, a := range i.all("address") {
		if a.addr("ip-address").Is4() {
			r.err(a.kid("ip-address"), "stands beside pppoe: the address comes with the session", "")
		}
	}
}
