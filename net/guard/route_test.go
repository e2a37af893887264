package guard_test

import (
	"net/netip"

	"waymark/net/route"
	"waymark/net/rtnl"
)

func addDefault(c *rtnl.Conn, index int, gw string) error {
	_, err := route.Apply(c, []route.Route{{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: netip.MustParseAddr(gw), Index: index}})
	return err
}
