package lane

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"waymark/net/link"
	"waymark/net/rtnl"
	"waymark/svr/lane/l2"
)

// Offload is a set of transmit offloads.
type Offload uint8

// Transmit offloads. A port loses one at run time when the kernel refuses it.
const (
	OffloadTCP4 Offload = 1 << iota // TCP over IPv4 super-packets
	OffloadTCP6                     // TCP over IPv6 super-packets
	OffloadUDP                      // UDP super-packets (UDP_SEGMENT)
	OffloadCsum                     // checksum completion

	OffloadAll = OffloadTCP4 | OffloadTCP6 | OffloadUDP | OffloadCsum
)

// offloadSuper are those of super-packets. ppp takes none from a packet socket:
// the room it reserves for the headers of PPPoE counts as a link header that is
// there, and the kernel cuts behind it.
const offloadSuper = OffloadTCP4 | OffloadTCP6 | OffloadUDP

// ErrLinkType: the interface is neither Ethernet nor a plain IP device.
var ErrLinkType = errors.New("link type not supported")

// ErrInterface: network-interfaces of a port contradict each other.
var ErrInterface = errors.New("network-interfaces wrong")

// Interface is one network-interface on a port: a VLAN tag, or untagged.
type Interface struct {
	ID   uint16 // the router's number, never 0
	VLAN uint16 // 0: untagged
	// Addrs are the router's own addresses with their prefixes. The lane
	// answers ARP, neighbour discovery and echo for them on tagged interfaces;
	// on untagged ones the Linux kernel does.
	Addrs    []netip.Prefix
	Coalesce bool // merge small TCP segments sent here (LAN side, never a WAN)
	// CoalesceUDP makes datagrams of one flow and length one super-packet of the
	// kernel's (UDP_SEGMENT): it or the device cuts them again, so that nothing
	// differs on the wire.
	CoalesceUDP bool
	// CoalesceSealed does so with TCP segments that were encrypted or signed, where
	// the port has a cutter (SetCutter).
	CoalesceSealed bool
}

// PortConfig says how to open a port.
type PortConfig struct {
	Name       string      // Linux interface in the current network namespace
	Interfaces []Interface // network-interfaces it carries
	RingBytes  int         // receive ring memory; 0: 1 MB
	QueueBytes int         // receive buffer for super-packets (kernel memory); 0: 4 MB
	NoOffload  Offload     // offloads not to use
	Bypass     bool        // do not send through the interface's queueing discipline
	SendOnly   bool        // packets arrive by a Feed
	Workers    int         // that will send here: at least Config.Workers
}

// Port is one Linux interface, opened with AF_PACKET. After New it belongs to
// the lane's goroutine.
type Port struct {
	link    link.Link
	l3      bool      // no link header: ppp, raw-ip, tun
	in      int       // socket that receives, -1: only sends
	ring    *ring     // nil: only sends
	sender            // the loop's
	more    []*sender // the workers'
	promisc bool      // membership is taken
	ifs     []iface
	byVLAN  [4096]uint8 // tag → position in ifs + 1
	lane    *Lane
	cfg     PortConfig // with defaults
	own     intake
	losing  bool // the kernel says that it lost frames
}

// iface is a network-interface with what the lane keeps about it.
type iface struct {
	Interface
	port    *Port
	station *l2.Station // tagged ones only
}

// OpenPort opens the Linux interface for receiving and sending. Nothing is
// received before the lane runs. Needs CAP_NET_RAW.
func OpenPort(cfg PortConfig) (*Port, error) {
	p, err := openPort(cfg)
	if err != nil {
		return nil, fmt.Errorf("open port %s: %w", cfg.Name, err)
	}
	return p, nil
}

func openPort(cfg PortConfig) (*Port, error) {
	l, err := lookup(cfg.Name)
	if err != nil {
		return nil, err
	}
	p := &Port{link: l, in: -1, sender: sender{fd: -1}, l3: l.Type == unix.ARPHRD_PPP || l.Type == unix.ARPHRD_NONE || l.Type == unix.ARPHRD_RAWIP}
	if !p.l3 && l.Type != unix.ARPHRD_ETHER {
		return nil, fmt.Errorf("type %d: %w", l.Type, ErrLinkType)
	}
	if l.Type == unix.ARPHRD_PPP {
		cfg.NoOffload |= offloadSuper
	}
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = 4 << 20
	}
	p.cfg = cfg
	if err := p.openSockets(cfg); err != nil {
		p.Close()
		return nil, err
	}
	p.sender.init(p, p.sender.fd, OffloadAll&^cfg.NoOffload)
	if err := p.openSenders(cfg.Workers); err != nil {
		p.Close()
		return nil, err
	}
	if err := p.SetInterfaces(cfg.Interfaces); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// openSockets opens the receiver with its ring and the sender.
func (p *Port) openSockets(cfg PortConfig) (err error) {
	ring := cfg.RingBytes
	if ring == 0 {
		ring = 1 << 20
	}
	if p.sender.fd, err = openSender(p.link.Index, cfg.QueueBytes, cfg.Bypass); err != nil || cfg.SendOnly {
		return err
	}
	if p.in, err = openSocket(cfg.QueueBytes, cfg.Bypass); err != nil {
		return err
	}
	p.ring, err = openRing(p.in, ring)
	return err
}

func lookup(name string) (link.Link, error) {
	c, err := rtnl.Dial()
	if err != nil {
		return link.Link{}, err
	}
	defer c.Close()
	return link.ByName(c, name)
}

// SetInterfaces replaces the network-interfaces a port carries. Through
// Lane.Do once the lane runs. Next-hops of interfaces that stay are kept.
func (p *Port) SetInterfaces(list []Interface) error {
	next := make([]iface, 0, len(list))
	var byVLAN [4096]uint8
	for _, i := range list {
		if i.ID == 0 || i.VLAN > 4094 || byVLAN[i.VLAN] != 0 || len(next) == 255 || p.l3 && i.VLAN != 0 {
			return fmt.Errorf("set interface %d vlan %d: %w", i.ID, i.VLAN, ErrInterface)
		}
		next = append(next, iface{Interface: i, port: p, station: p.oldStation(i)})
		byVLAN[i.VLAN] = uint8(len(next))
	}
	untagged := byVLAN[0] != 0
	tagged := len(next) > 1 || len(next) == 1 && !untagged
	if p.ring != nil {
		if err := attachFilter(p.in, filterProgram(untagged, tagged)); err != nil {
			return err
		}
	}
	if err := p.receiveAll(tagged); err != nil {
		return err
	}
	p.ifs, p.byVLAN = next, byVLAN
	for i := range p.ifs {
		p.newStation(&p.ifs[i])
	}
	if p.lane == nil {
		return nil
	}
	p.announce()
	return p.lane.indexInterfaces()
}

// receiveAll takes or gives back a promiscuous membership. A port with tags
// needs it: hardware drops tags it has no device for, and the multicast of
// neighbour discovery. The filter keeps other stations' frames out.
func (p *Port) receiveAll(on bool) error {
	if on == p.promisc {
		return nil
	}
	opt := unix.PACKET_DROP_MEMBERSHIP
	if on {
		opt = unix.PACKET_ADD_MEMBERSHIP
	}
	m := &unix.PacketMreq{Ifindex: int32(p.link.Index), Type: unix.PACKET_MR_PROMISC}
	if err := unix.SetsockoptPacketMreq(p.sender.fd, unix.SOL_PACKET, opt, m); err != nil {
		return fmt.Errorf("set promiscuous %t: %w", on, err)
	}
	p.promisc = on
	return nil
}

// announce tells the neighbours on every tag our addresses.
func (p *Port) announce() {
	for i := range p.ifs {
		if s := p.ifs[i].station; s != nil {
			s.Announce()
		}
	}
}

// oldStation finds the station of an interface that stays on its tag.
func (p *Port) oldStation(i Interface) *l2.Station {
	for k := range p.ifs {
		if o := &p.ifs[k]; o.ID == i.ID && o.VLAN == i.VLAN {
			return o.station
		}
	}
	return nil
}

// find returns the network-interface of a tag.
func (p *Port) find(vlan uint16) *iface {
	if k := p.byVLAN[vlan]; k != 0 {
		return &p.ifs[k-1]
	}
	return nil
}

// Counters returns the port's counters. Through Lane.Do once the lane runs.
func (p *Port) Counters() PortCounters {
	if p.ring != nil {
		p.sent.RxDropped += drops(p.in)
	}
	return p.total()
}

// Index returns the Linux interface index.
func (p *Port) Index() int { return p.link.Index }

// Name returns the Linux interface name.
func (p *Port) Name() string { return p.link.Name }

// MAC returns the port's Ethernet address.
func (p *Port) MAC() [6]byte { return p.link.MAC }

// MTU returns the Linux interface's MTU when it was opened.
func (p *Port) MTU() int { return p.link.MTU }

// L3 tells that the interface has no link header.
func (p *Port) L3() bool { return p.l3 }

// Memory returns the bytes of the receive ring.
func (p *Port) Memory() int {
	if p.ring == nil {
		return 0
	}
	return len(p.ring.mem)
}

// Close closes the sockets and unmaps the ring. Not while the lane runs.
func (p *Port) Close() error {
	if p.sender.fd < 0 {
		return os.ErrClosed
	}
	p.closeSenders()
	var err error
	if p.ring != nil {
		err = p.ring.close()
	}
	for _, fd := range []*int{&p.in, &p.sender.fd} {
		if *fd >= 0 {
			err = errors.Join(err, unix.Close(*fd))
			*fd = -1
		}
	}
	return err
}
