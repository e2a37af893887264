package config

import (
	"net/netip"
	"time"
)

// BFDAuth is bfd-neighbor > authentication.
type BFDAuth string

// Values of bfd-neighbor > authentication.
const (
	BFDAuthNone       BFDAuth = "none"
	BFDAuthKeyed      BFDAuth = "keyed-sha1"
	BFDAuthMeticulous BFDAuth = "meticulous-sha1"
)

// BFDNeighbor is a standard BFD neighbour (RFC 5880) on a network-interface. It
// is no peer and carries no sessions.
type BFDNeighbor struct {
	Address        netip.Addr
	Port           uint16 // 1280, 3784 (single hop) or 4784 (multihop)
	Authentication BFDAuth
	KeyID          uint8
	Password       string // at most 20 bytes
	DesiredTx      time.Duration
	RequiredMinRx  time.Duration
	Multiplier     int
	Passive        bool
	Demand         bool
}

func schemaBFDNeighbor() *element {
	return listOf("bfd-neighbor", "ip-address", "standard BFD neighbours",
		lf("ip-address", address(), "", "address of the neighbour"),
		lf("port", bfdPorts(), "4784", "1280, 3784 for a single hop, 4784 for several"),
		lf("authentication", enum(string(BFDAuthNone), string(BFDAuthKeyed), string(BFDAuthMeticulous)), string(BFDAuthNone), "RFC 5880 6.7"),
		lf("key-id", integer(0, 255), "1", "number of the password"),
		lf("password", text(20), "", "shared secret").hide(),
		lf("desired-tx-interval", millis(50, 600000), "1000", "between our packets"),
		lf("required-min-rx-interval", millis(0, 600000), "1000", "least we can take; 0: none"),
		lf("multiplier", integer(3, 20), "3", "missed packets until down"),
		lf("passive", boolean(), "false", "wait for the neighbour to speak first"),
		lf("demand-mode", boolean(), "false", "ask for silence while both are up"),
	)
}

// bfdPorts are the ports of BFD that we serve.
func bfdPorts() valueType {
	return valueType{json: jNumber, allowed: "1280, 3784, 4784", words: []string{"1280", "3784", "4784"}, read: func(s string) (any, string) {
		n, problem := readInt(s, 1, 65535)
		if problem == "" && n != 1280 && n != 3784 && n != 4784 {
			problem = "is no port of BFD"
		}
		return n, problem
	}}
}

func decodeBFDNeighbor(e *entry) BFDNeighbor {
	return BFDNeighbor{
		Address: e.addr("ip-address"), Port: uint16(e.num("port")), Authentication: BFDAuth(e.str("authentication")),
		KeyID: uint8(e.num("key-id")), Password: e.str("password"),
		DesiredTx: e.dur("desired-tx-interval"), RequiredMinRx: e.dur("required-min-rx-interval"),
		Multiplier: e.num("multiplier"), Passive: e.flag("passive"), Demand: e.flag("demand-mode"),
	}
}

// bfdNeighbors checks the BFD neighbours of an interface, and what its paths
// want of BFD.
func (r *routerChecker) bfdNeighbors(e *entry, ni *NetworkInterface) {
	for _, n := range e.all("bfd-neighbor") {
		c := decodeBFDNeighbor(n)
		for _, a := range ni.Addresses {
			if c.Address.IsValid() && a.IP == c.Address {
				r.err(n.kid("ip-address"), "is our own address", "")
			}
		}
		if (c.Authentication == BFDAuthNone) != (c.Password == "") {
			r.missing(n, "password", "and authentication go together", "")
		}
		if ni.VLAN != 0 && c.Port != 1280 {
			r.err(n.kid("ip-address"), "is on a VLAN: only port 1280 is served there", "")
		}
	}
	for _, x := range append(e.all("neighborhood"), e.all("adjacency")...) {
		if a := x.sub("bfd").kid("authentication-type"); a != nil && x.sub("bfd").str("authentication-type") == "simple" {
			r.warn(a, "is not built: packets are signed with sha256")
		}
	}
}
