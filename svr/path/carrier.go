package path

import (
	"net/netip"
	"sync"
	"time"
)

// Setup is what the configuration says about one path.
type Setup struct {
	ID       uint16     // policy's PathID
	If       uint16     // policy's IfID of the local network-interface
	Local    netip.Addr // own waypoint; zero: any address of the interface
	Remote   netip.Addr // peer's waypoint; zero until someone learns it
	Disabled bool       // by configuration
	Watched  bool       // BFD watches it: not up before BFD says so
}

// Change is one path whose state changed, with its new state.
type Change struct {
	ID     uint16
	Status Status
}

// Carrier is the Monitor of a router: a path is up while its interface has
// carrier and an address of the right family, the peer's address is known, and
// BFD, where it watches the path, finds the peer alive. Methods may be called
// from any goroutine.
type Carrier struct {
	mu    sync.RWMutex // guards everything below
	paths []*carried   // by ID, nil where there is none: every packet that opens a session asks
	ids   []uint16     // order of Setup, so that changes come in a stable order
	ifs   map[uint16]device
}

// carried is one path and its last answer.
type carried struct {
	Setup
	life   Life
	hops   int
	fits   int // bytes of IP packet as probed, 0: not known
	status Status
}

// device is the last word on one interface.
type device struct {
	carrier bool
	addrs   []netip.Addr
	mtu     int
}

// NewCarrier makes the monitor; every interface is without carrier until
// SetInterface says otherwise. A second Setup of one ID replaces the first.
func NewCarrier(paths []Setup) *Carrier {
	c := &Carrier{ifs: map[uint16]device{}}
	for _, s := range paths {
		if c.path(s.ID) == nil {
			c.ids = append(c.ids, s.ID)
			c.paths = append(c.paths, make([]*carried, max(int(s.ID)+1-len(c.paths), 0))...)
		}
		p := &carried{Setup: s}
		if s.Watched {
			p.life = Initializing
		}
		p.status = p.evaluate(device{})
		c.paths[s.ID] = p
	}
	return c
}

// path returns a path, nil if there is none. The caller holds mu, or is its maker.
func (c *Carrier) path(id uint16) *carried {
	if int(id) >= len(c.paths) {
		return nil
	}
	return c.paths[id]
}

// Status returns the state of a path; an unknown one is down with reason
// admin. It allocates nothing.
func (c *Carrier) Status(id uint16) Status {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if p := c.path(id); p != nil {
		return p.status
	}
	return Status{Reason: ReasonAdmin}
}

// SetInterface tells the state of an interface: carrier, its addresses, and
// its MTU in bytes of IP packet. It returns the paths whose state changed. The
// addresses are copied.
func (c *Carrier) SetInterface(ifc uint16, carrier bool, addrs []netip.Addr, mtu int) []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := device{carrier: carrier, mtu: mtu}
	for _, a := range addrs {
		d.addrs = append(d.addrs, a.Unmap())
	}
	c.ifs[ifc] = d
	return c.update(func(p *carried) bool { return p.If == ifc })
}

// SetRemote tells the peer's waypoint of a path; the zero address means that
// it is unknown again. It returns the path if its state changed.
func (c *Carrier) SetRemote(id uint16, remote netip.Addr) []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.path(id); p != nil {
		p.Remote = remote
	}
	return c.update(func(p *carried) bool { return p.ID == id })
}

// SetLife tells what BFD says of a path, and where the peer is reached if BFD
// found that out; the zero address leaves it as it is. It returns the path if
// its state changed.
func (c *Carrier) SetLife(id uint16, l Life, remote netip.Addr) []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.path(id); p != nil {
		p.life = l
		if remote.IsValid() {
			p.Remote = remote
		}
	}
	return c.update(func(p *carried) bool { return p.ID == id })
}

// SetMTU tells what was found to fit on a path, in bytes of IP packet; 0: as much
// as its device takes. It returns the path if its state changed.
func (c *Carrier) SetMTU(id uint16, fits int) []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.path(id); p != nil {
		p.fits = fits
	}
	return c.update(func(p *carried) bool { return p.ID == id })
}

// SetHops tells how many routers are on a path. It is no change of state.
func (c *Carrier) SetHops(id uint16, hops int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.path(id); p != nil {
		p.hops, p.status.Hops = hops, hops
	}
}

// SetShedding notes that the peer of a path says that it loses data that arrives, or is
// late with it. It is no change of state.
func (c *Carrier) SetShedding(id uint16, now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.path(id); p != nil {
		p.status.Shedding = now
	}
}

// SetRTT notes the smoothed and the smallest round trip as BFD measured them,
// 0 for none. It is no change of state.
func (c *Carrier) SetRTT(id uint16, smooth, least time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.path(id); p != nil && smooth > 0 {
		p.status.RTT, p.status.MinRTT = smooth, least
	}
}

// SetEnabled switches a path on or off. It returns the path if its state
// changed.
func (c *Carrier) SetEnabled(id uint16, enabled bool) []Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.path(id); p != nil {
		p.Disabled = !enabled
	}
	return c.update(func(p *carried) bool { return p.ID == id })
}

// ObserveRTT notes a measured round trip of a path, such as that of a
// handshake. It is no change of state. Values of 0 and below are ignored.
func (c *Carrier) ObserveRTT(id uint16, rtt time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.path(id)
	if p == nil || rtt <= 0 {
		return
	}
	p.status.RTT = rtt
	if p.status.MinRTT == 0 || rtt < p.status.MinRTT {
		p.status.MinRTT = rtt
	}
}

// update evaluates the paths that which selects and returns those that
// changed. The caller holds mu.
func (c *Carrier) update(which func(*carried) bool) (changes []Change) {
	for _, id := range c.ids {
		p := c.paths[id]
		if !which(p) {
			continue
		}
		if s := p.evaluate(c.ifs[p.If]); s != p.status {
			p.status = s
			changes = append(changes, Change{id, s})
		}
	}
	return changes
}

// evaluate returns the state of p on an interface in state d. Measurements
// last as long as both endpoints stay the same.
func (p *carried) evaluate(d device) Status {
	s := Status{MTU: d.mtu, Hops: p.hops, Remote: p.Remote, Local: p.waypoint(d)}
	if p.fits > 0 && d.mtu > 0 {
		s.MTU = min(d.mtu, p.fits)
	}
	if s.Local == p.status.Local && s.Remote == p.status.Remote {
		s.RTT, s.MinRTT, s.Shedding = p.status.RTT, p.status.MinRTT, p.status.Shedding
	}
	switch {
	case p.Disabled:
		s.Reason = ReasonAdmin
	case !d.carrier:
		s.Reason = ReasonNoCarrier
	case !s.Local.IsValid() || !s.Remote.IsValid():
		s.Reason = ReasonNoAddress
		s.Pending = p.life == Initializing && s.Local.IsValid() // its first packet tells
	default:
		s.judge(p.life)
	}
	return s
}

// waypoint returns the own address of the path: the configured one if the
// interface has it, else the interface's first of the peer's family. It is
// zero while there is none, and while the family is unknown.
func (p *carried) waypoint(d device) netip.Addr {
	for _, a := range d.addrs {
		switch {
		case p.Local.IsValid() && a == p.Local:
			return a
		case p.Local.IsValid():
		case p.Remote.IsValid() && a.Is4() == p.Remote.Is4() && !a.IsLinkLocalUnicast():
			return a
		}
	}
	return netip.Addr{}
}
