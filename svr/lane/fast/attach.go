package fast

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/cilium/ebpf"
)

// NoNetif: untagged packets of a port belong to no network-interface of ours.
const NoNetif = 0xffff

// PortConfig says how the lane sits on a Linux interface.
type PortConfig struct {
	Index    int     // Linux interface
	MAC      [6]byte // its address; Attach again when it changes
	Untagged uint16  // network-interface of untagged packets, or NoNetif
	L3       bool    // no link header: ppp, raw-ip, tun
	XDP      bool    // an XDP program, too: see UseXDP
	Generic  bool    // XDP in the kernel's generic form, for tests
	Filter   bool    // TC by a clsact filter, as before Linux 6.6, even where TCX is
	Ring     bool    // what it punts comes by the rings, where there are any (Config.Ring)
}

// port is what is attached to an interface.
type port struct {
	cfg PortConfig
	tc  *ebpf.Program
	xdp *ebpf.Program // nil without
	at  place         // of tc
	// older are the TC programs of other lanes, in the order in which packets meet
	// them, all behind tc.
	older []installed
}

// Attach puts the programs on a Linux interface, or replaces those that are
// there at once: no packet meets none. The table must be in Memory before.
func (l *Lane) Attach(c PortConfig) error {
	var older []installed
	if old := l.ports[c.Index]; old != nil {
		older = old.older
	}
	p, err := l.prepare(c, older)
	if err != nil {
		return err
	}
	return l.Put(p, nil)
}

// Reserve puts a program on a Linux interface that has none of ours: it lets every
// packet pass. To attach a first program takes the kernel a grace period in which it
// works already; to exchange this one for another takes none.
func (l *Lane) Reserve(index int) error {
	if l.ports[index] != nil {
		return nil
	}
	p := &port{cfg: PortConfig{Index: index}}
	var err error
	if p.tc, err = l.loadPass(); err == nil {
		err = p.replaceTC(&port{})
	}
	if err != nil {
		p.closeOwn()
		return fmt.Errorf("reserve interface %d: %w", index, err)
	}
	l.ports[index] = p
	return nil
}

// Prepared are programs that the kernel took and that are on no interface yet.
type Prepared struct{ port *port }

// Prepare loads what Attach would: most of its time. Any goroutine, but not
// beside Close, and not while there are older lanes behind this one. The result is to
// be Put or closed.
func (l *Lane) Prepare(c PortConfig) (*Prepared, error) { return l.prepare(c, nil) }

func (l *Lane) prepare(c PortConfig, older []installed) (*Prepared, error) {
	if c.XDP && c.L3 {
		return nil, fmt.Errorf("load for interface %d: no XDP without link header: %w", c.Index, ErrConfig)
	}
	if err := l.steer(); err != nil {
		return nil, fmt.Errorf("load for interface %d: %w", c.Index, err)
	}
	p := &port{cfg: c, older: older}
	err := l.loadPort(p)
	if err != nil && c.Ring { // not every kernel's compiler has what the rings need
		p.closeOwn()
		p = &port{cfg: c, older: older}
		p.cfg.Ring = false
		err = l.loadPort(p)
	}
	if err != nil {
		p.closeOwn()
		return nil, fmt.Errorf("load for interface %d: %w", c.Index, err)
	}
	return &Prepared{p}, nil
}

func (l *Lane) loadPort(p *port) error {
	consts, err := l.constantsOf(&p.cfg, len(p.older) > 0)
	if err != nil {
		return err
	}
	if p.tc, err = l.load(progTC, consts); err == nil && p.cfg.XDP {
		p.xdp, err = l.load(progXDP, consts)
	}
	return err
}

// Close lets programs go that nobody Put.
func (p *Prepared) Close() { p.port.closeOwn() }

// Put puts prepared programs on their interface as Attach does, and takes them over.
// When the interface refuses XDP the new TC program is there alone, with an error.
// there, if it is not nil, is called as soon as the TC program is.
func (l *Lane) Put(prepared *Prepared, there func()) error {
	if err := l.put(prepared.port, there); err != nil {
		return fmt.Errorf("attach to interface %d: %w", prepared.port.cfg.Index, err)
	}
	return nil
}

func (l *Lane) put(p *port, there func()) error {
	old := l.ports[p.cfg.Index]
	if old == nil {
		old = &port{}
	}
	if len(old.older) != len(p.older) {
		p.closeOwn()
		return fmt.Errorf("programs that pass nothing on, before those of older lanes: %w", ErrConfig)
	}
	// The TC program comes first, because it does not need the other one; the notes
	// of an old XDP program say nothing to it.
	if err := p.replaceTC(old); err != nil {
		p.closeOwn()
		return err
	}
	if there != nil {
		there()
	}
	err := p.replaceXDP(old)
	if err != nil { // what is on the interface is what we keep
		p.xdp, old.xdp = old.xdp, p.xdp
		p.cfg.XDP, p.cfg.Generic = old.cfg.XDP, old.cfg.Generic
	}
	old.closeOwn()
	l.ports[p.cfg.Index] = p
	return err
}

// replaceXDP exchanges the XDP programs of an interface, of which there may be none.
func (p *port) replaceXDP(old *port) error {
	if p.xdp != nil {
		return attachXDP(p.cfg.Index, p.xdp, old.xdp, p.cfg.Generic)
	}
	if old.xdp != nil {
		return detachXDP(p.cfg.Index, old.xdp, old.cfg.Generic)
	}
	return nil
}

// replaceTC attaches the TC program of p in place of that of old, or in front of
// those of older lanes.
func (p *port) replaceTC(old *port) (err error) {
	at := old.at
	if old.tc == nil {
		at = place{tcx: !p.cfg.Filter, priority: filterPriority}
		for _, o := range p.older {
			if !o.at.tcx {
				at.priority = min(at.priority, o.at.priority-1)
			}
		}
	}
	p.at, err = attachTC(p.cfg.Index, at, p.tc, old.tc)
	return err
}

// Detach takes the programs off an interface, those of older lanes too. One that is
// gone is fine.
func (l *Lane) Detach(index int) error {
	p := l.ports[index]
	if p == nil {
		return nil
	}
	var err error
	if p.xdp != nil {
		err = detachXDP(index, p.xdp, p.cfg.Generic)
	}
	if p.tc != nil {
		err = errors.Join(err, detachTC(index, p.tc, p.at))
	}
	err = errors.Join(err, p.detachOlder())
	p.closeOwn()
	delete(l.ports, index)
	if err != nil {
		return fmt.Errorf("detach from interface %d: %w", index, err)
	}
	return nil
}

// Attached returns the indexes of the interfaces that programs of ours are on:
// after adoption, those to compare with the configuration.
func (l *Lane) Attached() (list []int) {
	for index := range l.ports {
		list = append(list, index)
	}
	return list
}

// Missing returns the indexes of the interfaces that are there and have lost a
// program of ours, in order: somebody took it off.
func (l *Lane) Missing() (list []int) {
	for index, p := range l.ports {
		if !p.there() {
			list = append(list, index)
		}
	}
	slices.Sort(list)
	return list
}

// there asks the kernel for the programs of a port. An interface that is gone took
// its programs along.
func (p *port) there() bool {
	if _, err := net.InterfaceByIndex(p.cfg.Index); err != nil {
		return true
	}
	if p.tc == nil {
		return false
	}
	is := func(q placed) bool { id, ok := programID(p.tc); return !ok || q.id == id && q.tcx == p.at.tcx }
	if !slices.ContainsFunc(tcPrograms(p.cfg.Index), is) {
		return false
	}
	if p.xdp == nil {
		return true
	}
	at, _ := xdpProgram(p.cfg.Index)
	id, ok := programID(p.xdp)
	return !ok || id == at
}

// programID is the kernel's number of a program, if it tells.
func programID(p *ebpf.Program) (ebpf.ProgramID, bool) {
	info, err := p.Info()
	if err != nil {
		return 0, false
	}
	return info.ID()
}

// close closes the descriptors of a port.
func (p *port) close() {
	p.closeOwn()
	for _, o := range p.older {
		o.Close()
	}
}

// closeOwn leaves those of older lanes open, which another port has now.
func (p *port) closeOwn() {
	if p.tc != nil {
		p.tc.Close()
	}
	if p.xdp != nil {
		p.xdp.Close()
	}
}
