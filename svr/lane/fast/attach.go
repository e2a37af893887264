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
	if c.L3 && c.XDP {
		return fmt.Errorf("attach to interface %d: no XDP without link header: %w", c.Index, ErrConfig)
	}
	if err := l.attach(c); err != nil {
		return fmt.Errorf("attach to interface %d: %w", c.Index, err)
	}
	return nil
}

func (l *Lane) attach(c PortConfig) error {
	old := l.ports[c.Index]
	p := &port{cfg: c}
	if old != nil {
		p.older = old.older
	}
	consts, err := l.constantsOf(&c, len(p.older) > 0)
	if err != nil {
		return err
	}
	if p.tc, err = l.load(progTC, consts); err != nil {
		return err
	}
	if c.XDP {
		if p.xdp, err = l.load(progXDP, consts); err != nil {
			p.closeOwn()
			return err
		}
	}
	if err := p.replace(old); err != nil {
		p.closeOwn()
		return err
	}
	if old != nil {
		old.closeOwn()
	}
	l.ports[c.Index] = p
	return nil
}

// replace attaches the programs of p. The TC program comes first, because it
// does not need the other one; the notes of an old XDP program say nothing to it.
func (p *port) replace(old *port) error {
	if old == nil {
		old = &port{}
	}
	if err := p.replaceTC(old); err != nil {
		return err
	}
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
