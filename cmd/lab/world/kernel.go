package world

import "fmt"

// kernelHosts are branch, hub and ISP as plain Linux routers: the same network
// without SVR. The ISP has to know the private prefixes, which it need not
// when SVR carries them.
var kernelHosts = []host{
	{ns: Branch, forward: true,
		addrs:  []string{"lan0 192.168.1.1/24", "lan0 fd00:1::1/64", "wan0 203.0.113.2/24", "wan0 fd00:f::2/64"},
		routes: []string{"default via 203.0.113.1", "default via fd00:f::1"}},
	{ns: Hub, forward: true,
		addrs:  []string{"lan0 10.20.0.1/24", "lan0 fd00:20::1/64", "wan0 198.51.100.2/24", "wan0 fd00:e::2/64"},
		routes: []string{"default via 198.51.100.1", "default via fd00:e::1"}},
	{ns: ISPFiber, forward: true,
		addrs: []string{"branch fd00:f::1/64", "hub fd00:e::1/64"},
		routes: []string{"192.168.1.0/24 via 203.0.113.2", "fd00:1::/64 via fd00:f::2",
			"10.20.0.0/24 via 198.51.100.2", "fd00:20::/64 via fd00:e::2"}},
}

// branchNAT is source NAT of the branch towards the public internet only.
const branchNAT = `table ip branch {
	chain post {
		type nat hook postrouting priority 100; policy accept;
		oifname "wan0" ip daddr != 10.20.0.0/24 masquerade
	}
}
`

// KernelRouters makes branch and hub ordinary kernel routers: what the benches
// compare with, and the proof that a world itself is sound.
func (w *World) KernelRouters() error {
	for _, h := range kernelHosts {
		if err := w.ipBatch(h.ns, h.script()); err != nil {
			return fmt.Errorf("set up kernel router %s: %w", h.ns, err)
		}
		if err := w.SetSysctls(h.ns, "net/ipv4/ip_forward=1", "net/ipv6/conf/all/forwarding=1"); err != nil {
			return err
		}
	}
	return w.nft(Branch, branchNAT)
}
