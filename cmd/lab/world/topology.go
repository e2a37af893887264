package world

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// The branch's and the hub's interfaces carry the names that acme.json gives as
// target-interface; an ISP's interface is named after whom it faces.
var standardCables = []cable{
	{a: end{Client, "eth0"}, b: end{Branch, "lan0"}},
	{a: end{Guest, "eth0"}, b: end{Branch, "lan1"}},
	{a: end{Branch, "wan0"}, b: end{ISPFiber, "branch"}, wan: true},
	{a: end{Branch, "wan1"}, b: end{ISPLTE, "branch"}, wan: true},
	{a: end{ISPLTE, "up"}, b: end{ISPFiber, "lte"}, wan: true},
	{a: end{Hub, "wan0"}, b: end{ISPFiber, "hub"}, wan: true},
	{a: end{Hub, "lan0"}, b: end{Server, "eth0"}},
	{a: end{Internet, "eth0"}, b: end{ISPFiber, "inet"}},
}

// host is what the world itself sets in a namespace. The branch's and the hub's
// addresses are set by their routers, so they have none here.
type host struct {
	ns      string
	addrs   []string // "INTERFACE PREFIX"
	routes  []string // arguments of `ip route replace`
	forward bool     // an ordinary kernel router
}

var hosts = []host{
	{ns: Client,
		addrs:  []string{"eth0 192.168.1.10/24", "eth0 fd00:1::10/64"},
		routes: []string{"default via 192.168.1.1", "default via fd00:1::1"}},
	{ns: Guest,
		addrs:  []string{"eth0 192.168.20.10/24"},
		routes: []string{"default via 192.168.20.1"}},
	{ns: Branch},
	{ns: ISPFiber, forward: true,
		addrs: []string{"branch 203.0.113.1/24", "hub 198.51.100.1/24", "inet 192.0.2.1/24", "lte 198.18.0.1/30"}},
	{ns: ISPLTE, forward: true,
		addrs:  []string{"branch 100.64.0.1/24", "up 198.18.0.2/30"},
		routes: []string{"default via 198.18.0.1"}},
	{ns: Hub},
	{ns: Server,
		addrs: []string{"eth0 10.20.0.5/24", "eth0 10.20.0.80/24", "eth0 fd00:20::5/64", "eth0 fd00:20::80/64"},
		// The branch's LAN lies behind the hub; so does everything else.
		routes: []string{"default via 10.20.0.1", "default via fd00:20::1"}},
	{ns: Internet,
		addrs:  []string{"eth0 192.0.2.10/24"},
		routes: []string{"default via 192.0.2.1"}},
}

// lteLease is what a DHCP client would have put on the branch's LTE port.
var lteLease = host{ns: Branch,
	addrs:  []string{"wan1 100.64.0.10/24"},
	routes: []string{"default via 100.64.0.1 dev wan1 metric 500"}}

// carrierNAT makes isp-lte hide its customers behind its own address, the port
// chosen anew: what carrier-grade NAT does.
const carrierNAT = `table ip carrier {
	chain post {
		type nat hook postrouting priority 100; policy accept;
		oifname "up" masquerade random
	}
}
`

// build makes namespaces, links, addresses and routes.
func (w *World) build() error {
	steps := []func() error{w.makeSpaces, w.makeCables, w.setUpHosts, w.loadNAT, w.waitCarrier}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) makeSpaces() error {
	for _, h := range hosts {
		if err := w.AddNamespace(h.ns, h.forward); err != nil {
			return err
		}
	}
	return nil
}

// AddNamespace makes one more namespace, its loopback up. forward makes it an
// ordinary kernel router for IPv4; routers of ours and hosts do not forward.
func (w *World) AddNamespace(ns string, forward bool) error {
	w.mu.Lock()
	w.spaces = append(w.spaces, ns)
	err := w.saveState() // first the note, then the thing, so that nothing can be forgotten
	w.mu.Unlock()
	if err != nil {
		return fmt.Errorf("note namespace %s: %w", ns, err)
	}
	if err := w.makeNamespace(ns); err != nil {
		return err
	}
	if err := w.ipBatch(ns, "link set dev lo up\n"); err != nil {
		return err
	}
	// Before any link exists, so that "default" reaches all of them.
	err = w.SetSysctls(ns, fmt.Sprintf("net/ipv4/ip_forward=%d", oneIf(forward)),
		"net/ipv4/conf/default/rp_filter=0", "net/ipv4/conf/all/rp_filter=0",
		"net/ipv6/conf/default/accept_dad=0", "net/ipv6/conf/default/accept_ra=0",
		"net/ipv4/icmp_ratelimit=0", "net/ipv6/icmp/ratelimit=0")
	if err != nil {
		return fmt.Errorf("set sysctls of %s: %w", ns, err)
	}
	return nil
}

// makeNamespace has ip make it, one process at a time: the first one on a machine
// also makes the place for all of them, and two of those get in each other's way.
func (w *World) makeNamespace(ns string) error {
	root, err := os.Open(RunRoot)
	if err != nil {
		return fmt.Errorf("open worlds: %w", err)
	}
	defer root.Close() // and with it the lock
	if err := syscall.Flock(int(root.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock worlds: %w", err)
	}
	return w.ipBatch("", fmt.Sprintf("netns add %s\n", w.NS(ns)))
}

func oneIf(b bool) int {
	if b {
		return 1
	}
	return 0
}

// IP runs lines of arguments of the ip command in a namespace, such as
// "address add 192.0.2.1/24 dev eth0" or "route add default via 192.0.2.2".
func (w *World) IP(ns string, lines ...string) error {
	return w.ipBatch(ns, strings.Join(lines, "\n")+"\n")
}

func (w *World) setUpHosts() error {
	for _, h := range hosts {
		if err := w.ipBatch(h.ns, h.script()); err != nil {
			return err
		}
	}
	if w.opts.NoLTE {
		return nil
	}
	return w.LeaseLTE()
}

// script is the host's addresses and routes as a batch for ip; it may run again.
func (h host) script() string {
	var b strings.Builder
	for _, a := range h.addrs {
		dev, prefix, _ := strings.Cut(a, " ")
		nodad := ""
		if strings.Contains(prefix, ":") {
			nodad = " nodad"
		}
		fmt.Fprintf(&b, "address replace %s dev %s%s\n", prefix, dev, nodad)
	}
	for _, r := range h.routes {
		fmt.Fprintf(&b, "route replace %s\n", r)
	}
	return b.String()
}

func (w *World) loadNAT() error {
	return w.nft(ISPLTE, carrierNAT)
}

// LeaseLTE gives the branch's LTE port the address and default route that a
// DHCP client would; the world has done so unless Options.NoLTE.
func (w *World) LeaseLTE() error {
	w.mu.Lock()
	w.leased = true
	w.mu.Unlock()
	return w.ipBatch(Branch, lteLease.script())
}
