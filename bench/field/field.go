// Package field lays out the networks in which contestants run: a client, one
// or two routers and a server in a row, each in a network namespace.
package field

import (
	"fmt"
	"net"
	"net/netip"

	"waymark/cmd/lab/world"
	"waymark/net/netns"
)

// Interfaces of every line. The client's and the server's are called Eth.
const (
	Eth = "eth0"
	LAN = "lan0" // of a router, towards the client or the server
	WAN = "wan0" // of a router, towards the other router (one router: the server)
)

// Addresses of every line.
var (
	ClientAddr = netip.MustParseAddr("10.1.0.2")  // in 10.1.0.0/16
	ServerAddr = netip.MustParseAddr("10.2.0.2")  // in 10.2.0.0/16
	ServerSix  = netip.MustParseAddr("fd00:2::2") // in fd00:2::/64, after Six
	WestWAN    = netip.MustParseAddr("10.3.0.1")  // in 10.3.0.0/24, two routers
	EastWAN    = netip.MustParseAddr("10.3.0.2")
)

// Line is a row of namespaces: client, West, East, server. East is empty in a
// line of one router, West too in a line of none.
type Line struct {
	World  *world.World
	Client string // names within the world
	West   string
	East   string
	Middle string // between the routers' WAN interfaces when there is a tap: its ends are w0 and e0
	Server string
}

// New makes a line of 0, 1 or 2 routers whose namespaces' names begin with tag.
// The client's and the server's interfaces have their addresses; a router's
// have none. tap puts a namespace between two routers.
func New(w *world.World, tag string, routers int, tap bool) (*Line, error) {
	l := &Line{World: w, Client: tag + "-c", Server: tag + "-s"}
	if routers > 0 {
		l.West = tag + "-w"
	}
	if routers > 1 {
		l.East = tag + "-e"
	}
	if tap {
		l.Middle = tag + "-m"
	}
	for _, ns := range []string{l.Client, l.West, l.Middle, l.East, l.Server} {
		if ns == "" {
			continue
		}
		if err := w.AddNamespace(ns, false); err != nil {
			return nil, fmt.Errorf("make line %s: %w", tag, err)
		}
	}
	for _, c := range l.cables() {
		if err := w.AddCable(c[0], c[1], c[2], c[3]); err != nil {
			return nil, fmt.Errorf("make line %s: %w", tag, err)
		}
	}
	return l, l.hosts()
}

func (l *Line) cables() [][4]string {
	switch {
	case l.West == "":
		return [][4]string{{l.Client, Eth, l.Server, Eth}}
	case l.East == "":
		return [][4]string{{l.Client, Eth, l.West, LAN}, {l.West, WAN, l.Server, Eth}}
	case l.Middle == "":
		return [][4]string{{l.Client, Eth, l.West, LAN}, {l.West, WAN, l.East, WAN}, {l.East, LAN, l.Server, Eth}}
	}
	return [][4]string{{l.Client, Eth, l.West, LAN}, {l.West, WAN, l.Middle, "w0"},
		{l.Middle, "e0", l.East, WAN}, {l.East, LAN, l.Server, Eth}}
}

// hostTCP are the kernel's own buffers for TCP, whatever the machine has chosen: a
// namespace inherits that.
var hostTCP = []string{"net/ipv4/tcp_rmem=4096 131072 6291456", "net/ipv4/tcp_wmem=4096 16384 4194304"}

// hosts gives client and server addresses and default routes.
func (l *Line) hosts() error {
	for _, ns := range []string{l.Client, l.Server} {
		if err := l.World.SetSysctls(ns, hostTCP...); err != nil {
			return fmt.Errorf("set sysctls of %s: %w", ns, err)
		}
	}
	err := l.World.IP(l.Client, "address add 10.1.0.2/16 dev eth0", "route add default via 10.1.0.1")
	if err != nil {
		return err
	}
	return l.World.IP(l.Server, "address add 10.2.0.2/16 dev eth0", "route add default via 10.2.0.1")
}

// Six gives client and server IPv6 addresses and default routes, too.
func (l *Line) Six() error {
	err := l.World.IP(l.Client, "address add fd00:1::2/64 dev eth0 nodad", "route add default via fd00:1::1")
	if err != nil {
		return err
	}
	return l.World.IP(l.Server, "address add fd00:2::2/64 dev eth0 nodad", "route add default via fd00:2::1")
}

// In runs fn on a thread in a namespace of the line.
func (l *Line) In(ns string, fn func() error) error { return netns.Do(l.World.NS(ns), fn) }

// Device returns an interface's number and link address.
func (l *Line) Device(ns, dev string) (index int, mac [6]byte, err error) {
	err = l.In(ns, func() error {
		i, err := net.InterfaceByName(dev)
		if err == nil {
			index = i.Index
			copy(mac[:], i.HardwareAddr)
		}
		return err
	})
	if err != nil {
		return 0, mac, fmt.Errorf("read address of %s %s: %w", ns, dev, err)
	}
	return index, mac, nil
}

// MAC returns an interface's link address.
func (l *Line) MAC(ns, dev string) ([6]byte, error) {
	_, mac, err := l.Device(ns, dev)
	return mac, err
}

// First returns where frames of the client arrive.
func (l *Line) First() (ns, dev string) {
	if l.West == "" {
		return l.Server, Eth
	}
	return l.West, LAN
}

// NAPI makes an interface receive by NAPI, so that XDP frames can be redirected
// into it: GRO on.
func (l *Line) NAPI(ns, dev string) error {
	_, err := l.World.Exec(ns, "ethtool", "-K", dev, "gro", "on")
	return err
}

// Addresses gives the routers addresses and routes of kernel forwarding, and
// every node permanent neighbours, so that no figure contains an ARP request.
func (l *Line) Addresses() error {
	if l.East == "" {
		return l.addressesOne()
	}
	err := l.World.IP(l.West, "address add 10.1.0.1/16 dev lan0", "address add 10.3.0.1/24 dev wan0",
		"route add 10.2.0.0/16 via 10.3.0.2")
	if err != nil {
		return err
	}
	err = l.World.IP(l.East, "address add 10.2.0.1/16 dev lan0", "address add 10.3.0.2/24 dev wan0",
		"route add 10.1.0.0/16 via 10.3.0.1")
	if err != nil {
		return err
	}
	return l.neighbours([]neighbour{
		{l.Client, Eth, "10.1.0.1", l.West, LAN}, {l.West, LAN, "10.1.0.2", l.Client, Eth},
		{l.West, WAN, "10.3.0.2", l.East, WAN}, {l.East, WAN, "10.3.0.1", l.West, WAN},
		{l.East, LAN, "10.2.0.2", l.Server, Eth}, {l.Server, Eth, "10.2.0.1", l.East, LAN},
	})
}

func (l *Line) addressesOne() error {
	if err := l.World.IP(l.West, "address add 10.1.0.1/16 dev lan0", "address add 10.2.0.1/16 dev wan0"); err != nil {
		return err
	}
	return l.neighbours([]neighbour{
		{l.Client, Eth, "10.1.0.1", l.West, LAN}, {l.West, LAN, "10.1.0.2", l.Client, Eth},
		{l.West, WAN, "10.2.0.2", l.Server, Eth}, {l.Server, Eth, "10.2.0.1", l.West, WAN},
	})
}

// neighbour: at ns, dev the address is that of the interface atNS, atDev.
type neighbour struct{ ns, dev, addr, atNS, atDev string }

func (l *Line) neighbours(list []neighbour) error {
	for _, n := range list {
		mac, err := l.MAC(n.atNS, n.atDev)
		if err != nil {
			return err
		}
		err = l.World.IP(n.ns, fmt.Sprintf("neigh replace %s lladdr %s dev %s nud permanent",
			n.addr, net.HardwareAddr(mac[:]), n.dev))
		if err != nil {
			return err
		}
	}
	return nil
}

// Forward switches the kernel's IPv4 forwarding on at every router.
func (l *Line) Forward() error {
	for _, ns := range l.Routers() {
		if err := l.World.SetSysctls(ns, "net/ipv4/ip_forward=1"); err != nil {
			return err
		}
	}
	return nil
}

// Routers returns the routers' namespaces, West first.
func (l *Line) Routers() []string {
	var list []string
	for _, ns := range []string{l.West, l.East} {
		if ns != "" {
			list = append(list, ns)
		}
	}
	return list
}
